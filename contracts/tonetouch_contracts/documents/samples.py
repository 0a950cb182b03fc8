"""The golden samples of events: bodies as they once stood on the wire."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Samples = Mapping[str, Mapping[str, dict[str, Any]]]
"""Bodies by wire name, and among those of one event by the name of their file."""


def read_samples(root: Path) -> Samples:
    """The samples of events below the package's folder, the oldest of each first."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for path in sorted((root / "samples/events").glob("*.json"), key=lambda path: (path.name.count("."), path.name)):
        wire = ".".join(path.name.split(".")[:2])
        found.setdefault(wire, {})[path.name] = json.loads(path.read_text("utf-8"))
    return found
