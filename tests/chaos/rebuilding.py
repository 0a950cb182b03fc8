"""Rebuild equals live: the tables of every service, as they were found, against the same events projected anew."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Table, create_engine, select

from tests.chaos.log import Logs
from tonetouch_agents.app import app as agents
from tonetouch_ai_ledger.app import app as ai_ledger
from tonetouch_catalog.app import app as catalog
from tonetouch_contracts.manifest import stream_of
from tonetouch_ingest.app import app as ingest
from tonetouch_recommend.app import app as recommend
from tonetouch_runtime import App, Writer
from tonetouch_runtime._router import Keeping
from tonetouch_runtime._tables import positions, table_of

APPS: tuple[App, ...] = (catalog, ingest, recommend, agents, ai_ledger)
CONSUMED = frozenset({"recommend_dirty"})
"""Whoever reads its rows removes them."""

Rows = dict[str, list[str]]


def differing(data: Path, logs: Logs) -> Iterator[str]:
    """The tables whose rows are not those of a rebuild up to the same positions, in words."""
    for app in APPS:
        engine = create_engine(f"sqlite:///{data / 'tables' / app.name / 'read.db'}")
        # One transaction: rows and positions of one moment.
        with engine.connect() as live:
            live.exec_driver_sql("begin")
            reached = {(row.table_name, row.stream): row.position for row in live.execute(select(positions))}
            for entry in (entry for router in app.routers for entry in router.keeping):
                tables = [table_of(model) for model in (entry.model, *entry.beside)]
                if tables[0].name in CONSUMED:
                    continue
                anew = _rebuilt(entry, tables, logs, reached)
                for name, rows in _rows(live, tables).items():
                    if rows != anew[name]:
                        only_live, only_anew = set(rows) - set(anew[name]), set(anew[name]) - set(rows)
                        words = f"{len(only_live)} rows are only live, {len(only_anew)} only in the rebuild"
                        yield f"{name}: {words}; {[*sorted(only_live)[:1], *sorted(only_anew)[:1]]}"
        engine.dispose()


def _rebuilt(entry: Keeping, tables: Sequence[Table], logs: Logs, reached: Mapping[tuple[str, str], int]) -> Rows:
    engine = create_engine("sqlite://")
    for table in tables:
        table.create(engine)
    with engine.begin() as connection:
        writers = [Writer(connection, table) for table in tables]
        for stream in sorted({stream_of(event).name for event in entry.hears}):
            position = reached.get((tables[0].name, stream), 0)
            facts = [fact for fact in logs[stream] if type(fact.event) in entry.hears and fact.sequence <= position]
            for start in range(0, len(facts), 1000):
                entry.handler(facts[start : start + 1000], *writers)
        rows = _rows(connection, tables)
    engine.dispose()
    return rows


def _rows(connection: Connection, tables: Sequence[Table]) -> Rows:
    return {table.name: sorted(map(repr, connection.execute(select(table)))) for table in tables}


def behind(data: Path, heads: Mapping[str, int]) -> list[str]:
    """Tables that do not show the head of a stream yet."""
    late = []
    for app in APPS:
        with closing(sqlite3.connect(data / "tables" / app.name / "read.db")) as database:
            for table, stream, position in database.execute("select table_name, stream, position from positions"):
                if position < heads[stream]:
                    late.append(f"{table} has read {stream} up to {position} of {heads[stream]}")
    return late
