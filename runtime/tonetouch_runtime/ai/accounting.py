"""The rows of the ledger: what was begun, how it ended, and what it used."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import Attempt, CacheClass, JobRecorded, JobStarted, Outcome
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._log import Log
from tonetouch_runtime.ai.usage import Usage

MOST_ERROR_CHARACTERS = 500

UNUSED = Usage(source="reported")
"""Nothing was used, and that is known: an answer that was there already, an attempt that never left."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an attempt once it has ended, beside whether it went well. Unknown is None, never zero."""

    usage: Usage = Usage()
    cost_pico_usd: int | None = None
    avoided_pico_usd: int | None = None
    price_revision: str | None = None
    model_answered: str | None = None
    provider_request_id: str | None = None
    gateway_log_id: str | None = None
    http_status: int | None = None
    finish_reason: str | None = None
    latency_ms: float | None = None
    first_token_ms: float | None = None
    queue_ms: float | None = None


NOTHING = Ending(usage=UNUSED, cost_pico_usd=0)
"""The end of what cost nothing and is known to have cost nothing."""


class Job(Attempt, frozen=True, kw_only=True):
    """One attempt: what stands in the row of its start and in the row of its end."""

    @classmethod
    def of(cls, started: JobStarted) -> "Job":
        """The attempt that a start was said of."""
        return cls(**{name: getattr(started, name) for name in _SHARED})

    def started(self, at: str) -> JobStarted:
        """The attempt is about to be made."""
        return JobStarted(**msgspec.structs.asdict(self), started_at=at)

    def recorded(
        self,
        *,
        outcome: Outcome = "succeeded",
        cache: CacheClass = "miss",
        ending: Ending | None = None,
        output_ref: str | None = None,
        output_hash: str | None = None,
        error_type: str | None = None,
        error: str | None = None,
        started_at: str,
        recorded_at: str,
    ) -> JobRecorded:
        """How the attempt ended. Without an `ending` what was used is unknown; work on this machine is free even so."""
        known = msgspec.structs.asdict(ending or Ending(cost_pico_usd=0 if self.provider == "local" else None))
        usage: Usage = known.pop("usage")
        return JobRecorded(
            **msgspec.structs.asdict(self),
            **known,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            completion_tokens=usage.completion_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            quantities=usage.quantities,
            raw_usage=usage.raw,
            usage_source=usage.source,
            output_ref=output_ref,
            output_hash=output_hash,
            outcome=outcome,
            cache=cache,
            error_type=error_type,
            error=error,
            started_at=started_at,
            recorded_at=recorded_at,
        )


_SHARED = Attempt.__struct_fields__


class Step:
    """A step of work under way. What it made may be named in `output_ref`."""

    def __init__(self, job_id: JobId, attempt: int) -> None:
        self.job_id = job_id
        self.attempt = attempt
        self.output_ref: str | None = None


@asynccontextmanager
async def accounted(log: Log, clock: Clock, job: Job) -> AsyncIterator[Step]:
    """Account a step that calls no model: a start before the block, an end after it.

    An exception is recorded and passes through. A block that is cancelled has no end: the sweeper closes it.
    """
    started_at = stamp(clock.now())
    await log.pour(job.started(started_at))
    step, began = Step(job.job_id, job.attempt), time.perf_counter()
    try:
        yield step
    except Exception as error:
        await log.pour(
            job.recorded(
                outcome="failed",
                ending=_of_a_step(began),
                output_ref=step.output_ref,
                error_type=type(error).__name__,
                error=in_words(error),
                started_at=started_at,
                recorded_at=stamp(clock.now()),
            )
        )
        raise
    await log.pour(
        job.recorded(
            ending=_of_a_step(began),
            output_ref=step.output_ref,
            started_at=started_at,
            recorded_at=stamp(clock.now()),
        )
    )


def _of_a_step(began: float) -> Ending:
    return Ending(cost_pico_usd=0, latency_ms=milliseconds_since(began))


def in_words(error: BaseException, *, private: bool = False) -> str:
    """An error as the ledger keeps it; where the input was private only its kind, for it may quote the input."""
    kind = type(error).__name__
    # PostgreSQL keeps no text that holds a NUL, and an error may quote the bytes it choked on.
    return kind if private else f"{kind}: {error}".replace("\0", "\N{REPLACEMENT CHARACTER}")[:MOST_ERROR_CHARACTERS]


def milliseconds_since(began: float) -> float:
    """Milliseconds since a reading of `time.perf_counter`."""
    return round((time.perf_counter() - began) * 1000, 3)
