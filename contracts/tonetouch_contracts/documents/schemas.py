"""The JSON Schema (2020-12) of each event, command and reply."""

import importlib
import inspect
import json
import pkgutil
import re
from typing import Any, cast

import msgspec

import tonetouch_contracts
from tonetouch_contracts.manifest import Stream
from tonetouch_contracts.message import Command, Event, Problem
from tonetouch_contracts.subjects import command_subject

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_NOT_SAID = frozenset({"generating", "releasing"})


def every_command() -> list[type[Command[Any]]]:
    """All commands this package declares, by wire name."""
    names = (module.name for module in pkgutil.iter_modules(tonetouch_contracts.__path__))
    modules = [importlib.import_module(f"tonetouch_contracts.{name}") for name in names if name not in _NOT_SAID]
    declared = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Command) and value is not Command
    }
    return sorted(declared, key=lambda command: command.wire_name())


def event_schema(event: type[Event], stream: Stream) -> Schema:
    """The JSON Schema of an event's body, with the subject and the stream it is said on as ``x-`` annotations.

    The schema of a retired shape says that it is ``deprecated``, and names its successor.
    """
    wire = event.wire_name()
    (body,), definitions = _components(event)
    schema = {
        "$schema": DIALECT,
        "$id": f"urn:tonetouch:event:{wire}",
        **_titled(_inlined(body, definitions), wire, event),
        "x-subject": f"{wire}.{{{event.entity_field}}}",
        "x-stream": stream.name,
        **_retirement(event, stream),
        **_with_definitions(definitions),
    }
    # What it is compared with was read from a file: defaults are lists there, and tuples here.
    return cast(Schema, json.loads(json.dumps(schema)))


def event_schemas(stream: Stream) -> dict[str, Schema]:
    """The schemas of all that a stream holds, by wire name: what is said on it, then what no longer is."""
    shapes = (*stream.says, *(gone.shape for gone in stream.retired))
    return {shape.wire_name(): event_schema(shape, stream) for shape in shapes}


def command_schema(command: type[Command[Any]]) -> Schema:
    """The JSON Schema of a command's body; ``x-reply`` is the schema of its good answer."""
    wire = command.wire_name()
    (body, reply), definitions = _components(command, command.reply_type())
    return {
        "$schema": DIALECT,
        "$id": f"urn:tonetouch:command:{wire}",
        **_titled(_inlined(body, definitions), wire, command),
        "x-subject": command_subject(command, "{service}" if wire.startswith("every.") else None),
        "x-reply": reply,
        **_with_definitions(definitions),
    }


def problem_schema() -> Schema:
    """The JSON Schema of the answer that every command may get instead of its own."""
    (body,), definitions = _components(Problem)
    head = {"$schema": DIALECT, "$id": "urn:tonetouch:problem"}
    return {**head, **_titled(_inlined(body, definitions), "problem", Problem), **_with_definitions(definitions)}


def first_sentence(text: str) -> str:
    """What a docstring says first, up to its first full stop, on one line."""
    flat = " ".join(text.split())
    return re.split(r"(?<=[.!?])\s", flat, maxsplit=1)[0].replace("``", "`")


def _retirement(event: type[Event], stream: Stream) -> Schema:
    successors = [gone.successor.wire_name() for gone in stream.retired if gone.shape is event]
    return {"deprecated": True, "x-replaced-by": successors[0]} if successors else {}


def _components(*types: Any) -> tuple[tuple[Schema, ...], dict[str, Schema]]:
    shapes, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return shapes, definitions


def _inlined(body: Schema, definitions: dict[str, Schema]) -> Schema:
    return definitions.pop(body["$ref"].rpartition("/")[2])


def _titled(schema: Schema, wire: str, documented: type) -> Schema:
    return {**schema, "title": wire, "description": inspect.getdoc(documented) or ""}


def _with_definitions(definitions: dict[str, Schema]) -> Schema:
    return {"$defs": {name: definitions[name] for name in sorted(definitions)}} if definitions else {}
