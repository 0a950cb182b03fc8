"""The changelog of the events, made from the releases: what is new, what has grown, what is said no more."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tonetouch_contracts.documents.fields import fields_of
from tonetouch_contracts.documents.releases import Release, Shapes, differing, shapes_after
from tonetouch_contracts.documents.schemas import first_sentence

_HEAD = """# Changes of the events

Made by `python -m tonetouch_contracts.generating` from `releases/`. What a release has once promised is kept: within a
name, events only grow. A version counts up in its middle number for every release of new or grown shapes.
"""


def changelog(releases: Sequence[Release], shapes: Shapes) -> str:
    """The whole file, newest first; what is not released yet comes before all releases."""
    parts = []
    known: Shapes = {}
    for release in releases:
        parts.append(_chapter(f"{release.version} ({release.date})", release.words, known, release.events))
        known = {**known, **release.events}
    if coming := differing(known, shapes):
        parts.append(_chapter("Not released yet", "Until it is released this may still change.", known, coming))
    return "\n".join([_HEAD, *reversed(parts)])


def versions_of(wire: str, releases: Sequence[Release]) -> list[str]:
    """The releases in which an event was new or grew; the first is the one it came with."""
    versions, known = list[str](), shapes_after(())
    for release in releases:
        shape = release.events.get(wire)
        if shape and (wire not in known or list(_grown(known[wire], shape))):
            versions.append(release.version)
        known = {**known, **release.events}
    return versions


def _chapter(title: str, words: str, before: Shapes, after: Shapes) -> str:
    retired = [wire for wire, shape in after.items() if "x-replaced-by" in shape and not _is_retired(before.get(wire))]
    added = [wire for wire in after if wire not in before]
    grown = {wire: list(_grown(before[wire], after[wire])) for wire in after if wire in before}
    lines = [f"## {title}", "", words, ""]
    lines += (f"- New: `{wire}` on {after[wire]['x-stream']}. {_meaning(after[wire])}" for wire in sorted(added))
    lines += (f"- Grown: `{wire}` by {', '.join(fields)}." for wire, fields in sorted(grown.items()) if fields)
    lines += (f"- Said no more: `{wire}`; `{after[wire]['x-replaced-by']}` took its place." for wire in retired)
    if reworded := [f"`{wire}`" for wire, fields in grown.items() if not fields and wire not in retired]:
        lines.append(f"- Other words or marks, the same on the wire: {', '.join(sorted(reworded))}.")
    return "\n".join([*lines, ""])


def _grown(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    old = {field.path for field in fields_of(before)}
    for field in fields_of(after):
        if field.path not in old:
            yield f"`{field.path}` ({field.kind})"


def _meaning(shape: Mapping[str, Any]) -> str:
    return first_sentence(shape["description"])


def _is_retired(shape: Mapping[str, Any] | None) -> bool:
    return shape is not None and "x-replaced-by" in shape
