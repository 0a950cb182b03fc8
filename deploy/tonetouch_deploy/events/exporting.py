"""`export`: events to a file, as CloudEvents in lines of JSON or as Parquet; by stream, type, entity and time."""

import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_deploy.appearing import appearing
from tonetouch_deploy.events._root import CARRY, AsJson, events, say_json
from tonetouch_deploy.events.counting import Counter, counting
from tonetouch_deploy.events.exported import Exported
from tonetouch_deploy.events.exporting_parquet import parquet_file
from tonetouch_deploy.events.moments import moment_of
from tonetouch_deploy.events.passing import Passage, Start
from tonetouch_deploy.events.reaching import reach, together
from tonetouch_deploy.events.stored import Stored
from tonetouch_deploy.events.tailing import Entity, Types, Which
from tonetouch_deploy.ledger_showing import say
from tonetouch_deploy.settings import CannotStartError

Write = Callable[[Sequence[Stored]], None]


class Format(StrEnum):
    """How events are written."""

    NDJSON = "ndjson"
    PARQUET = "parquet"


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """The time that is exported (RFC 3339), by when the server stored an event; nothing said is all of it."""

    begin: str | None = None
    end: str | None = None

    def has(self, event: Stored) -> bool:
        """Whether it was stored by the end of it."""
        return self.end is None or event.stored_at <= self.end


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was exported: how many events of each stream, up to which head."""

    path: str
    format: Format
    events: int
    streams: dict[str, int]


@events.command(rich_help_panel=CARRY)
def export(
    path: Annotated[str, typer.Argument(help="The file to write; `-` is standard output.")],
    *,
    format: Annotated[Format | None, typer.Option(help="As the name of the file says, if not said.")] = None,  # noqa: A002 - the option's name
    types: Types = None,
    entity: Entity = None,
    begin: Annotated[str | None, typer.Option("--from", help="Stored since then, or so long ago (2h, 7d).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Stored up to then.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write events to a file, stream after stream, each in its order; `events import` makes a log of it again."""
    which = Which(types=tuple(types or ()), entity=entity)
    chosen = format or (Format.PARQUET if path.endswith(".parquet") else Format.NDJSON)

    async def exporting(client: Client) -> Written:
        stretch = Stretch(begin=begin and moment_of(begin), end=end and moment_of(end))
        with counting("exporting", shown=not as_json) as counter, _file(path, chosen) as write:
            streams = await exported(client, which, stretch, write, counter)
        return Written(path=path, format=chosen, events=sum(streams.values()), streams=streams)

    written = reach(exporting)
    if path == "-":
        return
    if as_json:
        say_json(written)
    else:
        parts = ", ".join(f"{count:,} of {stream}" for stream, count in written.streams.items())
        say(Console(), f"{written.events:,} events in {path}: {parts or 'nothing'}.")


async def exported(client: Client, which: Which, stretch: Stretch, write: Write, counter: Counter) -> dict[str, int]:
    """Hand every event that is wanted to `write`, in batches; gives their number by stream.

    All streams are read up to their heads of one moment.
    """
    filters = which.filters()
    start = Start(moment=stretch.begin)
    begun = await together(*(Passage.begin(client, name, start, filters=filters[name]) for name in filters))
    counter.expect(sum(passage.left for passage in begun))
    written: dict[str, int] = {}
    for stream, passage in zip(filters, begun, strict=True):
        async with aclosing(_wanted(passage, stretch)) as batches:
            async for batch in batches:
                write(batch)
                counter.add(len(batch))
                written[stream] = written.get(stream, 0) + len(batch)
    return written


async def _wanted(passage: Passage, stretch: Stretch) -> AsyncGenerator[list[Stored], None]:
    async with aclosing(passage.to_the_end()) as batches:
        async for batch in batches:
            inside = [event for event in batch if stretch.has(event)]
            if inside:
                yield inside
            if len(inside) < len(batch):
                return


@contextmanager
def _file(path: str, chosen: Format) -> Iterator[Write]:
    """What writes batches of events; the file appears when it is whole."""
    if path == "-":
        if chosen is Format.PARQUET:
            raise CannotStartError("Parquet goes into a file: name one that ends in .parquet.")
        yield _lines(sys.stdout.buffer)
        return
    with appearing(Path(path)) as draft:
        if chosen is Format.PARQUET:
            with parquet_file(draft) as write:
                yield write
        else:
            with draft.open("wb") as file:
                yield _lines(file)


def _lines(file: IO[bytes]) -> Write:
    encoder = msgspec.json.Encoder()

    def write(batch: Sequence[Stored]) -> None:
        file.write(encoder.encode_lines([Exported.of(event) for event in batch]))

    return write
