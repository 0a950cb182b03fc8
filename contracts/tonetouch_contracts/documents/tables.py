"""The tables of the README: streams, events, commands."""

import inspect
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tonetouch_contracts.documents.fields import kinds_in, personal_fields
from tonetouch_contracts.documents.schemas import Schema, event_schemas, first_sentence
from tonetouch_contracts.manifest import Stream
from tonetouch_contracts.message import Command
from tonetouch_contracts.personal import MEANINGS


def stream_table(streams: Iterable[Stream]) -> Iterator[str]:
    """Each stream with its owner, its promise and what of persons is in it."""
    yield "| stream | owner | promise | of persons |"
    yield "|---|---|---|---|"
    for stream in streams:
        kinds = kinds_in(event_schemas(stream))
        yield row(stream.name, stream.owner, stream.promise, "; ".join(MEANINGS[kind] for kind in kinds) or "nothing")


def event_table(streams: Iterable[Stream]) -> Iterator[str]:
    """Each event with its meaning, its stream and its personal fields; the name leads to its page."""
    yield "| event | meaning | said by | stream | notes |"
    yield "|---|---|---|---|---|"
    for stream in streams:
        for wire, schema in event_schemas(stream).items():
            notes = "; ".join(_notes(schema))
            page = f"[`{wire}`](catalogue/{wire}.md)"
            yield row(page, first_sentence(schema["description"]), stream.owner, stream.name, notes)


def command_table(commands: Sequence[type[Command[Any]]]) -> Iterator[str]:
    """Each command with what it asks and what it is answered with."""
    yield "| command | what it asks | answered with |"
    yield "|---|---|---|"
    for command in commands:
        reply = command.reply_type()
        arguments = ", ".join(argument.__name__ for argument in typing.get_args(reply))
        answer = f"{reply.__name__}[{arguments}]" if arguments else reply.__name__
        asks = first_sentence(inspect.getdoc(command) or "")
        yield row(f"`{command.wire_name()}`", asks, f"`{answer}`")


def row(*cells: str) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _notes(schema: Schema) -> Iterator[str]:
    if successor := schema.get("x-replaced-by"):
        yield f"said no more: `{successor}` took its place"
    yield f"about `{schema['x-subject'].rpartition('{')[2].removesuffix('}')}`"
    personal = personal_fields(schema)
    for kind, meaning in MEANINGS.items():
        if names := [f"`{path}`" for path, marked in personal.items() if marked == kind]:
            yield f"{', '.join(names)}: {meaning}"
