"""One task of a work queue, as its handler gets it."""

from contextlib import AbstractContextManager

import msgspec

from tonetouch_runtime._telemetry import Cause, caused_by, current_cause


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One queued step of one entity. `deliveries` counts how often it was handed out, this time included.

    `causation` is the message because of which it was queued, `traceparent` the trace it was queued in, at `queued_at`
    (RFC 3339 in UTC).
    """

    step: str
    entity_id: str
    deliveries: int
    correlation: str | None = None
    causation: str | None = None
    traceparent: str | None = None
    queued_at: str = ""

    def in_its_story(self) -> AbstractContextManager[None]:
        """What is said inside belongs to this task, also where it is worked on together with tasks of other stories."""
        trace = current_cause().traceparent
        return caused_by(Cause(causation=self.causation, correlation=self.correlation, traceparent=trace))
