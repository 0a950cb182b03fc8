"""Comparing a table that was made anew with the live one, row by row and column by column, in the database itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, Connection, Select, Table, Text, and_, case, cast, func, or_, select

from tonetouch_contracts.message import Positions
from tonetouch_contracts.operating import RowDifference, TableComparison
from tonetouch_runtime._tables import Database, positions

EXAMPLES = 5
"""Rows of each kind of difference that are shown."""

_LONGEST = 200


async def compare(
    read: Database, live: Sequence[Table], anew: Sequence[Table], streams: Sequence[str]
) -> tuple[TableComparison, ...] | None:
    """All rows of the tables, seen at one moment. None where they had not read the same events at that moment.

    The first of the tables has the positions. A million rows of 55 columns take some seconds, in a thread.
    """

    def look(connection: Connection) -> tuple[TableComparison, ...] | None:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        at = [positions_of(connection, table.name) for table in (live[0], anew[0])]
        if any(at[0].get(stream) != at[1].get(stream) for stream in streams):
            return None
        return tuple(_compared(connection, *pair) for pair in zip(live, anew, strict=True))

    return await read.read(look)


def positions_of(connection: Connection, table_name: str) -> Positions:
    """How far a table has read each stream."""
    found = select(positions.c.stream, positions.c.position).where(positions.c.table_name == table_name)
    return {row.stream: row.position for row in connection.execute(found)}


def _compared(connection: Connection, live: Table, anew: Table) -> TableComparison:
    rows = [int(connection.execute(select(func.count()).select_from(table)).scalar() or 0) for table in (live, anew)]
    both = select(func.count(), func.sum(case((_differs(live, anew), 1), else_=0)))
    matched, different = connection.execute(both.select_from(live.join(anew, _same_key(live, anew)))).one()
    missing, extra, different = rows[0] - matched, rows[1] - matched, int(different or 0)
    found = [*_examples(connection, live, anew, both_there=True)] if different else []
    found += _examples(connection, live, anew, both_there=False) if missing else []
    found += map(_turned, _examples(connection, anew, live, both_there=False)) if extra else []
    return TableComparison(
        table=str(live.name),
        live_rows=rows[0],
        rows=rows[1],
        missing=missing,
        extra=extra,
        different=different,
        examples=tuple(found),
    )


def _examples(connection: Connection, live: Table, anew: Table, *, both_there: bool) -> list[RowDifference]:
    """Rows that differ; or, where not both are there, rows that only the first table has."""
    columns = [column.label(f"live_{column.name}") for column in live.c]
    columns += [column.label(f"anew_{column.name}") for column in anew.c]
    first_key = next(iter(anew.primary_key))
    wanted: Select[Any] = select(*columns).select_from(live.outerjoin(anew, _same_key(live, anew)))
    wanted = wanted.where(_differs(live, anew) if both_there else first_key.is_(None))
    if both_there:
        wanted = wanted.where(first_key.is_not(None))
    rows = connection.execute(wanted.order_by(*live.primary_key).limit(EXAMPLES)).mappings()
    return [_difference(dict(row), live, both_there) for row in rows]


def _difference(row: Mapping[str, Any], live: Table, both_there: bool) -> RowDifference:
    keys = [str(column.name) for column in live.primary_key]
    values = [str(column.name) for column in live.c if column.name not in keys]
    before = {name: row[f"live_{name}"] for name in values}
    after = {name: row[f"anew_{name}"] for name in values}
    shown = [name for name in values if not both_there or before[name] != after[name]]
    return RowDifference(
        key={name: _text(row[f"live_{name}"]) for name in keys},
        live={name: _text(before[name]) for name in shown},
        anew={name: _text(after[name]) for name in shown} if both_there else None,
    )


def _turned(only: RowDifference) -> RowDifference:
    return RowDifference(key=only.key, live=None, anew=only.live)


def _text(value: Any) -> str:
    said = value.hex() if isinstance(value, bytes) else str(value)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."


def _same_key(live: Table, anew: Table) -> ColumnElement[bool]:
    return and_(*(column == anew.c[column.name] for column in live.primary_key))


def _differs(live: Table, anew: Table) -> ColumnElement[bool]:
    keys = {column.name for column in live.primary_key}
    pairs = [(column, anew.c[column.name]) for column in live.c if column.name not in keys]
    return or_(False, *(_plain(one).is_distinct_from(_plain(other)) for one, other in pairs))


def _plain(column: Column[Any]) -> ColumnElement[Any]:
    # PostgreSQL compares no JSON.
    return cast(column, Text) if isinstance(column.type, JSON) else column
