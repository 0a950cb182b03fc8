"""A service is killed while it makes a read model anew: nothing is lost, nothing counted twice, and it goes on."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.runtime.installation import provision
from tests.runtime.processes import Service, service, variables
from tests.runtime.rebuilding.telling import SLOW
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.operating import ListRebuilds, RebuildTables, TablesRebuild
from tonetouch_contracts.track import TrackDescribed
from tonetouch_runtime import Bus, Decision, Log, Settings, SystemClock, Unavailable
from tonetouch_runtime._standing import copy_of
from tonetouch_runtime._tables import Database, table_of

EVENTS = 4_000
"""Several batches, each of them a transaction: what a kill takes of one is read again."""

PROGRAM = f"""
import asyncio, dataclasses, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from tests.runtime.rebuilding.telling import APP
from tonetouch_runtime import Settings, running
from tonetouch_runtime.rebuilding.rebuilding import Rebuilding

async def serve():
    async with running(APP, Settings()) as floor:
        rebuilding = floor.get(Rebuilding)
        rebuilding.ground = dataclasses.replace(rebuilding.ground, apart_from=1)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(serve())
"""


async def tell(bus: Bus) -> None:
    """Fill the log."""
    log = Log(bus, SystemClock(), service="catalog")
    for start in range(0, EVENTS, 100):
        said = [
            TrackDescribed(track_id=TrackId(f"t{n}"), about=f"{n % 7}", job_id="j") for n in range(start, start + 100)
        ]
        await log.append(*(Decision(entity_id=one.track_id, events=(one,), expected=None) for one in said))


async def the_last(bus: Bus) -> TablesRebuild | None:
    """The last rebuild; none while nobody answers."""
    try:
        found = (await bus.ask(ListRebuilds(), service="catalog", timeout=5.0)).value.rebuilds
    except Unavailable:
        return None
    return found[0] if found else None


async def past(bus: Bus, done: int) -> TablesRebuild:
    """The last rebuild, once it has read so many events, or is over."""
    async with asyncio.timeout(60):
        while (found := await the_last(bus)) is None or (found.done < done and found.ended_at is None):
            await asyncio.sleep(0.02)
    return found


def children_of(running: Service) -> list[int]:
    """The processes that a service has started."""
    pid = running.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def gone(pid: int) -> None:
    """Wait until a process is no more."""
    async with asyncio.timeout(20):
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
            await asyncio.sleep(0.02)


@pytest.mark.timeout(180)
async def test_killed_in_the_middle_it_goes_on_where_it_was(any_settings: Settings, tmp_path: Path) -> None:
    """First the process that fills, then the service, with which the process ends; each event is counted once."""
    await provision(any_settings)
    environment = variables(any_settings) | {SLOW: "0.001"}
    environment["TONETOUCH_DATABASE_URL"] = any_settings.database_url.get_secret_value()
    bus = await Bus.connect(any_settings.nats_url, "test")
    try:
        await tell(bus)
        with service(tmp_path, environment, PROGRAM) as first:
            await asyncio.to_thread(first.until, lambda: "ready" in first.said)
            await bus.ask(RebuildTables(operator="olga", table="test_told"), service="catalog")
            assert (await past(bus, 1)).ended_at is None
            [filling] = children_of(first)
            os.kill(filling, signal.SIGKILL)
            reached = (await past(bus, EVENTS // 4)).done
            assert reached < EVENTS, "it was killed too late"
            [filling] = children_of(first)
            first.tell(signal.SIGKILL)
            await gone(filling)
        with service(tmp_path, environment | {SLOW: "0"}, PROGRAM):
            done = await past(bus, 10**9)
    finally:
        await bus.close()
    assert (done.phase, done.problem) == ("switched", "")
    assert [(one.rows, one.different) for one in done.comparisons] == [(EVENTS, 0), (7, 0)]
    assert counted(any_settings, done.stands_as.replace("test_told", "test_told_counts")) == EVENTS


def counted(settings: Settings, name: str) -> int:
    """The sum over all texts in a table of counts."""
    from tests.runtime.rebuilding.telling import CountRow

    database = Database.open(settings, "catalog", "read")
    try:
        with database.engine.connect() as connection:
            found = connection.execute(copy_of(table_of(CountRow), name).select()).all()
    finally:
        database.close()
    return sum(row.times for row in found)
