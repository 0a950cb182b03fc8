"""A story: all events of one correlation, each below what caused it, and how long each hop took.

A story begins with a request or with an event that nothing caused; whatever follows from it carries its correlation,
and each event says the id of the one that caused it. Pure: who reads the log decides how far.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import msgspec

from tonetouch_contracts.envelope import Envelope

_ID_VERSION = 14


class Happened(Protocol):
    """An event as it stands in the log; without an envelope where its headers cannot be read."""

    @property
    def stream(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def entity(self) -> str: ...
    @property
    def time(self) -> str: ...
    @property
    def envelope(self) -> Envelope | None: ...


H = TypeVar("H", bound=Happened)


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the story. `depth` counts the causes above it; its own is the nearest hop before it with one less.

    Milliseconds are since its cause, and since the story began.
    """

    depth: int
    stream: str
    sequence: int
    type: str
    entity: str
    service: str
    time: str
    id: str
    causation: str | None
    after_ms: float
    since_beginning_ms: float


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A story: each hop below what caused it. Of all that stand at depth 0 but one, the cause was not read."""

    correlation: str
    began: str
    took_ms: float
    hops: tuple[Hop, ...]
    read: int
    notes: tuple[str, ...]


def told(correlation: str, found: Sequence[Happened], *, read: int, notes: Sequence[str] = ()) -> Flow:
    """The story of these events, one at the least. `read` is how many were looked at for it, `notes` what was not."""
    ordered = sorted(found, key=lambda event: (event.time, event.stream, event.sequence))
    began, ended = ordered[0].time, ordered[-1].time
    return Flow(
        correlation=correlation,
        began=began,
        took_ms=_milliseconds(began, ended),
        hops=tuple(_below_their_causes(ordered)),
        read=read,
        notes=tuple(notes),
    )


def time_of(identity: str) -> datetime | None:
    """When a UUIDv7 was made (RFC 9562, section 5.7); none for any other id."""
    digits = identity.replace("-", "")
    if len(identity) != 36 or len(digits) != 32 or identity[_ID_VERSION] != "7":
        return None
    try:
        return datetime.fromtimestamp(int(digits[:12], 16) / 1000, UTC)
    except ValueError:
        return None


def _below_their_causes(ordered: Sequence[H]) -> Iterator[Hop]:
    """Every event once, after what caused it; first those whose cause is not among them, and then what is in a ring."""
    ids = {event.envelope.id for event in ordered if event.envelope}
    caused: dict[str | None, list[H]] = {}
    for event in ordered:
        cause = event.envelope.causation if event.envelope else None
        caused.setdefault(cause if cause in ids else None, []).append(event)
    seen: set[tuple[str, int]] = set()
    for root in [*caused.get(None, ()), *ordered]:
        waiting = [(root, 0, ordered[0].time)]
        while waiting:
            event, depth, since = waiting.pop()
            if (event.stream, event.sequence) in seen:
                continue
            seen.add((event.stream, event.sequence))
            yield _hop(event, depth, since=since, beginning=ordered[0].time)
            led_to = caused.get(event.envelope.id, ()) if event.envelope else ()
            waiting += [(child, depth + 1, event.time) for child in reversed(led_to)]


def _hop(event: Happened, depth: int, *, since: str, beginning: str) -> Hop:
    envelope = event.envelope
    return Hop(
        depth=depth,
        stream=event.stream,
        sequence=event.sequence,
        type=event.type,
        entity=event.entity,
        service=envelope.source.split("/")[1] if envelope and "/" in envelope.source else "",
        time=event.time,
        id=envelope.id if envelope else "",
        causation=envelope.causation if envelope else None,
        after_ms=_milliseconds(since, event.time),
        since_beginning_ms=_milliseconds(beginning, event.time),
    )


def _milliseconds(begin: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() * 1000
