"""What AI cost, what the caches saved, and whether going outside was worth it.

Asks `ShowUsage`, `ShowCaching` and `ShowEconomics`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from tonetouch_contracts.ledger import GroupBy, ShowCaching, ShowEconomics, ShowUsage, Which
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.money import exact, spelt
from tonetouch_gateway.reporting import Filter, FromDay, ToDay

router = APIRouter(tags=["accounting"])

Groups = dict[str, str | None]
By = Annotated[
    tuple[GroupBy, ...], Query(max_length=4, description="What to group by; said again for a second name, and so on.")
]
Most = Annotated[int, Query(ge=1, le=1000, description="The most groups; the total is over all of them.")]


def which(
    from_day: FromDay = None,
    to_day: ToDay = None,
    feature: Filter = None,
    type: Filter = None,  # noqa: A002 - the name of the column
    provider: Filter = None,
    model: Filter = None,
    gateway: Filter = None,
    user: Filter = None,
    subject: Filter = None,
    purpose: Filter = None,
    cache: Filter = None,
    outcome: Filter = None,
) -> Which:
    """The attempts that a question is about; both days are included."""
    return Which(
        from_day=from_day,
        to_day=to_day,
        feature=feature,
        type=type,
        provider=provider,
        model=model,
        gateway=gateway,
        user=user,
        subject=subject,
        purpose=purpose,
        cache=cache,
        outcome=outcome,
    )


Asked = Annotated[Which, Depends(which)]


class UsageLine(BaseModel):
    """What one group used. Sums are over what is known; `unpriced` calls are not in the cost."""

    group: Groups = Field(description="A value for each name of `by`.")
    calls: int
    succeeded: int
    failed: int
    cancelled: int
    unknown: int
    exact_hits: int
    coalesced: int
    prompt_tokens: int = Field(description="With the cached and the written ones.")
    cached_tokens: int
    cache_write_tokens: int
    completion_tokens: int = Field(description="With those of reasoning.")
    reasoning_tokens: int
    characters: int
    audio_ms: int
    images: int
    cost_usd: float
    avoided_usd: float = Field(description="What answers that were there already would have cost.")
    unpriced: int
    without_usage: int
    latency_ms: float = Field(description="The sum over the `timed` calls.")
    timed: int


class Usage(BaseModel):
    """Groups, the dearest first (days in order), and the total of all."""

    group_by: list[str]
    lines: list[UsageLine]
    total: UsageLine
    source: Literal["roll_ups", "rows"] = Field(description="What was counted.")


class CachingLine(BaseModel):
    """How often an answer was there already, and how much of the prompts a provider had kept."""

    group: Groups
    calls: int
    exact_hits: int
    coalesced: int
    exact_ratio: float | None = Field(description="Of the calls.")
    avoided_usd: float = Field(description="Saved by answers that were there already.")
    prompt_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    prompt_ratio: float | None = Field(description="Cached tokens of the prompt tokens of calls that were made.")
    prompt_saved_usd: float | None = Field(
        description="Saved by the providers' prompt caches; below zero where writing cost more than reading saved."
    )


class Caching(BaseModel):
    """The exact cache and the providers' prompt caches, apart."""

    group_by: list[str]
    lines: list[CachingLine]
    total: CachingLine


class BreakEven(BaseModel):
    """An external model beside an in-runtime one."""

    model: str
    hit_ratio: float | None = Field(description="The prompt-cache hit ratio at which both cost the same.")
    verdict: Literal["always", "from_hit_ratio", "never", "unknown"] = Field(description="When outside is cheaper.")
    holds: bool | None = Field(description="Whether the mean request was cheaper outside, as it was.")


class EconomicsLine(BaseModel):
    """What a request to one model cost in the mean: all, those that hit the prompt cache, those that did not."""

    provider: str
    model: str
    gateway: str | None
    where: Literal["external", "in_runtime", "embedded"]
    calls: int
    mean_prompt_tokens: float
    mean_completion_tokens: float
    mean_cost_usd: float
    hit_cost_usd: float | None
    miss_cost_usd: float | None
    prompt_hit_ratio: float = Field(description="Of calls.")
    prompt_token_ratio: float | None = Field(description="Of prompt tokens.")
    against: list[BreakEven]


class Economics(BaseModel):
    """Models that were asked, the external ones first."""

    lines: list[EconomicsLine]


@router.get("/ai/usage", response_model=Usage)
async def show_usage(ask: Ask, asked: Asked, by: By = ("feature",), limit: Most = 1000) -> Response:
    """Usage and cost by feature, model, provider, user, subject (`track:{id}`), day and more."""
    usage = await ask(ShowUsage(group_by=by, which=asked, limit=limit))
    return exact(grouped(usage, usage.group_by))


@router.get("/ai/caching", response_model=Caching)
async def show_caching(ask: Ask, asked: Asked, by: By = ("day",), limit: Most = 1000) -> Response:
    """Cache-hit ratio and money saved, the exact cache and the providers' prompt caches apart."""
    caching = await ask(ShowCaching(group_by=by, which=asked, limit=limit))
    return exact(grouped(caching, caching.group_by))


@router.get("/ai/economics", response_model=Economics)
async def show_economics(ask: Ask, asked: Asked) -> Response:
    """Cost per request, external against in-runtime, and the hit ratio at which they are equal; of `chat`."""
    asked = msgspec.structs.replace(asked, type=asked.type or "chat")
    return exact(spelt(await ask(ShowEconomics(which=asked))))


def grouped(said: msgspec.Struct, group_by: Sequence[str]) -> dict[str, Any]:
    """An answer in groups, each group by the names of what it is grouped by."""
    body: dict[str, Any] = spelt(said)
    for line in body["lines"]:
        line["group"] = dict(zip(group_by, line["group"], strict=True))
    if "total" in body:
        body["total"]["group"] = {}
    return body
