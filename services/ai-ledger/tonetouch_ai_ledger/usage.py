"""Usage in sums that stay: by day, kind and outcome of the attempts, and the same by user. Pure but for its tables.

Sums are made from attempts that are new in the table of jobs, in the transaction that adds them there, so they say the
same as its rows whenever somebody looks. Rows of users stand in a table of their own: however many users there are, the
sums of a feature stay few.
"""

from collections.abc import Iterable, Mapping
from operator import add
from typing import Any

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from tonetouch_ai_ledger.latency import SPANS, span_of
from tonetouch_contracts.job import JobRecorded

KEY = ("day", "type", "provider", "model", "gateway", "feature", "purpose", "cache", "outcome")
SUMS = (
    "calls",
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "characters",
    "audio_ms",
    "images",
    "cost_pico_usd",
    "avoided_pico_usd",
    "unpriced",
    "without_usage",
    "latency_us",
    "timed",
    "prompt_hits",
    "prompt_hit_pico_usd",
)
"""`prompt_hits` are attempts with a price that read something from the provider's prompt cache."""

OTHER_UNITS = {"character": "characters", "audio_ms": "audio_ms", "image": "images"}
"""The columns of units that are no tokens."""

_PLACE = {name: place for place, name in enumerate((*SUMS, *SPANS))}
_COST, _AVOIDED, _UNPRICED = _PLACE["cost_pico_usd"], _PLACE["avoided_pico_usd"], _PLACE["unpriced"]
_WITHOUT_USAGE, _HITS, _HIT_COST = _PLACE["without_usage"], _PLACE["prompt_hits"], _PLACE["prompt_hit_pico_usd"]
_LATENCY, _TIMED, _FIRST_SPAN = _PLACE["latency_us"], _PLACE["timed"], len(SUMS)
_UNIT_PLACES: dict[str, int] = {unit: _PLACE[name] for unit, name in OTHER_UNITS.items()}


class UsageDayRow(SQLModel, table=True):
    """Sums of one day. Nothing is empty text here; latency is in whole microseconds, so that sums have no order."""

    __tablename__ = "ai_usage_daily"
    __table_args__ = tuple(Column(name, BigInteger) for name in (*SUMS, *SPANS))

    day: str = Field(primary_key=True)
    type: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    gateway: str = Field(primary_key=True)
    feature: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    cache: str = Field(primary_key=True)
    outcome: str = Field(primary_key=True)


class UsageUserRow(SQLModel, table=True):
    """The same by user; attempts of nobody stand under the empty text."""

    __tablename__ = "ai_usage_by_user"
    __table_args__ = (
        *(Column(name, BigInteger) for name in (*SUMS, *SPANS)),
        Index("ai_usage_by_user_and_day", "user", "day"),
    )

    day: str = Field(primary_key=True)
    type: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    gateway: str = Field(primary_key=True)
    feature: str = Field(primary_key=True)
    user: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    cache: str = Field(primary_key=True)
    outcome: str = Field(primary_key=True)


class Tally:
    """Sums in the making, by kind of attempt and user."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], list[int]] = {}

    def count(self, ended: Iterable[JobRecorded]) -> None:
        """Add attempts at their own cost."""
        for event in ended:
            sums = self._of(
                event.user or "",
                event.started_at[:10],
                event.type,
                event.provider,
                event.model,
                event.gateway or "",
                event.feature,
                event.purpose,
                event.cache,
                event.outcome,
            )
            sums[0] += 1
            _add_usage(sums, event)
            _add_cost(sums, event.cost_pico_usd, event.cached_tokens, 1)
            if event.avoided_pico_usd:
                sums[_AVOIDED] += event.avoided_pico_usd
            if (latency := event.latency_ms) is not None:
                sums[_TIMED] += 1
                sums[_LATENCY] += round(latency * 1000)
                sums[_FIRST_SPAN + span_of(latency)] += 1

    def correct(self, row: Mapping[str, Any], before: int | None, after: int | None) -> None:
        """Count an attempt that was counted at the cost `before` at the cost `after` instead; None is unpriced."""
        sums = self._of(row["user"] or "", row["started_at"][:10], *(row[name] or "" for name in KEY[1:]))
        _add_cost(sums, before, row["cached_tokens"], -1)
        _add_cost(sums, after, row["cached_tokens"], 1)

    def by_user(self) -> list[dict[str, Any]]:
        """What to add to the rows by user."""
        names = ("user", *KEY, *_PLACE)
        return [dict(zip(names, (*key, *sums), strict=True)) for key, sums in self._sums.items()]

    def by_day(self) -> list[dict[str, Any]]:
        """What to add to the rows of the days: the same without users."""
        together: dict[tuple[str, ...], list[int]] = {}
        for (_, *key), sums in self._sums.items():
            so_far = together.get(tuple(key))
            together[tuple(key)] = sums if so_far is None else list(map(add, so_far, sums))
        names = (*KEY, *_PLACE)
        return [dict(zip(names, (*key, *sums), strict=True)) for key, sums in together.items()]

    def _of(self, *key: str) -> list[int]:
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0] * len(_PLACE)
        return sums


def _add_usage(sums: list[int], event: JobRecorded) -> None:
    if event.usage_source == "none":
        sums[_WITHOUT_USAGE] += 1
        return
    sums[1] += event.prompt_tokens or 0
    sums[2] += event.cached_tokens or 0
    sums[3] += event.cache_write_tokens or 0
    sums[4] += event.completion_tokens or 0
    sums[5] += event.reasoning_tokens or 0
    for quantity in event.quantities:
        if (place := _UNIT_PLACES.get(quantity.unit)) is not None:
            sums[place] += quantity.amount


def _add_cost(sums: list[int], cost: int | None, cached: int | None, sign: int) -> None:
    if cost is None:
        sums[_UNPRICED] += sign
        return
    sums[_COST] += sign * cost
    if cached:
        sums[_HITS] += sign
        sums[_HIT_COST] += sign * cost
