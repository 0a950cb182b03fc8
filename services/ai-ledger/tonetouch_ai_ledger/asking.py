"""What every question to the ledger has in common: which attempts, of which days, in which groups."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, false, func

from tonetouch_contracts.ledger import GroupBy, Which
from tonetouch_runtime import Refused

Group = tuple[str | None, ...]

DIMENSIONS = (
    "feature",
    "type",
    "provider",
    "model",
    "gateway",
    "user",
    "subject",
    "purpose",
    "cache",
    "outcome",
)
AFTER_ANY_DAY = "~"
"""Sorts after whatever may follow a day in a time."""

MOST_LINES = 10_000
_DAY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")


def is_of(table: Table, which: Which, *, in_rows: bool) -> list[ColumnElement[bool]]:
    """The conditions of a question to the table of jobs (`in_rows`) or to a roll-up. Raises Refused for a bad day."""
    conditions = [says(table.c[name], wanted) for name in DIMENSIONS if (wanted := getattr(which, name)) is not None]
    if in_rows:
        conditions.append(table.c.recorded_at.is_not(None))
    return conditions + between(table.c.started_at if in_rows else table.c.day, which.from_day, which.to_day)


def between(time: ColumnElement[Any], from_day: str | None, to_day: str | None) -> list[ColumnElement[bool]]:
    """Whether a time or a day lies in these days, both included."""
    conditions = []
    if from_day is not None:
        conditions.append(time >= day_of(from_day))
    if to_day is not None:
        conditions.append(time <= day_of(to_day) + AFTER_ANY_DAY)
    return conditions


def says(column: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
    """Whether a column says this. PostgreSQL refuses to compare with a NUL; no row can have one there."""
    return column == wanted if "\0" not in wanted else false()


def day_of(text: str) -> str:
    """A day as it was asked for, or Refused."""
    if not _DAY.fullmatch(text):
        raise Refused("invalid", f"A day is written as 2026-01-31, not {text[:40]!r}.")
    return text


def groups(table: Table, group_by: Sequence[GroupBy], *, in_rows: bool) -> list[ColumnElement[Any]]:
    """The columns to group by, named ``g0``, ``g1`` and so on. Raises Refused where a name is there twice."""
    if len(set(group_by)) < len(group_by):
        raise Refused("invalid", "Something can be grouped by a name once.")
    columns = [
        func.substr(table.c.started_at, 1, 10) if name == "day" and in_rows else table.c[name] for name in group_by
    ]
    return [column.label(f"g{number}") for number, column in enumerate(columns)]


def group_in(row: Mapping[Any, Any], group_by: Sequence[GroupBy]) -> Group:
    """The group of a row of an answer. What a roll-up has as empty text is null."""
    return tuple(row[f"g{number}"] or None for number in range(len(group_by)))


def lines_wanted(limit: int) -> int:
    """A number of lines as asked for, or Refused."""
    if not 1 <= limit <= MOST_LINES:
        raise Refused("invalid", f"A limit is a number from 1 to {MOST_LINES}, not {limit}.")
    return limit
