"""What Prometheus has to scrape: the health ports of this run, in the form of its file-based discovery."""

import json
from collections.abc import Mapping
from pathlib import Path

from tonetouch_deploy.ports import LOOPBACK

_HEALTH = "-health"


def write_targets(data_folder: Path, ports: Mapping[str, int]) -> Path:
    """Write ``telemetry/targets.json`` in the data folder, in one step: a reader never sees half of it."""
    folder = data_folder / "telemetry"
    folder.mkdir(mode=0o700, exist_ok=True)
    path, draft = folder / "targets.json", folder / ".targets.json"
    # Each page names its service itself; a label of the target would only stand beside that.
    targets = [f"{LOOPBACK}:{port}" for name, port in ports.items() if name.endswith(_HEALTH)]
    draft.write_text(json.dumps([{"targets": targets}]) + "\n", encoding="utf-8")
    draft.replace(path)
    return path
