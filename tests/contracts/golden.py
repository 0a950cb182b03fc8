"""The golden samples: message bodies as they stand on the wire, by the name of what they are."""

from pathlib import Path

import tonetouch_contracts

CONTRACTS = Path(tonetouch_contracts.__file__).parents[1]
EVENT_SAMPLES = sorted((CONTRACTS / "samples/events").glob("*.json"))
COMMAND_SAMPLES = sorted((CONTRACTS / "samples/commands").glob("*.json"))


def wire_name(sample: Path) -> str:
    """``track.published`` of ``track.published.json`` and of ``track.published.2.json``."""
    return ".".join(sample.name.split(".")[:2])


def is_reply(sample: Path) -> bool:
    """Whether the sample is an answer: ``catalog.show-track.reply.json``."""
    return sample.name.split(".")[2] == "reply"
