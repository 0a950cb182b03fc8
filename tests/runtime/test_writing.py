"""What a projection writes with, on SQLite and on PostgreSQL; and tables that stand beside another."""

import resource
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text, select
from sqlalchemy.exc import OperationalError
from sqlmodel import Field, SQLModel

from tests.postgresql import _any_settings, _postgresql
from tests.runtime.installation import provision
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import TrackDescribed
from tonetouch_runtime import App, Decision, Recorded, Router, Settings, Writer, running
from tonetouch_runtime._tables import Database, is_passing, positions, table_of

__all__ = ["_any_settings", "_postgresql"]

T = TypeVar("T")


class WrittenRow(SQLModel, table=True):
    """A row with a key of two parts."""

    __tablename__ = "test_written"
    name: str = Field(primary_key=True)
    part: int = Field(primary_key=True)
    words: str | None = None
    share: float | None = None
    total: int | None = Field(default=None, sa_type=BigInteger)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose fields are columns."""

    name: str
    part: int
    words: str | None = None
    share: float | None = None


TABLE = table_of(WrittenRow)


@pytest.fixture(name="writing")
def _writing(any_settings: Settings) -> Iterator[Any]:
    """Run a function with a writer, in a transaction of its own."""
    database = Database.open(any_settings, "writing", "read")
    database.create(TABLE)

    def run(work: Callable[[Writer], T]) -> T:
        with database.engine.begin() as connection:
            return work(Writer(connection, TABLE))

    yield run
    database.close()


def contents(writing: Any, *names: str) -> list[tuple[Any, ...]]:
    """These columns of every row, in order of the keys."""
    rows = writing(lambda writer: writer.rows(["a", "b", "c"]))
    return sorted(tuple(row[name] for name in ("name", "part", *names)) for row in rows)


def test_events_tell_which_rows_they_wrote(writing: Any) -> None:
    """With `while_null` what was filled first stays, and only the others are told."""
    first = [Said(name="a", part=1, words="é “x” \\ \n", share=0.1), Said(name="a", part=2)]
    assert sorted(writing(lambda writer: writer.upsert_events(first, while_null="words"))) == [("a", 1), ("a", 2)]
    again = [Said(name="a", part=1, words="other"), Said(name="a", part=2, words="late"), Said(name="b", part=1)]
    assert sorted(writing(lambda writer: writer.upsert_events(again, while_null="words"))) == [("a", 2), ("b", 1)]
    assert contents(writing, "words", "share") == [
        ("a", 1, "é “x” \\ \n", 0.1),
        ("a", 2, "late", None),
        ("b", 1, None, None),
    ]
    assert writing(lambda writer: writer.upsert_events([])) == []


def test_a_full_disk_is_told_as_such(settings: Settings) -> None:
    """Also where SQLite has ended the transaction for it: taken for a fault of the events, it would park them."""
    database = Database.open(settings, "full", "read")
    database.create(TABLE)
    events = [Said(name=f"{number:01000}", part=number) for number in range(3000)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(OperationalError) as full, database._written.begin() as connection:
        connection.exec_driver_sql("pragma cache_size=10")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
        try:
            Writer(connection, TABLE).upsert_events(events)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert is_passing(full.value)
    with database.engine.begin() as connection:
        assert connection.execute(select(TABLE)).all() == []
    database.close()


def test_numbers_add(writing: Any) -> None:
    """To those of the row with the key, however many rows come at once and however often."""
    rows = [{"name": name, "part": part, "total": 10**15} for name in "ab" for part in range(600)]
    for _ in range(2):
        writing(lambda writer: writer.add(rows))
    writing(lambda writer: writer.add([{"name": "c", "part": 0, "total": 1}, {"name": "c", "part": 0, "total": -3}]))
    found = contents(writing, "total")
    assert found == [*((name, part, 2 * 10**15) for name in "ab" for part in range(600)), ("c", 0, -2)]


def test_the_last_of_several_words_about_one_row_counts(writing: Any) -> None:
    """Also where they come together; rows that are there are left alone by `insert_new`."""
    rows = [{"name": "a", "part": part % 2, "words": str(part)} for part in range(5)]
    assert writing(lambda writer: writer.upsert(rows)) == 5
    assert contents(writing, "words") == [("a", 0, "4"), ("a", 1, "3")]
    more = [{"name": "a", "part": part, "words": "new"} for part in range(3)]
    assert writing(lambda writer: writer.insert_new(more)) == 1
    assert contents(writing, "words") == [("a", 0, "4"), ("a", 1, "3"), ("a", 2, "new")]


class BesideRow(SQLModel, table=True):
    """A sum over the rows of another table."""

    __tablename__ = "test_beside"
    id: str = Field(primary_key=True)
    times: int | None = None


async def test_tables_beside_another_move_with_it(any_settings: Settings) -> None:
    """They are made with the service and written by the same function, in the same transaction."""
    router = Router()

    @router.keeps(WrittenRow, BesideRow, hears=(TrackDescribed,))
    def keep(facts: Sequence[Recorded[Any]], rows: Writer, sums: Writer) -> None:
        new = rows.insert_new([{"name": fact.event.track_id, "part": fact.sequence} for fact in facts])
        sums.add([{"id": "all", "times": new}])

    await provision(any_settings)
    async with running(App(name="beside", routers=(router,)), any_settings) as floor:
        events = tuple(TrackDescribed(track_id=TrackId("a"), about=str(n), job_id="j") for n in range(7))
        await floor.seen(await floor.log.append(Decision(entity_id="a", events=events, expected=None)))
        sums: Table = floor.tables.live(BesideRow)
        assert [row["times"] for row in await floor.tables.all(select(sums))] == [7]


def test_a_table_is_kept_once() -> None:
    """One that stands beside another is nobody else's."""
    router = Router()
    router.keeps(WrittenRow, BesideRow, hears=(TrackDescribed,))(lambda facts, rows, sums: None)
    router.keeps(BesideRow, hears=(TrackDescribed,))(lambda facts, sums: None)
    with pytest.raises(ValueError, match="test_beside twice"):
        App(name="beside", routers=(router,))


def test_a_table_with_other_columns_is_dropped_with_its_position(any_settings: Settings) -> None:
    """A read model of an earlier version is built anew from the log; one that is as declared stays."""
    database = Database.open(any_settings, "changed", "read")
    before = Table(TABLE.name, MetaData(), Column("name", String(40), primary_key=True), Column("gone", Text))
    database.create(positions, before)
    with database.engine.begin() as connection:
        connection.execute(positions.insert(), {"table_name": TABLE.name, "stream": "S", "position": 7})
    assert database.drop_if_changed(TABLE)
    database.create(TABLE)
    with database.engine.connect() as connection:
        assert connection.execute(select(positions)).all() == []
        assert connection.execute(select(TABLE)).all() == []
    assert not database.drop_if_changed(TABLE)
    database.close()
