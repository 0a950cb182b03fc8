"""Releases: the shapes of events that other teams were told they may rely on.

A release is a file that is written once: ``releases/<version>.json`` holds the schemas of the events that were new or
different then. Every shape of every release stays compatible with the event of that name for ever.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tonetouch_contracts.compatibility import breaking_changes

Shapes = dict[str, dict[str, Any]]
"""Schemas of events by wire name."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised on one day: the events that are new or different since the release before, and why."""

    version: str
    date: str
    words: str
    events: Shapes

    @property
    def number(self) -> tuple[int, ...]:
        """The version in the order of versions."""
        return tuple(int(part) for part in self.version.split("."))


def read_releases(root: Path) -> list[Release]:
    """The releases below the package's folder, oldest first."""
    found = [msgspec.json.decode(path.read_bytes(), type=Release) for path in (root / "releases").glob("*.json")]
    return sorted(found, key=lambda release: release.number)


def write_release(root: Path, release: Release) -> Path:
    """Keep a release. Raises FileExistsError for a version there is: a release is never written again."""
    path = root / "releases" / f"{release.version}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(msgspec.to_builtins(release), indent=1, ensure_ascii=False) + "\n")
    return path


def shapes_after(releases: Sequence[Release]) -> Shapes:
    """The latest released shape of each event."""
    return {wire: shape for release in releases for wire, shape in release.events.items()}


def differing(released: Shapes, shapes: Mapping[str, dict[str, Any]]) -> Shapes:
    """The shapes that are new or not as they were released last."""
    return {wire: shape for wire, shape in shapes.items() if released.get(wire) != shape}


def next_version(releases: Sequence[Release], shapes: Mapping[str, dict[str, Any]]) -> str:
    """The newest version where nothing is new since; else the one to come, marked as not released."""
    newest = releases[-1].number if releases else (0, 0, 0)
    if releases and not differing(shapes_after(releases), shapes):
        return releases[-1].version
    return f"{newest[0]}.{newest[1] + 1}.0-unreleased"


def broken_promises(releases: Sequence[Release], shapes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What `shapes` break of any release, one line each; empty where every reader of every release is safe.

    A release is compared with today directly, not step by step, so that two harmless changes cannot add up to harm.
    """
    return list(dict.fromkeys(line for release in releases for line in _broken(release, shapes)))


def _broken(release: Release, shapes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for wire, promised in release.events.items():
        if wire not in shapes:
            yield f"{wire}: is gone, and the log and other teams still have it; retire it with an upcaster"
        else:
            yield from (f"{wire}: {change}" for change in breaking_changes(promised, shapes[wire]))
            yield from (f"{wire}: {change}" for change in _moved(promised, shapes[wire]))


def _moved(promised: Mapping[str, Any], shape: Mapping[str, Any]) -> Iterator[str]:
    for keyword in ("x-stream", "x-subject"):
        if promised[keyword] != shape[keyword]:
            yield f"whoever listens on {promised[keyword]} would wait for ever: it is {shape[keyword]} now"
