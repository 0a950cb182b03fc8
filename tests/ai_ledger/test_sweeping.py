"""Attempts without an end are closed, each of them once."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import update

from tests.ai_ledger.jobs import recorded, started
from tonetouch_ai_ledger.job import Job, close
from tonetouch_ai_ledger.recording import RUNNING, AIJobRow
from tonetouch_ai_ledger.sweeping import Sweep
from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import JobRecorded, ListJobs
from tonetouch_runtime import Floor, stamp

LONG_AGO = stamp(datetime.now(UTC) - timedelta(minutes=11))


async def ends(floor: Floor, job_id: str) -> list[JobRecorded]:
    """What the log says about the ends of a job."""
    history = await floor.log.history("AI", job_id)
    return [fact.event for fact in history if isinstance(fact.event, JobRecorded)]


async def test_only_what_is_overdue_and_has_no_end_is_closed(floor: Floor) -> None:
    """Its outcome is unknown, and so is what it used."""
    for event in (
        started("forsaken", provider="cloudflare", started_at=LONG_AGO),
        started("ended", started_at=LONG_AGO),
        recorded("ended", started_at=LONG_AGO),
        started("working", started_at=stamp(datetime.now(UTC) - timedelta(minutes=1))),
    ):
        positions = await floor.log.pour(event)
    await floor.seen(positions)
    assert await floor.get(Sweep).once() == 1
    [end] = await ends(floor, "forsaken")
    assert (end.outcome, end.prompt_tokens, end.cost_pico_usd, end.usage_source) == ("unknown", None, None, "none")
    assert await ends(floor, "working") == []
    positions = {"AI": (await floor.log.history("AI", "forsaken"))[-1].sequence}
    view = (await floor.ask(ListJobs(job_id=JobId("forsaken")), after=positions)).value.items[0]
    assert view.outcome == "unknown"
    assert await floor.get(Sweep).once() == 0


async def test_an_attempt_whose_end_the_table_has_not_seen_is_not_closed(floor: Floor) -> None:
    """The table may lag; the log decides."""
    await floor.log.pour(started("j1", started_at=LONG_AGO))
    await floor.seen(await floor.log.pour(recorded("j1", started_at=LONG_AGO)))
    table = floor.tables.live(AIJobRow)
    lagging = update(table).values(outcome=RUNNING, recorded_at=None)
    await floor.read.write(lambda connection: connection.execute(lagging))
    assert await floor.get(Sweep).once() == 0
    assert len(await ends(floor, "j1")) == 1


async def test_of_a_late_writer_and_several_sweepers_one_end_counts(floor: Floor) -> None:
    """All of them decide on the job itself, so the log lets one through."""
    await floor.seen(await floor.log.pour(started("j1", started_at=LONG_AGO)))
    late = recorded("j1", started_at=LONG_AGO)
    writing = floor.log.transact("AI", "j1", Job(), lambda job: close(job, late))
    sweeps = [Sweep(floor).once() for _ in range(4)]
    await asyncio.gather(writing, *sweeps)
    assert len(await ends(floor, "j1")) == 1


@pytest.mark.parametrize("minutes", [1, 5])
async def test_how_long_an_attempt_may_take_can_be_set(floor: Floor, minutes: int) -> None:
    """An installation whose models are slower than ours waits longer."""
    began = stamp(datetime.now(UTC) - timedelta(minutes=3))
    await floor.seen(await floor.log.pour(msgspec.structs.replace(started("j1"), started_at=began)))
    assert await Sweep(floor, older_than=timedelta(minutes=minutes)).once() == (1 if minutes < 3 else 0)
