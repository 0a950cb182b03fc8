"""Writes what follows from the types: schemas, AsyncAPI documents, catalogue pages, changelog, the README's tables.

    python -m tonetouch_contracts.generating             write them
    python -m tonetouch_contracts.generating --check     write nothing; fail where a file is out of step
    python -m tonetouch_contracts.generating --breaking  write them although a shape breaks that was never released

A schema that breaks a released one is refused: the change wants a new wire name with an upcaster. The same types give
the same bytes, so running this twice changes nothing.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tonetouch_contracts.compatibility import breaking_changes
from tonetouch_contracts.documents.asyncapi import asyncapi_document, document_name, owned
from tonetouch_contracts.documents.catalogue import pages
from tonetouch_contracts.documents.changelog import changelog
from tonetouch_contracts.documents.releases import Release, Shapes, broken_promises, next_version, read_releases
from tonetouch_contracts.documents.samples import read_samples
from tonetouch_contracts.documents.schemas import (
    Schema,
    command_schema,
    event_schemas,
    every_command,
    problem_schema,
)
from tonetouch_contracts.documents.tables import command_table, event_table, stream_table
from tonetouch_contracts.manifest import CONSUMERS, STREAMS, Stream

ROOT = Path(__file__).parents[1]
"""The folder of the package's project, with `schemas/`, `samples/`, `releases/` and the rest."""

BEGIN = "<!-- generated: {} -->"
END = "<!-- end of generated -->"

_FOLDERS = {"schemas": "*.json", "asyncapi": "*.json", "catalogue": "*.md"}


def released_and_now(root: Path, streams: Sequence[Stream] = STREAMS) -> tuple[list[Release], Shapes]:
    """The releases below `root`, oldest first, and the shapes of events as the types have them."""
    return read_releases(root), {wire: shape for stream in streams for wire, shape in event_schemas(stream).items()}


def generated(root: Path, streams: Sequence[Stream] = STREAMS) -> dict[str, str]:
    """Every generated file by its path below `root`, made from its samples, releases and README as they stand."""
    releases, shapes = released_and_now(root, streams)
    samples, version = read_samples(root), next_version(releases, shapes)
    documents = {
        **{f"schemas/events/{wire}.json": shape for wire, shape in shapes.items()},
        **{f"schemas/commands/{command.wire_name()}.json": command_schema(command) for command in every_command()},
        "schemas/problem.json": problem_schema(),
        **{
            f"asyncapi/{document_name(owner)}": asyncapi_document(owner, theirs, samples, version)
            for owner, theirs in owned(streams).items()
        },
    }
    return {
        **{path: _json(document) for path, document in documents.items()},
        **{f"catalogue/{wire}.md": page for wire, page in pages(streams, CONSUMERS, samples, releases).items()},
        "CHANGELOG.md": changelog(releases, shapes),
        "README.md": _readme((root / "README.md").read_text("utf-8"), streams),
    }


def out_of_step(root: Path) -> list[str]:
    """Paths below `root` that are missing, differ from what the types say, or belong to a type that is gone."""
    wanted = generated(root)
    stale = [path for path, text in wanted.items() if not _same(root / path, text)]
    return sorted([*stale, *_left_over(root, wanted)])


def would_break(root: Path) -> list[str]:
    """What writing would break, compared with the schemas that lie below `root`, one line each."""
    return [
        f"{Path(path).stem}: {change}"
        for path, text in generated(root).items()
        if path.startswith("schemas/") and (root / path).exists()
        for change in breaking_changes(json.loads((root / path).read_text("utf-8")), json.loads(text))
    ]


def write(root: Path) -> list[str]:
    """Bring the generated files below `root` in step and return the paths that changed."""
    wanted = generated(root)
    changed = out_of_step(root)
    for path in changed:
        if path in wanted:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(wanted[path], "utf-8", newline="\n")
        else:
            (root / path).unlink()
    return changed


def _json(document: Schema) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _readme(text: str, streams: Sequence[Stream]) -> str:
    text = _between(text, "streams", stream_table(streams))
    text = _between(text, "events", event_table(streams))
    return _between(text, "commands", command_table(every_command()))


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
    found = (path for folder, pattern in _FOLDERS.items() for path in (root / folder).rglob(pattern))
    return [path for path in (path.relative_to(root).as_posix() for path in found) if path not in wanted]


def main(arguments: list[str] | None = None, report: Callable[[str], None] = print) -> int:
    """The command. Returns the exit status: 1 where something is out of step or would break."""
    parser = argparse.ArgumentParser(prog="tonetouch_contracts.generating", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="the package's folder")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is out of step")
    parser.add_argument("--breaking", action="store_true", help="write although a shape breaks that was never released")
    chosen = parser.parse_args(arguments)
    broken = broken_promises(*released_and_now(chosen.root))
    if not (broken or chosen.breaking or chosen.check):
        broken = would_break(chosen.root)
    for line in broken:
        report(line)
    if broken:
        report("Nothing was written. Such a change wants a new wire name and an upcaster (see README.md).")
        return 1
    if chosen.check:
        stale = out_of_step(chosen.root)
        for path in stale:
            report(f"{path} is out of step; run python -m tonetouch_contracts.generating")
        return 1 if stale else 0
    for path in write(chosen.root):
        report(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
