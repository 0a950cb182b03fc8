"""Budgets, and what was spent of them.

Keeps `BudgetRow` and `ExhaustionRow` from AI; answers `SetBudget`, `ListBudgets` and `ShowSpent`. What was spent is
read from the sums by day, which say the same as the rows at any moment.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Index, func, or_, select, tuple_
from sqlmodel import Field, SQLModel

from tonetouch_ai_ledger.asking import AFTER_ANY_DAY, day_of, says
from tonetouch_ai_ledger.budget import Budget, set_to
from tonetouch_ai_ledger.recording import AIJobRow
from tonetouch_ai_ledger.usage import UsageDayRow, UsageUserRow
from tonetouch_contracts.job import BudgetExhausted
from tonetouch_contracts.ledger import BudgetSet, BudgetView, ListBudgets, SetBudget, ShowSpent, Spent, budget_id
from tonetouch_contracts.message import Page
from tonetouch_runtime import (
    Answered,
    Floor,
    Recorded,
    Router,
    Writer,
    decode_cursor,
    encode_cursor,
    page_size,
    stamp,
)

router = Router()


class BudgetRow(SQLModel, table=True):
    """A budget as it stands. What is not limited to a feature or a user has empty text there."""

    __tablename__ = "ai_budgets"

    budget_id: str = Field(primary_key=True)
    feature: str | None = None
    user: str | None = None
    limit_pico_usd: int | None = Field(default=None, sa_type=BigInteger)
    when_exhausted: str | None = None
    set_at: str | None = None


class ExhaustionRow(SQLModel, table=True):
    """A call that a budget did not let through. Its id is that of the event."""

    __tablename__ = "ai_exhaustions"
    __table_args__ = (Index("ai_exhaustions_by_day", "day", "budget_id"),)

    id: str = Field(primary_key=True)
    budget_id: str | None = None
    feature: str | None = None
    user: str | None = None
    day: str | None = None
    limit_pico_usd: int | None = Field(default=None, sa_type=BigInteger)
    spent_pico_usd: int | None = Field(default=None, sa_type=BigInteger)
    needed_pico_usd: int | None = Field(default=None, sa_type=BigInteger)
    job_id: str | None = None
    exhausted_at: str | None = None


@router.keeps(BudgetRow, hears=(BudgetSet,))
def keep_budgets(facts: Sequence[Recorded[Any]], budgets: Writer) -> None:
    """The last word of each counts."""
    said = {fact.event.budget_id: fact.event for fact in facts}
    budgets.upsert(
        [
            {**msgspec.structs.asdict(event), "feature": event.feature or "", "user": event.user or ""}
            for event in said.values()
        ]
    )


@router.keeps(ExhaustionRow, hears=(BudgetExhausted,))
def keep_exhaustions(facts: Sequence[Recorded[Any]], exhaustions: Writer) -> None:
    """A row each."""
    exhaustions.insert_new([{"id": fact.id, **msgspec.structs.asdict(fact.event)} for fact in facts])


@router.answers(SetBudget)
async def set_budget(command: SetBudget, floor: Floor) -> Answered[BudgetView]:
    """The budget as it is from now on."""
    feature, user = command.feature or None, command.user or None
    wanted = BudgetSet(
        budget_id=budget_id(feature, user),
        feature=feature,
        user=user,
        limit_pico_usd=command.limit_pico_usd,
        when_exhausted=command.when_exhausted,
        set_at=stamp(floor.clock.now()),
    )
    outcome = await floor.log.transact("AI", wanted.budget_id, Budget(), partial(set_to, wanted=wanted))
    said = outcome.state.said or wanted
    row = {**msgspec.structs.asdict(said), "feature": feature or "", "user": user or ""}
    [view] = await _views([row], today(floor), floor)
    return Answered(value=view, positions=outcome.positions)


@router.answers(ListBudgets)
async def list_budgets(command: ListBudgets, floor: Floor) -> Page[BudgetView]:
    """In the order of feature and user."""
    size, day = page_size(command.limit), day_of(command.day) if command.day else today(floor)
    table = floor.tables.live(BudgetRow)
    key = (table.c.feature, table.c.user)
    query = select(table).where(table.c.limit_pico_usd.is_not(None))
    for name in ("feature", "user"):
        if (wanted := getattr(command, name)) is not None:
            query = query.where(says(table.c[name], wanted))
    if command.cursor:
        query = query.where(tuple_(*key) > tuple_(*decode_cursor(command.cursor, str, str)))
    rows = await floor.tables.all(query.order_by(*key).limit(size + 1))
    more = encode_cursor(rows[size - 1]["feature"], rows[size - 1]["user"]) if len(rows) > size else None
    return Page(items=tuple(await _views(rows[:size], day, floor)), next_cursor=more)


@router.answers(ShowSpent)
async def show_spent(command: ShowSpent, floor: Floor) -> Spent:
    """Effective costs of attempts that were started on that day and have ended."""
    day = day_of(command.day) if command.day else today(floor)
    feature, user = command.feature or "", command.user or ""
    budgets = floor.tables.live(BudgetRow)
    above = select(budgets).where(budgets.c.limit_pico_usd.is_not(None), *_covers(budgets.c, feature, user))
    rows = await floor.tables.all(above.order_by(budgets.c.feature, budgets.c.user))
    spent = await _spent(feature, user, day, floor)
    return Spent(
        day=day,
        spent_pico_usd=spent["cost_pico_usd"],
        calls=spent["calls"],
        unpriced=spent["unpriced"],
        running=await _running(feature, user, day, floor),
        budgets=tuple(await _views(rows, day, floor)),
    )


def today(floor: Floor) -> str:
    """The UTC day it is."""
    return floor.clock.now().date().isoformat()


def _covers(columns: Any, feature: str, user: str) -> Iterable[ColumnElement[bool]]:
    """Budgets that a call of this feature and user comes under: each part is open or says the same."""
    for name, wanted in (("feature", feature), ("user", user)):
        yield or_(columns[name] == "", says(columns[name], wanted))


async def _views(rows: Sequence[Mapping[Any, Any]], day: str, floor: Floor) -> list[BudgetView]:
    table = floor.tables.live(ExhaustionRow)
    ids = [row["budget_id"] for row in rows]
    counting = select(table.c.budget_id, func.count().label("refused")).group_by(table.c.budget_id)
    found = await floor.tables.all(counting.where(table.c.day == day, table.c.budget_id.in_(ids)))
    refused = {row["budget_id"]: row["refused"] for row in found}
    return [
        BudgetView(
            budget_id=row["budget_id"],
            feature=row["feature"] or None,
            user=row["user"] or None,
            limit_pico_usd=row["limit_pico_usd"],
            when_exhausted=row["when_exhausted"],
            set_at=row["set_at"],
            day=day,
            spent_pico_usd=(await _spent(row["feature"], row["user"], day, floor))["cost_pico_usd"],
            refused=refused.get(row["budget_id"], 0),
        )
        for row in rows
    ]


async def _spent(feature: str, user: str, day: str, floor: Floor) -> dict[str, int]:
    table = floor.tables.live(UsageUserRow if user else UsageDayRow)
    sums = [func.sum(table.c[name]).label(name) for name in ("cost_pico_usd", "calls", "unpriced")]
    row = await floor.tables.one(select(*sums).where(table.c.day == day, *_is_of(table.c, feature, user)))
    return {name: int(value or 0) for name, value in (row or {}).items()}


async def _running(feature: str, user: str, day: str, floor: Floor) -> int:
    jobs = floor.tables.live(AIJobRow)
    on_the_day = jobs.c.started_at.between(day, day + AFTER_ANY_DAY)
    open_ones = select(func.count().label("running")).where(jobs.c.recorded_at.is_(None), on_the_day)
    row = await floor.tables.one(open_ones.where(*_is_of(jobs.c, feature, user)))
    return int(row["running"]) if row else 0


def _is_of(columns: Any, feature: str, user: str) -> Iterable[ColumnElement[bool]]:
    if feature:
        yield says(columns.feature, feature)
    if user:
        yield says(columns.user, user)
