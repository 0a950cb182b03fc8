"""Looking up rows by their keys: what SQLAlchemy would find, without its way there."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Column, LargeBinary, MetaData, String, Table, bindparam, insert, select, union

from tonetouch_runtime import Settings
from tonetouch_runtime._tables import Database

SONGS = Table(
    "songs",
    MetaData(),
    Column("id", String(10), primary_key=True),
    Column("key", LargeBinary, index=True),
    Column("tags", JSON),
)
BY_ID = select(SONGS.c.id, SONGS.c.key).where(SONGS.c.id.in_(bindparam("ids", type_=String, expanding=True)))
BETWEEN = select(SONGS.c.id).where(SONGS.c.key.between(bindparam("low"), bindparam("high"))).order_by(SONGS.c.id)
EITHER = union(BETWEEN.order_by(None), select(SONGS.c.id).where(SONGS.c.id == "s7"))


@pytest.fixture(name="songs")
async def _songs(settings: Settings) -> AsyncIterator[Database]:
    database = Database.open(settings, "looking", "read")
    database.create(SONGS)
    rows = [{"id": f"s{number}", "key": bytes([number]), "tags": ["x"]} for number in range(30)]
    await database.write(lambda connection: connection.execute(insert(SONGS), rows))
    yield database
    database.close()


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(numbers=st.lists(st.integers(0, 60), max_size=60))
async def test_a_list_finds_what_it_names(songs: Database, numbers: list[int]) -> None:
    """However long it is, whatever is named twice or is not there; an empty one finds nothing."""
    found = await songs.look(BY_ID, {"ids": [f"s{number}" for number in numbers]})
    assert sorted(found) == sorted((f"s{number}", bytes([number])) for number in set(numbers) if number < 30)


async def test_a_statement_keeps_its_own_values(songs: Database) -> None:
    """Limits and constants are the statement's, bounds are the caller's."""
    assert await songs.look(BETWEEN.limit(2), {"low": b"\x03", "high": b"\x08"}) == [("s3",), ("s4",)]
    assert sorted(await songs.look(EITHER, {"low": b"\x01", "high": b"\x01"})) == [("s1",), ("s7",)]


async def test_a_look_sees_what_was_committed_since(songs: Database) -> None:
    """No transaction is left open between two looks."""
    values = {"low": b"\xfe", "high": b"\xff"}
    assert await songs.look(BETWEEN, values) == []
    await songs.write(lambda connection: connection.execute(insert(SONGS), {"id": "new", "key": b"\xff", "tags": []}))
    assert await songs.look(BETWEEN, values) == [("new",)]


async def test_what_would_have_to_be_converted_is_refused(songs: Database) -> None:
    """A look gives what SQLite holds: a list that it holds as text would come as text."""
    with pytest.raises(ValueError, match="tags is no plain value"):
        await songs.look(select(SONGS.c.tags), {})


async def test_a_list_without_end_is_refused(songs: Database) -> None:
    """SQLite bounds the values of a statement."""
    with pytest.raises(ValueError, match="1001 values"):
        await songs.look(BY_ID, {"ids": ["x"] * 1001})
