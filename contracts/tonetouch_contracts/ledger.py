"""Questions to the ledger of AI calls, budgets, and replays. Answered by ai-ledger.

Money is integer pico-dollars (1e-12 USD). A cost is the effective one: the latest correction, else the attempt's own.
Days are UTC, as ``2026-01-31``; an attempt belongs to the day it was started on.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

from tonetouch_contracts.identity import JobId, derived
from tonetouch_contracts.job import JobView
from tonetouch_contracts.message import Command, Event, Page
from tonetouch_contracts.personal import IDENTITY

GroupBy = Literal[
    "day", "feature", "type", "provider", "model", "gateway", "user", "subject", "purpose", "cache", "outcome"
]
Source = Literal["roll_ups", "rows"]
Where = Literal["external", "in_runtime", "embedded"]
Every = Literal["minute", "hour", "day"]
Missing = Literal["price", "usage", "outcome"]
WhenExhausted = Literal["refuse", "fall_back"]


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts that have an end, by any of these together; `from_day` and `to_day` are both included."""

    from_day: str | None = None
    to_day: str | None = None
    feature: str | None = None
    type: str | None = None
    provider: str | None = None
    model: str | None = None
    gateway: str | None = None
    user: str | None = None
    subject: str | None = None
    purpose: str | None = None
    cache: str | None = None
    outcome: str | None = None


class UsageLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of attempts used. `group` has a value for each name of `group_by`, in that order.

    Sums are over what is known: `unpriced` attempts are not in the cost, `without_usage` ones not in the quantities.
    `prompt_tokens` holds the cached and written ones, `completion_tokens` the reasoning. `latency_ms` is a sum over
    the `timed` attempts.
    """

    group: tuple[str | None, ...]
    calls: int
    succeeded: int
    failed: int
    cancelled: int
    unknown: int
    exact_hits: int
    coalesced: int
    prompt_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    characters: int
    audio_ms: int
    images: int
    cost_pico_usd: int
    avoided_pico_usd: int
    unpriced: int
    without_usage: int
    latency_ms: float
    timed: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Groups, the dearest first (days in order), and the total of all groups, those beyond the limit too."""

    group_by: tuple[GroupBy, ...]
    lines: tuple[UsageLine, ...]
    total: UsageLine
    source: Source


class ShowUsage(Command[Usage], frozen=True, kw_only=True, tag="ai-ledger.show-usage"):
    """Usage and cost by any of feature, model, provider, user, subject (``track:<id>``), day and more.

    With a subject it is counted from the rows, else from the roll-ups that stay.
    """

    group_by: tuple[GroupBy, ...] = ("feature",)
    which: Which = Which()
    limit: int = 1000


class CachingLine(msgspec.Struct, frozen=True, kw_only=True):
    """How often an answer was there already, and how much of the prompts a provider had kept.

    `exact_ratio` is of the calls; `prompt_ratio` is cached tokens of the prompt tokens of calls that were made.
    `avoided_pico_usd` was saved by answers that were there. `prompt_saved_pico_usd` was saved by the providers' prompt
    caches: every token at the full price, less what was paid; below zero where writing cost more than reading saved,
    null where no price is known.
    """

    group: tuple[str | None, ...]
    calls: int
    exact_hits: int
    coalesced: int
    exact_ratio: float | None
    avoided_pico_usd: int
    prompt_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    prompt_ratio: float | None
    prompt_saved_pico_usd: int | None


class Caching(msgspec.Struct, frozen=True, kw_only=True):
    """Groups in the order of their names, and the total of all."""

    group_by: tuple[GroupBy, ...]
    lines: tuple[CachingLine, ...]
    total: CachingLine


class ShowCaching(Command[Caching], frozen=True, kw_only=True, tag="ai-ledger.show-caching"):
    """Cache-hit ratio and money saved, the exact cache and the providers' prompt caches apart."""

    group_by: tuple[GroupBy, ...] = ("day",)
    which: Which = Which()
    limit: int = 1000


class BreakEven(msgspec.Struct, frozen=True, kw_only=True):
    """An external model beside an in-runtime one.

    `hit_ratio` is where both cost the same: (miss - in) / (miss - hit), null where no ratio makes them equal or a mean
    is not known yet. ``always``: cheaper even without a hit; ``never``: dearer even if every call hit. `holds`:
    whether the mean request was cheaper outside, as it was.
    """

    model: str
    hit_ratio: float | None
    verdict: Literal["always", "from_hit_ratio", "never", "unknown"]
    holds: bool | None


class EconomicsLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a request to one model cost in the mean: all, those that hit the prompt cache, those that did not.

    Only calls that were made, succeeded and have a price count. `prompt_hit_ratio` is of calls, `prompt_token_ratio`
    of prompt tokens.
    """

    provider: str
    model: str
    gateway: str | None
    where: Where
    calls: int
    mean_prompt_tokens: float
    mean_completion_tokens: float
    mean_cost_pico_usd: float
    hit_cost_pico_usd: float | None
    miss_cost_pico_usd: float | None
    prompt_hit_ratio: float
    prompt_token_ratio: float | None
    against: tuple[BreakEven, ...] = ()


class Economics(msgspec.Struct, frozen=True, kw_only=True):
    """Models that were asked, external ones first; each external one beside each in-runtime one."""

    lines: tuple[EconomicsLine, ...]


class ShowEconomics(Command[Economics], frozen=True, kw_only=True, tag="ai-ledger.show-economics"):
    """Cost per request, external against in-runtime, and the prompt-cache hit ratio at which they are equal."""

    which: Which = Which(type="chat")


class LatencyLine(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of one group of timed attempts. Null where there is none."""

    group: tuple[str | None, ...]
    timed: int
    mean_ms: float | None
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    first_token_p50_ms: float | None
    first_token_p95_ms: float | None
    queue_p50_ms: float | None
    queue_p95_ms: float | None


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """From ``rows`` percentiles are exact; from ``roll_ups`` they are within `error_ratio` of the true value.

    The roll-ups know nothing of first tokens and queues.
    """

    group_by: tuple[GroupBy, ...]
    lines: tuple[LatencyLine, ...]
    source: Source
    error_ratio: float


class ShowLatency(Command[Latency], frozen=True, kw_only=True, tag="ai-ledger.show-latency"):
    """Percentiles of latency, time to first token and queue time, of calls that were made.

    Exact as long as there are few enough rows, else from the roll-ups' histograms.
    """

    group_by: tuple[GroupBy, ...] = ("model",)
    which: Which = Which(cache="miss")
    limit: int = 1000


class ThrottlingLine(msgspec.Struct, frozen=True, kw_only=True):
    """How often, and how long, calls of one kind waited in one span; `start` is its beginning, cut to the span."""

    start: str
    provider: str
    model: str
    type: str
    reason: str
    times: int
    jobs: int
    waited_ms: float
    longest_ms: float
    limit_per_minute: int | None


class Throttling(msgspec.Struct, frozen=True, kw_only=True):
    """Spans in order of time."""

    every: Every
    lines: tuple[ThrottlingLine, ...]


class ShowThrottling(Command[Throttling], frozen=True, kw_only=True, tag="ai-ledger.show-throttling"):
    """The history of waiting: for our own pace, and because a provider would not take a call then."""

    every: Every = "hour"
    from_day: str | None = None
    to_day: str | None = None
    feature: str | None = None
    provider: str | None = None
    model: str | None = None
    limit: int = 1000


class ListUnaccounted(Command[Page[JobView]], frozen=True, kw_only=True, tag="ai-ledger.list-unaccounted"):
    """Attempts of which something is not known, newest first: a price, what was used, or how they ended."""

    missing: Missing | None = None
    from_day: str | None = None
    to_day: str | None = None
    limit: int = 50
    cursor: str | None = None


class ExportJobs(Command[Page[JobView]], frozen=True, kw_only=True, tag="ai-ledger.export-jobs"):
    """Whole rows of AIJobs, oldest first, in pages: what is exported while others are added is exported once."""

    which: Which = Which()
    limit: int = 200
    cursor: str | None = None


class TracedFact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that the writer was given."""

    id: str
    name: str
    value: str


class TracedSentence(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence and the facts it stands on; none where the writer did not say."""

    text: str
    facts: tuple[TracedFact, ...] = ()


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """From a generated text back. `asked` is the job that wanted it, `made_by` the one that was paid for it.

    They differ where the answer was there already. `input` is the exact input as it was kept, JSON text, cut off where
    `input_cut` says so; null where it was not kept or its time is over, as is `text`.
    """

    asked: JobView
    made_by: JobView | None
    text: str | None
    sentences: tuple[TracedSentence, ...]
    input_ref: str | None
    input: str | None
    input_cut: bool = False


class TraceText(Command[Trace], frozen=True, kw_only=True, tag="ai-ledger.trace-text"):
    """Why a text says what it says: sentence, facts, job, exact input. `words` leaves only sentences with all."""

    job_id: JobId
    attempt: int | None = None
    words: str | None = None


class BudgetSet(Event, frozen=True, kw_only=True, tag="budget.set"):
    """What a feature, a user, or a feature for one user may cost each UTC day. A null limit takes the budget away.

    It does not look back: what was spent on that day before counts all the same.
    """

    entity_field: ClassVar[str] = "budget_id"

    budget_id: str
    feature: str | None
    user: Annotated[str, IDENTITY] | None
    limit_pico_usd: int | None
    when_exhausted: WhenExhausted
    set_at: str


class BudgetView(msgspec.Struct, frozen=True, kw_only=True):
    """A budget and how it stands on the day asked about. `refused` counts calls it did not let through that day.

    A null limit says that it was taken away.
    """

    budget_id: str
    feature: str | None
    user: str | None
    limit_pico_usd: int | None
    when_exhausted: WhenExhausted
    set_at: str
    day: str
    spent_pico_usd: int
    refused: int


class SetBudget(Command[BudgetView], frozen=True, kw_only=True, tag="ai-ledger.set-budget"):
    """Set, change or (with a null limit) take away a budget of a feature, a user, or both. One of the two is needed."""

    feature: str | None = None
    user: Annotated[str, IDENTITY] | None = None
    limit_pico_usd: int | None
    when_exhausted: WhenExhausted = "fall_back"


class ListBudgets(Command[Page[BudgetView]], frozen=True, kw_only=True, tag="ai-ledger.list-budgets"):
    """Budgets in the order of feature and user, with what was spent on a day (null: today)."""

    feature: str | None = None
    user: str | None = None
    day: str | None = None
    limit: int = 50
    cursor: str | None = None


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent on a day, and every budget that a call of this feature and user comes under.

    `unpriced` attempts cost something that nobody knows; `running` ones have no cost yet.
    """

    day: str
    spent_pico_usd: int
    calls: int
    unpriced: int
    running: int
    budgets: tuple[BudgetView, ...]


class ShowSpent(Command[Spent], frozen=True, kw_only=True, tag="ai-ledger.show-spent"):
    """What a feature, a user, or a feature for one user cost on a day (null: today); with neither, everything."""

    feature: str | None = None
    user: str | None = None
    day: str | None = None


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Something a text says that can be checked: a year, a number or a name, with the sentence it stands in."""

    kind: Literal["year", "number", "name"]
    value: str
    sentence: str


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """The same exact input asked of another model, and what the two answers claim. Nobody is shown the new answer."""

    original: JobView
    replayed: JobView
    original_text: str
    replayed_text: str
    kept: tuple[Claim, ...]
    dropped: tuple[Claim, ...]
    added: tuple[Claim, ...]


class ReplayJob(Command[Replay], frozen=True, kw_only=True, tag="ai-ledger.replay-job"):
    """Ask a target of the routing table what a job asked, under the purpose ``replay`` and the replays' own budget."""

    job_id: JobId
    attempt: int | None = None
    target: str


REPLAYING = "ledger.replay"
"""The feature of replays; their budget is the budget of this feature."""


def budget_id(feature: str | None, user: str | None) -> str:
    """The id of the budget of a feature, of a user, or of both together."""
    return derived("budget", feature or "", user or "")
