"""One call to a model, or one step of work that is accounted like one. Said by every service on AI.

A job id has one writer. An attempt that was started and never recorded is closed by the sweeper.
"""

from typing import ClassVar, Literal

import msgspec

from tonetouch_contracts.identity import JobId
from tonetouch_contracts.message import Command, Event, Page

Outcome = Literal["succeeded", "failed", "unknown"]
CacheClass = Literal["miss", "exact_hit", "coalesced"]
UsageSource = Literal["reported", "partial", "estimated", "none"]


class JobStarted(Event, frozen=True, kw_only=True, tag="job.started"):
    """An attempt is about to be made. It does not say that the provider was reached."""

    entity_field: ClassVar[str] = "job_id"

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
    started_at: str


class JobRecorded(Event, frozen=True, kw_only=True, tag="job.recorded"):
    """How an attempt ended and what it used. It stands alone: every column of the ledger row is here.

    Unknown usage is null, never zero. Money is integer pico-dollars (1e-12 USD). Bodies lie in the object store.
    """

    entity_field: ClassVar[str] = "job_id"

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
    output_ref: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost_pico_usd: int | None
    latency_ms: float | None
    outcome: Outcome
    cache: CacheClass
    usage_source: UsageSource
    error: str | None = None
    started_at: str
    recorded_at: str


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A row of AIJobs."""

    id: JobId
    attempt: int
    type: str
    feature: str
    subject: str
    provider: str
    model: str
    gateway: str | None
    input_hash: str
    input_ref: str | None
    output_ref: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost_pico_usd: int | None
    latency_ms: float | None
    outcome: Outcome | Literal["running"]
    cache: CacheClass | None
    usage_source: UsageSource | None
    error: str | None
    started_at: str | None
    recorded_at: str | None


class ListJobs(Command[Page[JobView]], frozen=True, kw_only=True, tag="ai-ledger.list-jobs"):
    """Rows of AIJobs, newest first, by any of subject (``track:<id>``), type and feature."""

    subject: str | None = None
    type: str | None = None
    feature: str | None = None
    job_id: JobId | None = None
    limit: int = 50
    cursor: str | None = None
