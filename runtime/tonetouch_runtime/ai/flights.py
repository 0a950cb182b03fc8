"""Questions on their way: who asks what, the attempt under way, and the answer it lands with."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tonetouch_contracts.identity import JobId, derived
from tonetouch_contracts.job import CacheClass
from tonetouch_runtime.ai.accounting import Job
from tonetouch_runtime.ai.caching import KeptAnswer
from tonetouch_runtime.ai.leases import Lease
from tonetouch_runtime.ai.streaming import Live
from tonetouch_runtime.ai.tasks import AnyRequest
from tonetouch_runtime.ai.upstream import Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question to be answered and accounted for. `input_body` is kept beside the answer unless it is None.

    With `live` the answer can be read while it comes. With `model` no other one may answer.
    """

    request: AnyRequest
    job: Job
    share: bool
    input_body: bytes | None
    live: Live | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """An answer, and how it was come by."""

    answer: KeptAnswer
    cache: CacheClass


@dataclass(slots=True, kw_only=True)
class Flight:
    """One question on its way. `job` is the attempt under way: the asked one first, then those that make up for it.

    `started_at` says that the model may have been reached, `accounted` that the log was given the end of the attempt.
    """

    ask: Ask
    job: Job
    landing: asyncio.Future[Landed]
    lease: Lease | None = None
    began: float = field(default_factory=time.perf_counter)
    started_at: str | None = None
    accounted: bool = False

    @property
    def input_hash(self) -> str:
        return self.job.input_hash

    def take(self, way: Way, number: int) -> None:
        """Go this way: the first as the attempt that was asked for, each later one as a job that makes up for it."""
        made_up: dict[str, Any] = {}
        if number:
            asked = self.ask.job
            job_id = derived("retry", asked.job_id, str(asked.attempt), str(number))
            made_up = {"job_id": JobId(job_id), "attempt": 1, "retry_of": asked.job_id}
        self.job = msgspec.structs.replace(self.ask.job, **way.of_the_job(), **made_up)
        self.began, self.started_at, self.accounted = time.perf_counter(), None, False


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed:
    """Questions asked together, each with the flight that answers it and whether that was made for it."""

    boarded: Sequence[tuple[Ask, Flight, bool]]
    began: float
    at: str
