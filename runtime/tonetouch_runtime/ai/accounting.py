"""The rows of the ledger: what was begun, how it ended, and what it used."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import CacheClass, JobRecorded, JobStarted, Outcome, UsageSource
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._log import Log

MOST_ERROR_CHARACTERS = 500


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt used. Unknown is None, never zero; money is integer pico-dollars."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    cost_pico_usd: int | None = None
    source: UsageSource = "none"


NOTHING = Usage(prompt_tokens=0, cached_tokens=0, completion_tokens=0, cost_pico_usd=0)
"""An answer that was there already used nothing: that is known, and zero."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: what stands in the row of its start and in the row of its end."""

    job_id: JobId
    attempt: int
    type: str
    feature: str
    subject: str
    provider: str
    model: str
    gateway: str | None
    input_hash: str
    input_ref: str | None

    @classmethod
    def of(cls, started: JobStarted) -> "Job":
        """The attempt that a start was said of."""
        return cls(**{name: getattr(started, name) for name in cls.__struct_fields__})

    def started(self, at: str) -> JobStarted:
        """The attempt is about to be made."""
        return JobStarted(**msgspec.structs.asdict(self), started_at=at)

    def recorded(
        self,
        *,
        outcome: Outcome = "succeeded",
        cache: CacheClass = "miss",
        usage: Usage | None = None,
        latency_ms: float | None = None,
        output_ref: str | None = None,
        error: str | None = None,
        started_at: str,
        recorded_at: str,
    ) -> JobRecorded:
        """How the attempt ended. Without `usage` it is unknown what was used; work on this machine is free even so."""
        usage = usage or Usage(cost_pico_usd=0 if self.provider == "local" else None)
        return JobRecorded(
            **msgspec.structs.asdict(self),
            output_ref=output_ref,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            cost_pico_usd=usage.cost_pico_usd,
            usage_source=usage.source,
            latency_ms=latency_ms,
            outcome=outcome,
            cache=cache,
            error=error,
            started_at=started_at,
            recorded_at=recorded_at,
        )


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
                latency_ms=milliseconds_since(began),
                output_ref=step.output_ref,
                error=in_words(error),
                started_at=started_at,
                recorded_at=stamp(clock.now()),
            )
        )
        raise
    await log.pour(
        job.recorded(
            latency_ms=milliseconds_since(began),
            output_ref=step.output_ref,
            started_at=started_at,
            recorded_at=stamp(clock.now()),
        )
    )


def in_words(error: BaseException, *, private: bool = False) -> str:
    """An error as the ledger keeps it; where the input was private only its kind, for it may quote the input."""
    kind = type(error).__name__
    # PostgreSQL keeps no text that holds a NUL, and an error may quote the bytes it choked on.
    return kind if private else f"{kind}: {error}".replace("\0", "\N{REPLACEMENT CHARACTER}")[:MOST_ERROR_CHARACTERS]


def milliseconds_since(began: float) -> float:
    """Milliseconds since a reading of `time.perf_counter`."""
    return round((time.perf_counter() - began) * 1000, 3)
