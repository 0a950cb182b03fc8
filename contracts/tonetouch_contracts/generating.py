"""Writes what follows from the types: a JSON Schema for each event and command, and the tables of the README.

    python -m tonetouch_contracts.generating             write them
    python -m tonetouch_contracts.generating --check     write nothing; fail where a file is out of step
    python -m tonetouch_contracts.generating --breaking  write them although a released shape breaks

A schema that breaks the one it would replace is refused: the change wants a new wire name with an upcaster. The same
types give the same bytes, so running this twice changes nothing.
"""

import argparse
import importlib
import inspect
import json
import pkgutil
import re
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

import tonetouch_contracts
from tonetouch_contracts.compatibility import breaking_changes
from tonetouch_contracts.identity import UserId
from tonetouch_contracts.manifest import EVENTS, stream_of
from tonetouch_contracts.message import Command, Event, Problem
from tonetouch_contracts.subjects import command_subject

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BEGIN = "<!-- generated: {} -->"
END = "<!-- end of generated -->"

Schema = dict[str, Any]


def every_command() -> list[type[Command[Any]]]:
    """All commands this package declares, by wire name."""
    names = (module.name for module in pkgutil.iter_modules(tonetouch_contracts.__path__))
    modules = [importlib.import_module(f"tonetouch_contracts.{name}") for name in names if name != "generating"]
    declared = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Command) and value is not Command
    }
    return sorted(declared, key=lambda command: command.wire_name())


def event_schema(event: type[Event]) -> Schema:
    """The JSON Schema of an event's body, with the subject and the stream it is said on as ``x-`` annotations."""
    wire = event.wire_name()
    (body,), definitions = _components(event)
    return {
        "$schema": DIALECT,
        "$id": f"urn:tonetouch:event:{wire}",
        **_titled(_inlined(body, definitions), wire, event),
        "x-subject": f"{wire}.{{{event.entity_field}}}",
        "x-stream": stream_of(event).name,
        **_with_definitions(definitions),
    }


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


def generated(readme: str) -> dict[str, str]:
    """Every generated file by its path below the package's folder; `readme` is the README as it stands."""
    schemas = {
        **{f"schemas/events/{event.wire_name()}.json": event_schema(event) for event in EVENTS},
        **{f"schemas/commands/{command.wire_name()}.json": command_schema(command) for command in every_command()},
        "schemas/problem.json": problem_schema(),
    }
    files = {path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for path, schema in schemas.items()}
    readme = _between(readme, "events", _event_table())
    return {**files, "README.md": _between(readme, "commands", _command_table())}


def out_of_step(root: Path) -> list[str]:
    """Paths below `root` that are missing, differ from what the types say, or belong to a type that is gone."""
    wanted = generated((root / "README.md").read_text("utf-8"))
    stale = [path for path, text in wanted.items() if not _same(root / path, text)]
    return sorted([*stale, *_left_over(root, wanted)])


def would_break(root: Path) -> list[str]:
    """What writing would break, compared with the schemas that lie below `root`, one line each."""
    return [
        f"{Path(path).stem}: {change}"
        for path, text in generated((root / "README.md").read_text("utf-8")).items()
        if path.endswith(".json") and (root / path).exists()
        for change in breaking_changes(json.loads((root / path).read_text("utf-8")), json.loads(text))
    ]


def write(root: Path) -> list[str]:
    """Bring the generated files below `root` in step and return the paths that changed."""
    wanted = generated((root / "README.md").read_text("utf-8"))
    changed = out_of_step(root)
    for path in changed:
        if path in wanted:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(wanted[path], "utf-8", newline="\n")
        else:
            (root / path).unlink()
    return changed


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


def _event_table() -> Iterator[str]:
    yield "| event | meaning | said by | stream | notes |"
    yield "|---|---|---|---|---|"
    for event in EVENTS:
        stream = stream_of(event)
        notes = "; ".join((f"about `{event.entity_field}`", *_personal(event)))
        yield _row(f"`{event.wire_name()}`", first_sentence(event), stream.owner, stream.name, notes)


def _command_table() -> Iterator[str]:
    yield "| command | what it asks | answered with |"
    yield "|---|---|---|"
    for command in every_command():
        reply = command.reply_type()
        arguments = ", ".join(argument.__name__ for argument in typing.get_args(reply))
        answer = f"{reply.__name__}[{arguments}]" if arguments else reply.__name__
        yield _row(f"`{command.wire_name()}`", first_sentence(command), f"`{answer}`")


def _personal(event: type[Event]) -> Iterator[str]:
    fields = {name: kind for name, kind in typing.get_type_hints(event).items() if name in event.__struct_fields__}
    for name, kind in fields.items():
        if kind is UserId:
            yield f"`{name}` is a person's opaque id"
    if "file_name" in fields:
        yield "`file_name` is a person's own words"
    if "name" in fields and UserId in fields.values():
        yield "`name` is a person's own words"


def first_sentence(documented: type) -> str:
    """What the docstring says first, up to its first full stop, on one line."""
    text = " ".join((inspect.getdoc(documented) or "").split())
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0].replace("``", "`")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _between(text: str, name: str, lines: Iterator[str]) -> str:
    begin = BEGIN.format(name)
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise ValueError(f"README.md lacks the markers {begin} and {END}")
    return "\n".join((before + begin, *lines, END)) + after


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_bytes() == text.encode("utf-8")


def _left_over(root: Path, wanted: dict[str, str]) -> list[str]:
    found = (path.relative_to(root).as_posix() for path in (root / "schemas").rglob("*.json"))
    return [path for path in found if path not in wanted]


def main(arguments: list[str] | None = None, report: Callable[[str], None] = print) -> int:
    """The command. Returns the exit status: 1 where something is out of step or would break."""
    parser = argparse.ArgumentParser(prog="tonetouch_contracts.generating", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[1], help="the package's folder")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is out of step")
    parser.add_argument("--breaking", action="store_true", help="write although a shape breaks; only before a release")
    chosen = parser.parse_args(arguments)
    if chosen.check:
        stale = out_of_step(chosen.root)
        for path in stale:
            report(f"{path} is out of step; run python -m tonetouch_contracts.generating")
        return 1 if stale else 0
    if not chosen.breaking and (broken := would_break(chosen.root)):
        for line in broken:
            report(line)
        report("Nothing was written. Such a change wants a new wire name and an upcaster (see README.md).")
        return 1
    for path in write(chosen.root):
        report(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
