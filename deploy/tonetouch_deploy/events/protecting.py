"""`backup` and `restore`: an installation in a folder, and one made of it; the keys of people apart; `erase-person`."""

import asyncio
import getpass
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from tonetouch_deploy.events.erasing import Erased

MOST_SHOWN = 20

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


@events.command("backup-keys", rich_help_panel=PROTECT)
def backup_keys(
    folder: Annotated[Path, typer.Argument(help="A folder of its own, away from other backups; the same each time.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Copy the keys of people into a folder, and destroy there those of people who were erased since.

    Keep no older copies of it than you may take to forget somebody: with one, a backup can still be read.
    """
    _take_over(folder, to_here=False, as_json=as_json)


@events.command("restore-keys", rich_help_panel=PROTECT)
def restore_keys(
    folder: Annotated[Path, typer.Argument(help="What `events backup-keys` wrote.", exists=True, file_okay=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Bring the keys of people back, before `up` starts what `restore` made; nobody who was erased comes back."""
    _take_over(folder, to_here=True, as_json=as_json)


def _take_over(folder: Path, *, to_here: bool, as_json: bool) -> None:
    from tonetouch_runtime import Settings
    from tonetouch_runtime.people import Keys

    try:
        own = read_settings()
        here, there = Keys(Settings(data=own.data_folder).people_folder), Keys(folder.absolute())
        done = here.take_over(there) if to_here else there.take_over(here)
    except (CannotStartError, OSError) as error:
        say_failure(error if isinstance(error, CannotStartError) else CannotStartError(f"{folder}: {error}."))
        raise typer.Exit(2) from error
    if as_json:
        say_json(done)
    else:
        say(Console(), f"{done.keys:,} keys, {done.new:,} of them new; {done.erased:,} people are erased.")
        if done.different:
            say(Console(), f"{done.different:,} keys are others than those there: words under these cannot be read.")
    if done.different:
        raise typer.Exit(1)


@events.command("erase-person", rich_help_panel=PROTECT)
def erase_person(
    person: Annotated[str, typer.Argument(help="The id of the person.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record; without names.")],
    operator: Annotated[str, typer.Option(help="Who you are, for the record.", default_factory=getpass.getuser)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Destroy a person's key, make all tables anew without them, and look for them everywhere; it cannot be undone.

    Fails where something they said can still be read, or a table still shows what they did.
    """
    from tonetouch_deploy.events.erasing import erased
    from tonetouch_deploy.installation import installation
    from tonetouch_runtime import SystemClock, stamp
    from tonetouch_runtime.people.keys import Erasure

    if not yes:
        typer.confirm(f"Erase {person} for ever?", abort=True, err=True)
    erasure = Erasure(at=stamp(SystemClock().now()), operator=operator, reason=reason)

    async def erasing(client: Client) -> "Erased":
        return await erased(client, installation(), person, erasure, quiet=as_json)

    done = reach(erasing)
    if as_json:
        say_json(done)
    else:
        say_erased(Console(), done)
    if not done.proven:
        raise typer.Exit(1)


def say_erased(console: Console, done: "Erased") -> None:
    """What was done, what was looked through, and what was found."""
    say(console, f"{done.person} was erased before." if done.before else f"The key of {done.person} is destroyed.")
    say(console, f"{done.words:,} pieces of what they said cannot be read by anybody now.")
    say(console, f"Made anew without them: {', '.join(done.tables)}.")
    for trace in done.traces:
        where = f"{trace.rows:,} rows of {trace.table} in {trace.service}/{trace.database}.db"
        say(console, f"Found by their {trace.by}: {where}{', accounts' if trace.is_account else ''}.")
    if done.in_clear:
        shown = ", ".join(done.in_clear[:MOST_SHOWN])
        say(console, f"{len(done.in_clear):,} events have words from before words were sealed: {shown}.")
    say(console, "Proven: nothing they said or did is shown." if done.proven else "They are not erased altogether.")


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
