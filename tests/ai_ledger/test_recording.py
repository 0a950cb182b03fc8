"""The ledger's rows and the questions to them, on SQLite and on PostgreSQL."""

from itertools import permutations
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, select
from sqlmodel import SQLModel
from structlog.testing import capture_logs

from tests.ai_ledger.jobs import recorded, repriced, started
from tests.postgresql import drop_read_database
from tests.runtime.installation import provision
from tonetouch_ai_ledger.app import app
from tonetouch_ai_ledger.recording import AIJobRow, keep_jobs
from tonetouch_ai_ledger.usage import UsageDayRow, UsageUserRow
from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import Considered, JobView, ListJobs, Quantity
from tonetouch_contracts.message import Event, Positions
from tonetouch_runtime import Floor, Recorded, Refused, Settings, Writer, running


async def jobs(floor: Floor, after: Positions | None = None, **asked: Any) -> list[JobView]:
    """One page of the ledger."""
    return list((await floor.ask(ListJobs(**asked), after=after)).value.items)


async def test_an_attempt_runs_until_its_end_is_recorded(floor: Floor) -> None:
    """What is not known yet is null, never zero."""
    positions = await floor.log.pour(started("j1"))
    [view] = await jobs(floor, positions)
    assert (view.outcome, view.recorded_at, view.prompt_tokens, view.cost_pico_usd) == ("running", None, None, None)
    assert (view.id, view.attempt, view.subject, view.feature) == ("j1", 1, "track:t1", "ingest.embed")
    positions = await floor.log.pour(recorded("j1"))
    assert await jobs(floor, positions) == [view_of(recorded("j1"))]


def view_of(event: Any) -> JobView:
    """The row that one `job.recorded` makes by itself."""
    columns = msgspec.structs.asdict(event)
    return JobView(id=columns.pop("job_id"), **columns)


async def test_each_attempt_is_a_row(floor: Floor) -> None:
    """A job that was tried again has as many rows as attempts, each with its own end."""
    first = recorded("j1", 1, outcome="failed", error="too busy", started_at="2026-01-01T00:00:00.000000Z")
    second = recorded("j1", 2, started_at="2026-01-01T00:00:05.000000Z")
    await floor.log.pour(first)
    positions = await floor.log.pour(second)
    assert await jobs(floor, positions, job_id=JobId("j1")) == [view_of(second), view_of(first)]


async def test_rows_are_found_by_subject_type_feature_and_job(floor: Floor) -> None:
    """What is asked for together must hold together."""
    events = [
        recorded("j1", subject="track:a", type="embeddings", feature="ingest.embed"),
        recorded("j2", subject="track:a", type="chat", feature="ingest.write_about"),
        recorded("j3", subject="track:b", type="chat", feature="search"),
    ]
    positions = await floor.log.pour(*events)
    for asked, expected in (
        ({"subject": "track:a"}, {"j1", "j2"}),
        ({"type": "chat"}, {"j2", "j3"}),
        ({"feature": "search"}, {"j3"}),
        ({"job_id": "j1"}, {"j1"}),
        ({"subject": "track:a", "type": "chat"}, {"j2"}),
        ({"subject": "track:c"}, set()),
        ({"subject": "nul\0"}, set()),
    ):
        assert {view.id for view in await jobs(floor, positions, **asked)} == expected, asked


async def test_the_list_pages_from_the_newest_start_without_gap_or_repetition(floor: Floor) -> None:
    """An attempt keeps its place when it ends, and attempts that start between two pages move nothing."""
    for number in range(5):
        positions = await floor.log.pour(started(f"j{number}", started_at=f"2026-01-01T00:00:0{number // 2}.000000Z"))
    first = (await floor.ask(ListJobs(limit=2), after=positions)).value
    await floor.log.pour(started("newer", started_at="2026-01-01T00:01:00.000000Z"))
    positions = await floor.log.pour(recorded("j0"))
    second = (await floor.ask(ListJobs(limit=2, cursor=first.next_cursor), after=positions)).value
    third = (await floor.ask(ListJobs(limit=2, cursor=second.next_cursor))).value
    assert [view.id for page in (first, second, third) for view in page.items] == ["j4", "j3", "j2", "j1", "j0"]
    assert third.next_cursor is None


async def test_a_malformed_page_is_refused(floor: Floor) -> None:
    """Limits are from 1 to 200 and cursors are ours."""
    malformed: list[dict[str, Any]] = [{"limit": 0}, {"limit": 201}, {"cursor": "%%"}, {"cursor": "WzFd"}]
    for asked in malformed:
        with pytest.raises(Refused) as refused:
            await floor.ask(ListJobs(**asked))
        assert refused.value.problem.code == "invalid", asked


async def test_in_whichever_order_start_and_end_come_the_row_is_the_same(floor: Floor) -> None:
    """And so it is in one batch or in two, once or twice."""
    begin, end = fact(1, started("j1")), fact(2, recorded("j1"))
    lived = await rows_after(floor, [[begin], [end]])
    assert len(lived) == 1
    for order in permutations([begin, end, begin, end]):
        assert await rows_after(floor, [list(order)]) == lived
        assert await rows_after(floor, [[one] for one in order]) == lived


async def test_the_same_attempt_with_other_content_is_an_alarm(floor: Floor) -> None:
    """What was recorded first stays, the row says where it was contradicted, and the log says it aloud."""
    first, other = recorded("j1"), recorded("j1", cost_pico_usd=1)
    for batches in ([[fact(1, first)], [fact(2, other)]], [[fact(1, first), fact(2, other), fact(3, recorded("j2"))]]):
        with capture_logs() as logs:
            rows = await rows_after(floor, batches)
        assert [entry["event"] for entry in logs] == ["job_contradicted"]
        assert rows[0]["cost_pico_usd"] == first.cost_pico_usd
        assert rows[0]["contradicted_at"] == 2
        assert all(row["contradicted_at"] is None for row in rows[1:])


async def test_a_start_that_says_something_else_is_an_alarm_too(floor: Floor) -> None:
    """Two writers under one job id are a fault, whichever of their words come first."""
    begin, other = fact(1, started("j1")), fact(2, started("j1", model="large"))
    for batches in ([[begin, other]], [[begin], [fact(3, recorded("j1"))], [other]]):
        with capture_logs() as logs:
            rows = await rows_after(floor, batches)
        assert [entry["event"] for entry in logs] == ["job_contradicted"]
        assert (rows[0]["model"], rows[0]["contradicted_at"]) == ("small", 2)


def fact(sequence: int, event: Event) -> Recorded[Any]:
    """A fact at a place in AI."""
    return Recorded(event=event, stream="AI", sequence=sequence, id=str(sequence), time="2026-01-01T00:00:00.000000Z")


async def rows_after(floor: Floor, batches: list[list[Recorded[Any]]]) -> list[dict[str, Any]]:
    """The rows made by these batches alone."""
    table, *sums = (floor.tables.live(row) for row in (AIJobRow, UsageDayRow, UsageUserRow))

    def keep(connection: Any) -> list[dict[str, Any]]:
        for one in (table, *sums):
            connection.execute(delete(one))
        for batch in batches:
            keep_jobs(batch, *(Writer(connection, one) for one in (table, *sums)))
        return [dict(row) for row in connection.execute(select(table).order_by(table.c.job_id)).mappings()]

    return await floor.read.write(keep)


async def test_a_rebuild_gives_the_rows_that_were_lived(any_settings: Settings) -> None:
    """Dropped and read again from the log, the ledger is what it was."""
    await provision(any_settings)
    async with running(app, any_settings) as floor:
        for number in range(30):
            await floor.log.pour(started(f"j{number}"))
            positions = await floor.log.pour(
                recorded(f"j{number // 2}", latency_ms=number + 0.1, user=f"u{number % 3}")
            )
        await floor.seen(positions, 20.0)
        lived = await every_row(floor)
        summed = [await every_row_of(floor, kind) for kind in (UsageDayRow, UsageUserRow)]
        assert [sum(row["calls"] for row in rows) for rows in summed] == [15, 15]
        assert sum(row["contradicted_at"] is not None for row in lived) == 15
    drop_read_database(any_settings, "ai-ledger")
    async with running(app, any_settings) as floor:
        await floor.seen(positions, 20.0)
        assert await every_row(floor) == lived
        assert [await every_row_of(floor, kind) for kind in (UsageDayRow, UsageUserRow)] == summed


async def every_row(floor: Floor) -> list[dict[str, Any]]:
    return await every_row_of(floor, AIJobRow)


async def every_row_of(floor: Floor, kind: type[SQLModel]) -> list[dict[str, Any]]:
    table = floor.tables.live(kind)
    return [dict(row) for row in await floor.tables.all(select(table).order_by(*table.primary_key))]


async def sums_after(floor: Floor, batches: list[list[Recorded[Any]]]) -> list[dict[str, Any]]:
    """The sums that these batches make, by day and by user."""
    await rows_after(floor, batches)
    return [*await every_row_of(floor, UsageDayRow), *await every_row_of(floor, UsageUserRow)]


async def test_the_sums_count_an_attempt_once_however_it_comes(floor: Floor) -> None:
    """Twice or contradicted, in one batch or in many, before its start or after it: the sums say what the rows say."""
    one, other = recorded("j1", user="u1", cost_pico_usd=5), recorded("j2", outcome="failed", cost_pico_usd=None)
    facts = [fact(1, started("j1")), fact(2, one), fact(3, other), fact(4, recorded("j1", cost_pico_usd=99))]
    whole = await sums_after(floor, [facts])
    for order in permutations([*facts[:3], fact(5, one)]):
        together, apart = [[*order, facts[3]]], [[one] for one in (*order, facts[3])]
        assert await sums_after(floor, together) == whole
        assert await sums_after(floor, apart) == whole
    assert [(row["outcome"], row["calls"], row["cost_pico_usd"], row["unpriced"]) for row in whole[:2]] == [
        ("failed", 1, 0, 1),
        ("succeeded", 1, 5, 0),
    ]
    assert sum(row["calls"] for row in whole[2:]) == 2


async def test_a_correction_stands_beside_the_cost_and_the_latest_counts(floor: Floor) -> None:
    """Twice is once, an older one that comes late changes nothing, and one of nothing is an alarm."""
    end, first, second = (
        fact(1, recorded("j1", cached_tokens=9)),
        fact(2, repriced("j1", 7)),
        fact(3, repriced("j1", 8)),
    )
    expected = await sums_after(floor, [[end, first, second]])
    for batches in ([[end], [first], [second]], [[end, second], [second, first]], [[end, first, first], [second]]):
        assert await sums_after(floor, batches) == expected
        [row] = await every_row(floor)
        assert (row["cost_pico_usd"], row["repriced_pico_usd"], row["repriced_by"]) == (5_600_000_000, 8, 3)
    assert [(row["cost_pico_usd"], row["prompt_hits"], row["prompt_hit_pico_usd"]) for row in expected] == [
        (8, 1, 8)
    ] * 2
    with capture_logs() as logs:
        assert await sums_after(floor, [[first], [fact(4, started("j1")), fact(5, repriced("j1", 1))]]) == []
    assert [entry["event"] for entry in logs] == ["correction_of_nothing"] * 2


async def test_small_structures_come_back_as_they_were_said(floor: Floor) -> None:
    """Quantities and the targets that were looked at, of a start as of an end."""
    looked_at = (Considered(target="big", cost_pico_usd=None, passed_over="it is being left alone"),)
    used = (Quantity(unit="token", direction="input", amount=3, cache="write_1h"),)
    await floor.log.pour(started("j1", considered=looked_at))
    positions = await floor.log.pour(recorded("j2", considered=looked_at, quantities=used, raw_usage="{}"))
    ended, begun = sorted(await jobs(floor, positions), key=lambda view: view.outcome == "running")
    assert (begun.considered, begun.quantities) == (looked_at, ())
    assert (ended.considered, ended.quantities, ended.raw_usage) == (looked_at, used, "{}")
