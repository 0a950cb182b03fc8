"""`backup` and `restore`: an installation in a folder, and an installation made of it."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_deploy.events._root import PROTECT, AsJson, events, say_json
from tonetouch_deploy.events.backup import Backup, Place
from tonetouch_deploy.events.counting import counting
from tonetouch_deploy.events.reaching import connected, door, reach
from tonetouch_deploy.ledger_showing import say
from tonetouch_deploy.settings import CannotStartError, read_settings
from tonetouch_deploy.showing import say_failure

# The activities themselves are imported where they are used: the libraries of the services take a second to load, for
# which no other command should wait.


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A backup in figures: messages by stream, rows of state by service, objects and their bytes."""

    path: str
    taken: str
    streams: dict[str, int]
    state: dict[str, int]
    objects: int
    object_bytes: int

    @classmethod
    def of(cls, path: Path, backup: Backup) -> "Copied":
        """What a backup says of itself."""
        return cls(
            path=str(path),
            taken=backup.taken,
            streams={name: copy.messages for name, copy in backup.streams.items()},
            state={service: sum(copy.rows.values()) for service, copy in backup.databases.items()},
            objects=backup.objects,
            object_bytes=backup.object_bytes,
        )

    def say(self, console: Console) -> None:
        """The same in sentences."""
        parts = ", ".join(f"{count:,} of {stream}" for stream, count in self.streams.items() if count)
        say(console, f"Messages: {parts or 'none'}. Objects: {self.objects:,} with {self.object_bytes:,} bytes.")
        say(console, f"State of {', '.join(self.state) or 'no service'}. All of it as it was at {self.taken}.")


@events.command(rich_help_panel=PROTECT)
def backup(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    *,
    without_state: Annotated[
        bool, typer.Option(help="Leave the state databases out: those in PostgreSQL are pg_dump's business.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy streams, state and objects into a folder while everything goes on, as they were at one moment.

    It is as private as the data itself, but for the keys of people, which are not in it.
    """
    from tonetouch_deploy.events.backing_up import backed_up
    from tonetouch_deploy.installation import installation

    place = Place(folder=folder.absolute())

    async def backing_up(client: Client) -> Backup:
        settings = installation()
        if settings.database_url.get_secret_value() and not without_state:
            raise CannotStartError(
                "The state databases lie in PostgreSQL: dump its schemas *_state with pg_dump first, then run this "
                "with --without-state."
            )
        with counting("copying objects", shown=not as_json) as counter:
            return await backed_up(client, settings, place, counter, state=not without_state)

    _say(Copied.of(folder, reach(backing_up)), f"{folder} is a backup.", as_json=as_json)


@events.command(rich_help_panel=PROTECT)
def restore(
    folder: Annotated[Path, typer.Argument(help="What `events backup` wrote.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make an installation of a backup, where there is none yet, and check every message, row and object of it.

    It is the one of the data folder (TONETOUCH_DATA); `up` starts it afterwards. Or it is the empty servers that
    TONETOUCH_NATS_URL and the others name, as a user who may restore streams.
    """
    done = _ending(_restored(Place(folder=folder.absolute()), shown=not as_json))
    _say(Copied.of(folder, done), f"{folder} is back, and is what was backed up.", as_json=as_json)


async def _restored(place: Place, *, shown: bool) -> Backup:
    from tonetouch_deploy.events.restoring import restored, stores_alone
    from tonetouch_runtime import Settings

    with counting("bringing objects back", shown=shown) as counter:
        if "TONETOUCH_NATS_URL" in os.environ:
            async with connected(door()) as client:
                return await restored(client, Settings(), place, counter)
        async with stores_alone(read_settings()) as (reached, settings), connected(reached) as client:
            return await restored(client, settings, place, counter)


def _ending(work: Coroutine[Any, Any, Backup]) -> Backup:
    try:
        return asyncio.run(work)
    except CannotStartError as error:
        say_failure(error)
        raise typer.Exit(2) from error


def _say(copied: Copied, sentence: str, *, as_json: bool) -> None:
    if as_json:
        say_json(copied)
        return
    console = Console()
    say(console, sentence)
    copied.say(console)
