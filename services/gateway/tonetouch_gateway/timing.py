"""How long AI took, and why it had to wait.

Asks `ShowLatency` and `ShowThrottling`.
"""

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from tonetouch_contracts.ledger import Every, ShowLatency, ShowThrottling
from tonetouch_gateway.accounting import Asked, By, Groups, Most, grouped
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.money import exact, spelt
from tonetouch_gateway.reporting import Filter, FromDay, ToDay

router = APIRouter(tags=["timing"])


class LatencyLine(BaseModel):
    """Milliseconds of one group. Null where there is none."""

    group: Groups
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


class Latency(BaseModel):
    """Percentiles: exact from `rows`, within `error_ratio` of the true value from `roll_ups`."""

    group_by: list[str]
    lines: list[LatencyLine]
    source: Literal["roll_ups", "rows"]
    error_ratio: float


class ThrottlingLine(BaseModel):
    """How often and how long calls of one kind waited in one span of time."""

    start: str = Field(description="The beginning of the span, as long as the span is exact.")
    provider: str
    model: str
    type: str
    reason: str = Field(description="paced (our own limit), rate_limited, out_of_capacity, daily_quota.")
    times: int
    jobs: int
    waited_ms: float
    longest_ms: float
    limit_per_minute: int | None


class Throttling(BaseModel):
    """Spans in order of time."""

    every: Every
    lines: list[ThrottlingLine]


@router.get("/ai/latency", response_model=Latency)
async def show_latency(ask: Ask, asked: Asked, by: By = ("model",), limit: Most = 1000) -> Response:
    """Percentiles of latency, time to first token and queue time. Of calls that were made, if `cache` is not said."""
    asked = msgspec.structs.replace(asked, cache=asked.cache or "miss")
    latency = await ask(ShowLatency(group_by=by, which=asked, limit=limit))
    return exact(grouped(latency, latency.group_by))


@router.get("/ai/throttling", response_model=Throttling)
async def show_throttling(
    ask: Ask,
    every: Annotated[Every, Query(description="How long a span is.")] = "hour",
    from_day: FromDay = None,
    to_day: ToDay = None,
    feature: Filter = None,
    provider: Filter = None,
    model: Filter = None,
    limit: Most = 1000,
) -> Response:
    """The history of waiting: for our own pace, and because a provider would not take a call then."""
    question = ShowThrottling(
        every=every,
        from_day=from_day,
        to_day=to_day,
        feature=feature,
        provider=provider,
        model=model,
        limit=limit,
    )
    return exact(spelt(await ask(question)))
