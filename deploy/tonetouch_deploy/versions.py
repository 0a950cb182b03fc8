"""The commands `tonetouch versions ...`: what a recording is to others, and a person's word on it.

They ask the HTTP API of the running installation, with the token of its run record.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from tonetouch_deploy.asking import Answer, PartClient
from tonetouch_deploy.ledger_showing import say, table, words
from tonetouch_deploy.run_record import run_record
from tonetouch_deploy.settings import CannotStartError, read_settings
from tonetouch_deploy.showing import say_failure

versions = typer.Typer(
    help="Duplicates and versions: what was found by sound, and overruling it.", no_args_is_help=True
)


class Relation(StrEnum):
    """What one track is to another."""

    DUPLICATE = "duplicate"
    VERSION = "version"
    NONE = "none"


TrackId = Annotated[str, typer.Argument(help="The id of the track.")]


@versions.command()
def show(track_id: TrackId) -> None:
    """What a track is, and its other versions."""
    with _asking() as (client, console):
        _show(client.answered("GET", f"tracks/{track_id}"), console)


@versions.command("say")
def say_relation(
    track_id: TrackId,
    relation: Annotated[Relation, typer.Argument(help="What it is: none of both publishes or unlinks it.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, in a sentence; it is kept in the log.")],
    of: Annotated[str | None, typer.Option(help="The other track; may be left out with `none`.")] = None,
) -> None:
    """Overrule what was found by sound, or link two tracks by hand. Nothing that is found later undoes it."""
    with _asking() as (client, console):
        said = {"relation": relation.value, "of": of, "reason": reason}
        _show(client.answered("POST", f"tracks/{track_id}/version-of", json=said), console)


def _show(track: Answer, console: Console) -> None:
    say(console, _sentence(track))
    if track["versions"]:
        columns = (words("id"), words("title"), words("artist"))
        console.print(table("other versions", columns, track["versions"]))


def _sentence(track: Answer) -> str:
    name = f"{track['title'] or track['file_name']} ({track['artist'] or 'unknown artist'})"
    if track["duplicate_of"]:
        return f"{name} is a duplicate of {track['duplicate_of']}: {track['reason']}."
    if track["version_of"]:
        return f"{name} is a version of {track['version_of']}."
    return f"{name} is {track['status']}."


@contextmanager
def _asking() -> Iterator[tuple[PartClient, Console]]:
    """The running API and the terminal; what goes wrong is one sentence, and exit code 2."""
    try:
        with PartClient(run_record(read_settings().data_folder)) as client:
            yield client, Console()
    except CannotStartError as error:
        say_failure(error)
        raise typer.Exit(2) from error
