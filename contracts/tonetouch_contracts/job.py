"""One call to a model, or one step of work that is accounted like one. Said by every service on AI.

A job id has one writer. An attempt that was started and never recorded is closed by the sweeper. Corrections of what
an attempt cost are added by the ledger and change nothing that was said before.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

from tonetouch_contracts.identity import JobId
from tonetouch_contracts.message import Command, Event, Page
from tonetouch_contracts.personal import IDENTITY

Outcome = Literal["succeeded", "failed", "cancelled", "unknown"]
CacheClass = Literal["miss", "exact_hit", "coalesced"]
UsageSource = Literal["reported", "partial", "estimated", "none"]
Purpose = Literal["serve", "refresh", "backfill", "replay", "evaluate"]
Priority = Literal["interactive", "refresh", "ingest"]
Unit = Literal["token", "character", "audio_ms", "image", "tile", "step", "request"]
Direction = Literal["input", "output", "reasoning"]
PromptCache = Literal["none", "read", "write", "write_5m", "write_30m", "write_1h", "write_12h"]
Modality = Literal["text", "image", "audio"]


class Quantity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """So much of one billable thing. The quantities of an attempt are disjoint: no token is in two of them.

    ``reasoning`` is output that nobody sees. ``write`` is a provider's cache write whose lifetime it does not tell.
    """

    unit: Unit
    direction: Direction
    amount: int
    cache: PromptCache = "none"
    modality: Modality = "text"


class Considered(msgspec.Struct, frozen=True, kw_only=True):
    """A target the router looked at: what it would have cost, and why it was passed over (empty: it was chosen)."""

    target: str
    cost_pico_usd: int | None
    passed_over: str = ""


class Attempt(Event, frozen=True, kw_only=True):
    """What is known of an attempt before it is made.

    `target` is the row of the routing table that was chosen; `prompt` is ``name@version``; `context_hash` is the hash
    of the unchanged prefix it was asked with; `considered` are all targets the router looked at. `retry_of` is the job
    whose failed attempt this one makes up for, at another target or a little later.
    """

    entity_field: ClassVar[str] = "job_id"

    job_id: JobId
    attempt: int
    type: str
    feature: str
    subject: str
    user: Annotated[str, IDENTITY] | None = None
    purpose: Purpose = "serve"
    priority: Priority = "interactive"
    provider: str
    gateway: str | None
    target: str | None = None
    model: str
    prompt: str | None = None
    input_hash: str
    context_hash: str | None = None
    input_ref: str | None
    considered: tuple[Considered, ...] = ()
    retry_of: JobId | None = None


class JobStarted(Attempt, frozen=True, kw_only=True, tag="job.started"):
    """An attempt is about to be made. It does not say that the provider was reached."""

    started_at: str


class JobRecorded(Attempt, frozen=True, kw_only=True, tag="job.recorded"):
    """How an attempt ended and what it used. It stands alone: every column of the ledger row is here.

    Unknown usage is null, never zero; so is an unknown cost. Money is integer pico-dollars (1e-12 USD); what an answer
    that was there already would have cost stands in `avoided_pico_usd`. The token columns are sums over `quantities`:
    `prompt_tokens` holds the cached ones, `completion_tokens` the reasoning. `raw_usage` is the provider's own usage,
    as JSON. Bodies lie in the object store.
    """

    model_answered: str | None = None
    provider_request_id: str | None = None
    gateway_log_id: str | None = None
    http_status: int | None = None
    finish_reason: str | None = None
    output_ref: str | None
    output_hash: str | None = None
    prompt_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None = None
    completion_tokens: int | None
    reasoning_tokens: int | None = None
    quantities: tuple[Quantity, ...] = ()
    raw_usage: str | None = None
    usage_source: UsageSource
    cost_pico_usd: int | None
    avoided_pico_usd: int | None = None
    price_revision: str | None = None
    latency_ms: float | None
    first_token_ms: float | None = None
    queue_ms: float | None = None
    outcome: Outcome
    cache: CacheClass
    error_type: str | None = None
    error: str | None = None
    started_at: str
    recorded_at: str


class JobThrottled(Event, frozen=True, kw_only=True, tag="job.throttled"):
    """An attempt had to wait: for our own pace, or because a provider would not take it then.

    ``paced`` is our own limit, the others are a provider's answers: too many requests a minute, no capacity right now,
    nothing left of a day's allowance. `retry_after_ms` is what the provider asked for, null where it did not say.
    """

    entity_field: ClassVar[str] = "job_id"

    job_id: JobId
    attempt: int
    type: str
    feature: str
    provider: str
    model: str
    target: str | None
    reason: Literal["paced", "rate_limited", "out_of_capacity", "daily_quota"]
    limit_per_minute: int | None
    waited_ms: float
    retry_after_ms: float | None = None
    throttled_at: str


class JobRepriced(Event, frozen=True, kw_only=True, tag="job.repriced"):
    """What an attempt cost by another revision of the prices. The latest correction counts; no row is changed."""

    entity_field: ClassVar[str] = "job_id"

    job_id: JobId
    attempt: int
    cost_pico_usd: int | None
    previous_pico_usd: int | None
    price_revision: str
    repriced_at: str


class BudgetExhausted(Event, frozen=True, kw_only=True, tag="budget.exhausted"):
    """A call was not made, or made elsewhere, for want of money. It is about one UTC day, and nothing was paid."""

    entity_field: ClassVar[str] = "budget_id"

    budget_id: str
    feature: str | None
    user: Annotated[str, IDENTITY] | None
    day: str
    limit_pico_usd: int
    spent_pico_usd: int
    needed_pico_usd: int
    job_id: JobId
    exhausted_at: str


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A row of AIJobs. Once `repriced_at` stands there, `repriced_pico_usd` is what counts, also where it is null."""

    id: JobId
    attempt: int
    type: str
    feature: str
    subject: str
    user: str | None
    purpose: Purpose
    priority: Priority
    provider: str
    gateway: str | None
    target: str | None
    model: str
    model_answered: str | None
    prompt: str | None
    input_hash: str
    context_hash: str | None
    input_ref: str | None
    output_ref: str | None
    output_hash: str | None
    considered: tuple[Considered, ...]
    retry_of: JobId | None
    provider_request_id: str | None
    gateway_log_id: str | None
    http_status: int | None
    finish_reason: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    quantities: tuple[Quantity, ...]
    cost_pico_usd: int | None
    avoided_pico_usd: int | None
    price_revision: str | None
    latency_ms: float | None
    first_token_ms: float | None
    queue_ms: float | None
    outcome: Outcome | Literal["running"]
    cache: CacheClass | None
    usage_source: UsageSource | None
    error_type: str | None
    error: str | None
    started_at: str | None
    recorded_at: str | None
    repriced_pico_usd: int | None = None
    repriced_revision: str | None = None
    repriced_at: str | None = None
    raw_usage: str | None = None


class ListJobs(Command[Page[JobView]], frozen=True, kw_only=True, tag="ai-ledger.list-jobs"):
    """Rows of AIJobs, newest first, by any of subject (``track:<id>``), type, feature, user, provider and model."""

    subject: str | None = None
    type: str | None = None
    feature: str | None = None
    user: str | None = None
    provider: str | None = None
    model: str | None = None
    outcome: str | None = None
    job_id: JobId | None = None
    limit: int = 50
    cursor: str | None = None
