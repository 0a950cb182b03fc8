"""Read models: positions never go back and no event is applied twice, also where two keep the same tables."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import Field, SQLModel

from tests.runtime.installation import provision
from tests.runtime.test_app import until
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import TrackDescribed
from tonetouch_runtime import App, Decision, Floor, Recorded, Settings, Writer, running
from tonetouch_runtime._keeping import Keeper
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._projecting import Projection
from tonetouch_runtime._tables import Database, positions, table_of


class CountedRow(SQLModel, table=True):
    """How often an entity was described: a column that shows every event applied twice."""

    __tablename__ = "test_counted"
    id: str = Field(primary_key=True)
    times: int | None = None


def count(facts: Sequence[Recorded[Any]], rows: Writer) -> None:
    for fact in facts:
        row = rows.get([fact.event.track_id]).get(fact.event.track_id)
        rows.upsert([{"id": fact.event.track_id, "times": 1 + (row["times"] if row else 0)}])


TABLE = table_of(CountedRow)
COUNTING = Projection(name="test_counted", table=TABLE, hears=frozenset({TrackDescribed}), project=count)


@pytest.fixture(name="floor")
async def _floor(settings: Settings) -> AsyncIterator[Floor]:
    await provision(settings)
    async with running(App(name="replicated"), settings) as floor:
        yield floor


async def describe(floor: Floor, times: int) -> None:
    events = tuple(TrackDescribed(track_id=TrackId("a"), about=str(n), job_id="j") for n in range(times))
    await floor.log.append(Decision(entity_id="a", events=events, expected=None))


async def counted(database: Database) -> int | None:
    return await database.read(lambda connection: connection.execute(select(TABLE.c.times)).scalar())


async def test_two_replicas_keep_the_same_tables(floor: Floor, settings: Settings) -> None:
    """Each event is counted once, whichever of the two comes first, and both know where the tables are."""
    databases = [Database.open(settings, "replicated", "read") for _ in range(2)]
    databases[0].create(positions, TABLE)
    keepers = [
        Keeper(floor.bus, "CATALOG", [COUNTING], database, Lot(floor.state, floor.clock)) for database in databases
    ]
    await describe(floor, 300)
    running_keepers = [asyncio.create_task(keeper.run()) for keeper in keepers]
    try:
        for _ in range(5):
            await describe(floor, 100)
        await until(lambda: all(keeper.position == 800 for keeper in keepers))
        assert await counted(databases[0]) == 800
    finally:
        for task in running_keepers:
            task.cancel()
        await asyncio.wait(running_keepers)
        for database in databases:
            database.close()


async def test_a_position_never_goes_back(floor: Floor, settings: Settings) -> None:
    """A replica that lags behind finds the tables further on: it adopts their position and changes no row."""
    database = Database.open(settings, "replicated", "read")
    database.create(positions, TABLE)
    keeper = Keeper(floor.bus, "CATALOG", [COUNTING], database, Lot(floor.state, floor.clock))
    try:
        await database.write(keeper._load_positions)
        ahead = positions.update().values(position=1000)
        await database.write(lambda connection: connection.execute(ahead))
        await describe(floor, 5)
        lagging = asyncio.create_task(keeper.run())
        keeper._positions = {"test_counted": 0}
        (recorded, *_) = await floor.log.history("CATALOG", "a")
        reached = await database.write(lambda c: keeper._project_all(c, [COUNTING], [recorded], recorded.sequence))
        assert reached == {"test_counted": 1000}
        assert await counted(database) is None
        lagging.cancel()
        await asyncio.wait({lagging})
    finally:
        database.close()
