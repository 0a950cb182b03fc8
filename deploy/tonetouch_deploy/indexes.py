"""The commands `tonetouch indexes ...`: what the five vector indexes hold, and having them made anew.

They ask the HTTP API of the running installation, with the token of its run record.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from tonetouch_deploy.asking import Answer, PartClient
from tonetouch_deploy.indexes_showing import index_table, rebuild_words, say_notes
from tonetouch_deploy.ledger_showing import say
from tonetouch_deploy.run_record import run_record
from tonetouch_deploy.settings import CannotStartError, read_settings
from tonetouch_deploy.showing import say_failure

indexes = typer.Typer(
    help="The five vector indexes. Without a command they are listed: size, model, engine, position, lag, bytes.",
    invoke_without_command=True,
)

LOOK_SECONDS = 0.5
MOST_FAILURES = 60
"""Looks in a row that may fail: recommend may be restarting."""

_STEPS = {"embedding": "embedding texts", "filling": "filling", "indexing": "building the index"}


class Name(StrEnum):
    """What can be made anew."""

    TRACKS = "tracks"
    LYRICS = "lyrics"
    TASTE = "taste"
    PLAYLISTS = "playlists"
    FINGERPRINTS = "fingerprints"
    ALL = "all"


AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, for programs.")]


@indexes.callback()
def show(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the indexes: size, model, engine, position, lag, refused vectors, bytes; and a rebuild that is under way."""
    if context.invoked_subcommand is not None:
        return
    with _asking() as (client, console):
        answer = client.answered("GET", "indexes")
        if as_json:
            typer.echo(json.dumps(answer, indent=2, default=_number))
            return
        console.print(index_table(answer["items"]))
        say_notes(console, answer)


@indexes.command()
def rebuild(
    name: Annotated[Name, typer.Argument(help="Which index.")],
    *,
    watch: Annotated[bool, typer.Option(help="Stay until it is done, and show how far it is.")] = True,
) -> None:
    """Make an index anew from the tables beside the live one, which answers until the new one takes its place."""
    with _asking() as (client, console):
        names = [] if name is Name.ALL else [name.value]
        answer = client.answered("POST", "indexes/rebuild", json={"names": names})
        if watch:
            _watch(client, console, answer)
        else:
            say(console, f"{rebuild_words(answer['rebuild'])} `tonetouch indexes watch` shows how far it is.")


@indexes.command()
def watch() -> None:
    """Show how far the rebuild is that is under way, until it is done."""
    with _asking() as (client, console):
        answer = client.answered("GET", "indexes")
        if answer["rebuild"] is None:
            say(console, "No index has been made anew since recommend started.")
        else:
            _watch(client, console, answer)


@indexes.command()
def cancel() -> None:
    """Give up the rebuild that is under way: the indexes stay as they are."""
    with _asking() as (client, console):
        say(console, rebuild_words(client.answered("DELETE", "indexes/rebuild")["rebuild"]))


def _watch(client: PartClient, console: Console, answer: Answer) -> None:
    """Follow one rebuild to its end, also over a restart of recommend. Leaving does not end it."""
    rebuild, watched = answer["rebuild"], answer["rebuild"]["id"]
    try:
        with _bars(console) as (bars, task):
            while rebuild["phase"] not in ("done", "cancelled"):
                bars.update(task, completed=rebuild["done"], total=rebuild["total"] or None)
                bars.update(task, step=_STEPS[rebuild["phase"]], speed=_speed(rebuild))
                rebuild = _look_again(client)
                if rebuild is None or rebuild["id"] != watched:
                    raise CannotStartError("That rebuild is over; `tonetouch indexes` shows how the indexes stand.")
    except KeyboardInterrupt:
        say(console, "Stopped watching; it goes on. `tonetouch indexes cancel` ends it.")
        raise typer.Exit(130) from None
    say(console, rebuild_words(rebuild))
    if rebuild["phase"] == "cancelled":
        raise typer.Exit(1)


def _look_again(client: PartClient) -> Answer | None:
    for left in reversed(range(MOST_FAILURES)):
        time.sleep(LOOK_SECONDS)
        try:
            found: Answer | None = client.answered("GET", "indexes")["rebuild"]
        except CannotStartError:
            if not left:
                raise
        else:
            return found
    raise AssertionError("the last failure is raised")


def _speed(rebuild: Answer) -> str:
    if rebuild["waiting"]:
        return str(rebuild["waiting"])
    if not rebuild["per_second"]:
        return ""
    return f"{float(rebuild['per_second']):,.0f}/s, {float(rebuild['seconds_left']):,.0f} s left"


@contextmanager
def _bars(console: Console) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.fields[step]}"), BarColumn(32), MofNCompleteColumn())
    speed = TextColumn("{task.fields[speed]}", markup=False)
    with Progress(*columns, speed, console=console) as bars:
        yield bars, bars.add_task("", total=None, step="", speed="")


@contextmanager
def _asking() -> Iterator[tuple[PartClient, Console]]:
    """The running API and the terminal; what goes wrong is one sentence, and exit code 2."""
    try:
        with PartClient(run_record(read_settings().data_folder)) as client:
            yield client, Console()
    except CannotStartError as error:
        say_failure(error)
        raise typer.Exit(2) from error


def _number(value: Any) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{value!r} is no JSON")
