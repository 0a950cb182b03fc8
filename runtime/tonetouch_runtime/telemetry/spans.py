"""Spans: what happened between two moments, on whose behalf, and where it stands in its trace.

The SDK's own spans cost 60 µs each on this path, a third of an append. These cost a tenth of that: they become the
SDK's objects when they are over, and its batching and exporting do the rest. Nothing here imports it.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum

JOINS_WITHIN_SECONDS = 300.0
"""Whoever handles an event that is older begins a trace of its own, with a link to the event's: a rebuild or a replay
would otherwise hang below a request that was answered a year ago."""

MOST_LINKS = 16
"""Traces that one batch names. A batch of a thousand events needs no thousand links."""

_SHARES = 1 << 64

Value = str | int | float | bool


class Kind(IntEnum):
    """The role of a span, numbered as OpenTelemetry's SpanKind."""

    INTERNAL = 0
    SERVER = 1
    CLIENT = 2
    PRODUCER = 3
    CONSUMER = 4


class Span:
    """One span. It is written to until it ends, and read by the exporter after that."""

    __slots__ = (
        "attributes",
        "began_ns",
        "ended_ns",
        "error",
        "is_sampled",
        "kind",
        "links",
        "name",
        "parent",
        "span_id",
        "trace_id",
    )

    def __init__(
        self, name: str, kind: Kind, trace_id: int, parent: int | None, *, is_sampled: bool, links: Sequence[str]
    ) -> None:
        self.name = name
        self.kind = kind
        self.trace_id = trace_id
        self.span_id = _identity(64)
        self.parent = parent
        self.is_sampled = is_sampled
        self.links = links
        self.attributes: dict[str, Value] = {}
        self.error: str | None = None
        self.began_ns = time.time_ns()
        self.ended_ns = 0


Emit = Callable[[Span], None]
"""Takes a span that is over."""


class Tracer:
    """Begins spans and hands those that are over, and in the sample, to `emit`.

    `share` of the traces that begin here are sampled, by their id, so that every process decides alike. A trace that
    was begun elsewhere is continued as it was: sampled or not.
    """

    def __init__(self, emit: Emit, *, share: float = 1.0) -> None:
        self._emit = emit
        self._bound = round(share * _SHARES)

    def begin(self, name: str, kind: Kind, parent: str | None, *, links: Sequence[str] = ()) -> tuple[Span, str]:
        """A span below `parent` (a W3C traceparent; none: a new trace), and the traceparent of what is below it."""
        above: int | None = None
        if parent is not None and (context := parsed(parent)):
            trace_id, above, is_sampled = context
        else:
            trace_id = _identity(128)
            is_sampled = trace_id % _SHARES < self._bound
        span = Span(name, kind, trace_id, above, is_sampled=is_sampled, links=links)
        return span, f"00-{trace_id:032x}-{span.span_id:016x}-{'01' if is_sampled else '00'}"

    def end(self, span: Span, error: str | None = None) -> None:
        """It is over, well or with an error of this kind."""
        if span.is_sampled:
            span.error = error
            span.ended_ns = time.time_ns()
            self._emit(span)


def parsed(traceparent: str) -> tuple[int, int, bool] | None:
    """Trace id, span id and whether it is sampled; None where it is no W3C traceparent of version 00."""
    try:
        version, trace, span, flags = traceparent.split("-")
        if version != "00" or (len(trace), len(span), len(flags)) != (32, 16, 2):
            return None
        found = int(trace, 16), int(span, 16), bool(int(flags, 16) & 1)
    except ValueError:
        return None
    return found if found[0] and found[1] else None


def age_of(moment: str) -> float | None:
    """Seconds since this time (RFC 3339); None where it is none."""
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except (ValueError, TypeError):
        return None


def is_past(moment: str) -> bool:
    """Whether an event of this time (RFC 3339) is too old for what follows from it to join its trace."""
    age = age_of(moment)
    return age is None or age > JOINS_WITHIN_SECONDS


def joined(contexts: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """The parent of what is done for several messages at once, and its links: one trace is joined, several linked.

    `contexts` are the messages' traceparents with their times.
    """
    fresh = [context for context, moment in contexts.items() if not is_past(moment)]
    if len(contexts) == 1 and fresh:
        return fresh[0], []
    return None, list(contexts)[:MOST_LINKS]


def _identity(bits: int) -> int:
    # They have to be different, not secret: the kernel's numbers cost ten times as much.
    return random.getrandbits(bits) or 1
