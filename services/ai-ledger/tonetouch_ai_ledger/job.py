"""The job: which attempts were started, and which of them have an end. Pure; every fact comes from AI."""

from collections.abc import Sequence
from typing import Self

import msgspec

from tonetouch_contracts.job import JobRecorded, JobStarted
from tonetouch_contracts.message import Event


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job; its attempts are counted by whoever makes them."""

    started: dict[int, JobStarted] = msgspec.field(default_factory=dict)
    recorded: frozenset[int] = frozenset()

    def evolve(self, event: Event) -> Self:
        """The job after this event."""
        match event:
            case JobStarted():
                # The first start of an attempt is the one that counts, as in the ledger.
                return msgspec.structs.replace(self, started={event.attempt: event, **self.started})
            case JobRecorded():
                return msgspec.structs.replace(self, recorded=self.recorded | {event.attempt})
        return self


def close(job: Job, ended: JobRecorded) -> Sequence[Event]:
    """Say the end of an attempt, unless it was said before or there never was such an attempt."""
    is_open = ended.attempt in job.started and ended.attempt not in job.recorded
    return (ended,) if is_open else ()
