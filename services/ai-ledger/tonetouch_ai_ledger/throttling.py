"""Waiting: for our own pace, and because a provider would not take a call then.

Keeps `ThrottlingRow` from AI; answers `ShowThrottling`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Index, func, select
from sqlmodel import Field, SQLModel

from tonetouch_ai_ledger.asking import between, lines_wanted, says
from tonetouch_contracts.job import JobThrottled
from tonetouch_contracts.ledger import Every, ShowThrottling, Throttling, ThrottlingLine
from tonetouch_runtime import Floor, Recorded, Router, Writer

router = Router()

_CHARACTERS: dict[Every, int] = {"minute": 16, "hour": 13, "day": 10}
"""How much of a time tells the span it lies in."""

_KIND = ("provider", "model", "type", "reason")


class ThrottlingRow(SQLModel, table=True):
    """One time of waiting. Its id is that of the event: an attempt may wait more than once."""

    __tablename__ = "ai_throttlings"
    __table_args__ = (Index("ai_throttlings_by_time", "throttled_at"),)

    id: str = Field(primary_key=True)
    job_id: str | None = None
    attempt: int | None = None
    type: str | None = None
    feature: str | None = None
    provider: str | None = None
    model: str | None = None
    target: str | None = None
    reason: str | None = None
    limit_per_minute: int | None = None
    waited_ms: float | None = None
    retry_after_ms: float | None = None
    throttled_at: str | None = None


@router.keeps(ThrottlingRow, hears=(JobThrottled,))
def keep_throttlings(facts: Sequence[Recorded[Any]], throttlings: Writer) -> None:
    """A row each."""
    throttlings.insert_new([{"id": fact.id, **msgspec.structs.asdict(fact.event)} for fact in facts])


@router.answers(ShowThrottling)
async def show_throttling(command: ShowThrottling, floor: Floor) -> Throttling:
    """Spans in order of time; of more than the limit the latest ones."""
    limit = lines_wanted(command.limit)
    table = floor.tables.live(ThrottlingRow)
    start = func.substr(table.c.throttled_at, 1, _CHARACTERS[command.every])
    kind = [table.c[name] for name in _KIND]
    asked = {name: wanted for name in ("feature", "provider", "model") if (wanted := getattr(command, name))}
    query = (
        select(
            start.label("start"),
            *kind,
            func.count().label("times"),
            func.count(table.c.job_id.distinct()).label("jobs"),
            func.sum(table.c.waited_ms).label("waited_ms"),
            func.max(table.c.waited_ms).label("longest_ms"),
            func.max(table.c.limit_per_minute).label("limit_per_minute"),
        )
        .where(*(says(table.c[name], wanted) for name, wanted in asked.items()))
        .where(*between(table.c.throttled_at, command.from_day, command.to_day))
        .group_by(start, *kind)
        .order_by(start.desc(), *kind)
        .limit(limit)
    )
    rows = sorted(await floor.tables.all(query), key=lambda row: row["start"])
    return Throttling(every=command.every, lines=tuple(ThrottlingLine(**row) for row in rows))
