"""Usage and cost in groups.

Answers `ShowUsage`: from the sums by day, from those by user where users are asked about, and from the rows where it is
about subjects (of which there are nearly as many as rows).
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Table, Text, case, cast, desc, func, or_, select

from tonetouch_ai_ledger.asking import Group, group_in, groups, is_of, lines_wanted
from tonetouch_ai_ledger.recording import AIJobRow, effective_cost
from tonetouch_ai_ledger.usage import OTHER_UNITS, UsageDayRow, UsageUserRow
from tonetouch_contracts.ledger import GroupBy, ShowUsage, Source, Usage, UsageLine, Which
from tonetouch_runtime import Floor, Router

router = Router()

_SUMMED = (
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "avoided_pico_usd",
)
_ONLY_IN_SUMS = ("calls", "cost_pico_usd", "unpriced", "without_usage", "timed", "latency_us")
_OUTCOMES = ("succeeded", "failed", "cancelled", "unknown")
_CACHES = {"exact_hits": "exact_hit", "coalesced": "coalesced"}

_COUNTED = tuple(name for name in UsageLine.__struct_fields__ if name not in ("group", "latency_ms"))

Units = dict[Group, dict[str, int]]


@router.answers(ShowUsage)
async def show_usage(command: ShowUsage, floor: Floor) -> Usage:
    """The dearest groups first; days in order."""
    limit = lines_wanted(command.limit)
    table, source = table_for(floor, command.group_by, command.which)
    in_rows = source == "rows"
    columns = groups(table, command.group_by, in_rows=in_rows)
    conditions = is_of(table, command.which, in_rows=in_rows)
    sums = _sums_over_rows(table) if in_rows else _sums_over_days(table)
    query = select(*columns, *(column.label(name) for name, column in sums.items())).where(*conditions)
    order = [f"g{number}" for number, name in enumerate(command.group_by) if name == "day"]
    ordered = query.group_by(*columns).order_by(*order, desc("cost_pico_usd"), *(column.name for column in columns))
    rows = await floor.tables.all(ordered.limit(limit + 1))
    units = await _units(floor, columns, conditions, command.group_by) if in_rows else {}
    lines = [_line(row, command.group_by, units) for row in rows[:limit]]
    total = sum_of(lines, len(command.group_by))
    if len(rows) > limit:
        whole = await show_usage(ShowUsage(group_by=(), which=command.which, limit=1), floor)
        total = msgspec.structs.replace(whole.total, group=total.group)
    return Usage(group_by=command.group_by, lines=tuple(lines), total=total, source=source)


def table_for(floor: Floor, group_by: Sequence[GroupBy], which: Which) -> tuple[Table, Source]:
    """Where the answer stands: the smallest table that knows everything that is asked about."""
    if "subject" in group_by or which.subject is not None:
        return floor.tables.live(AIJobRow), "rows"
    by_user = "user" in group_by or which.user is not None
    return floor.tables.live(UsageUserRow if by_user else UsageDayRow), "roll_ups"


def sum_of(lines: Sequence[UsageLine], depth: int) -> UsageLine:
    """All lines in one, whose group is no group."""
    names = UsageLine.__struct_fields__[1:]
    sums: dict[str, Any] = {name: sum(getattr(line, name) for line in lines) for name in names}
    return UsageLine(group=(None,) * depth, **sums)


def _sums_over_days(table: Table) -> dict[str, ColumnElement[Any]]:
    return {
        **{name: func.sum(table.c[name]) for name in (*_SUMMED, *_ONLY_IN_SUMS, *OTHER_UNITS.values())},
        **{name: func.sum(case((table.c.outcome == name, table.c.calls), else_=0)) for name in _OUTCOMES},
        **{name: func.sum(case((table.c.cache == kind, table.c.calls), else_=0)) for name, kind in _CACHES.items()},
    }


def _sums_over_rows(jobs: Table) -> dict[str, ColumnElement[Any]]:
    cost = effective_cost(jobs)
    return {
        **{name: func.sum(jobs.c[name]) for name in _SUMMED},
        "calls": func.count(),
        "cost_pico_usd": func.coalesce(func.sum(cost), 0),
        "unpriced": _count(cost.is_(None)),
        "without_usage": _count(jobs.c.usage_source == "none"),
        "timed": func.count(jobs.c.latency_ms),
        "latency_us": func.sum(jobs.c.latency_ms * 1000),
        **{name: _count(jobs.c.outcome == name) for name in _OUTCOMES},
        **{name: _count(jobs.c.cache == kind) for name, kind in _CACHES.items()},
    }


def _count(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, 1), else_=0))


async def _units(
    floor: Floor, columns: Sequence[ColumnElement[Any]], conditions: Sequence[Any], group_by: Sequence[GroupBy]
) -> Units:
    """Sums of what is not counted in tokens, from the few rows that have it."""
    jobs = floor.tables.live(AIJobRow)
    said = jobs.c.quantities
    has_some = or_(*(cast(said, Text).contains(f'"{unit}"', autoescape=True) for unit in OTHER_UNITS))
    rows = await floor.tables.all(select(*columns, said).where(*conditions, has_some))
    sums: Units = {}
    for row in rows:
        group = sums.setdefault(group_in(row, group_by), dict.fromkeys(OTHER_UNITS.values(), 0))
        for quantity in row["quantities"]:
            if quantity.unit in OTHER_UNITS:
                group[OTHER_UNITS[quantity.unit]] += quantity.amount
    return sums


def _line(row: RowMapping, group_by: Sequence[GroupBy], units: Units) -> UsageLine:
    group = group_in(row, group_by)
    named = {**dict.fromkeys(OTHER_UNITS.values(), 0), **row, **units.get(group, {})}
    latency_ms = float(row["latency_us"] or 0) / 1000
    return UsageLine(group=group, latency_ms=latency_ms, **{name: int(named[name] or 0) for name in _COUNTED})
