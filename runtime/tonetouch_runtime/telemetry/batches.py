"""A batch of events on its way into the tables: one span for all of them, and how long they took to be seen."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tonetouch_runtime.telemetry import switch
from tonetouch_runtime.telemetry.names import DELAY, KEPT, KEPT_EVENTS, Key, Operation
from tonetouch_runtime.telemetry.spans import JOINS_WITHIN_SECONDS, MOST_LINKS, Kind, age_of, joined

if TYPE_CHECKING:
    from tonetouch_runtime._recorded import Recorded


class Batch:
    """What `keeping` began."""

    __slots__ = ("_began", "_began_ns", "_stream")

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._began = time.perf_counter()
        self._began_ns = time.time_ns()

    def kept(self, facts: "Sequence[Recorded[Any]]", events: int) -> None:
        """Rows and positions have moved past so many events; `facts` are those that any table could have heard."""
        if counts := switch.counts:
            counts.time(KEPT, (self._stream,), time.perf_counter() - self._began)
            counts.add(KEPT_EVENTS, (self._stream,), events)
            age = age_of(facts[0].time) if facts else None
            # What is read again was seen long ago: its age says nothing of how far the tables are behind.
            if age is not None and age <= JOINS_WITHIN_SECONDS:
                counts.time(DELAY, (self._stream,), max(age, 0.0))
        if switch.tracer and facts:
            self._trace(facts, events)

    def _trace(self, facts: "Sequence[Recorded[Any]]", events: int) -> None:
        tracer = switch.tracer
        assert tracer is not None
        contexts: dict[str, str] = {}
        for fact in facts:
            if fact.traceparent:
                contexts[fact.traceparent] = fact.time
                if len(contexts) > MOST_LINKS:
                    break
        parent, links = joined(contexts)
        span, _ = tracer.begin(f"{Operation.KEEP} {self._stream}", Kind.CONSUMER, parent, links=links)
        span.began_ns = self._began_ns
        span.attributes = {
            Key.SYSTEM: "nats",
            Key.OPERATION: Operation.KEEP,
            Key.OPERATION_TYPE: "process",
            Key.DESTINATION: self._stream,
            Key.BATCH: events,
            Key.SEQUENCE: facts[-1].sequence,
        }
        tracer.end(span)


def keeping(stream: str) -> Batch:
    """A batch of a stream's events is about to go into the tables."""
    return Batch(stream)
