"""A read model is made anew beside the live one, compared, and takes its place; readers never see less than before."""

import asyncio
import threading
from dataclasses import replace

import pytest
from sqlalchemy import Column, MetaData, Table, Text, delete, insert, update

from tests.runtime.installation import provision
from tests.runtime.rebuilding.telling import (
    CountRow,
    Running,
    ToldRow,
    ask,
    broken,
    describe,
    hold,
    keep,
    over,
    rows,
    the_last,
    there,
)
from tonetouch_contracts.operating import (
    CancelTables,
    ContinueTables,
    DropTables,
    ListOperations,
    ListRebuilds,
    PausePart,
    RebuildTables,
    ResumePart,
    SwitchTables,
    VerifyTables,
)
from tonetouch_contracts.track import TrackDescribed
from tonetouch_runtime import App, Floor, Refused, Router, Settings, running
from tonetouch_runtime._standing import copy_of
from tonetouch_runtime._tables import table_of
from tonetouch_runtime.rebuilding.rebuild import rebuilds
from tonetouch_runtime.rebuilding.rebuilding import Rebuilding


async def spoil(floor: Floor) -> None:
    """A row that the log does not say."""
    table = floor.tables.live(ToldRow)
    await floor.read.write(lambda connection: connection.execute(update(table).values(about="wrong")))


async def test_new_tables_take_the_place_of_the_live_ones(floor: Floor) -> None:
    """With those beside them, and they go on from there; the replaced ones are kept until they are dropped."""
    await describe(floor, ("a", "one"), ("b", "two"), ("a", "two"))
    before = await rows(floor), await rows(floor, CountRow)
    await ask(floor, RebuildTables(operator="olga", table="test_told"))
    done = await over(floor, "switched")
    assert floor.tables.live(ToldRow).name == "test_told__2"
    assert floor.tables.live(CountRow).name == "test_told_counts__2"
    assert (await rows(floor), await rows(floor, CountRow)) == before
    assert [(one.table, one.live_rows, one.rows, one.different) for one in done.comparisons] == [
        ("test_told", 2, 2, 0),
        ("test_told_counts", 2, 2, 0),
    ]
    await describe(floor, ("c", "two"))
    assert await rows(floor, CountRow) == [("one", 1), ("two", 3)]
    assert done.replaced_kept


async def test_nobody_hears_of_a_switch_before_it_shows(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are replaced first and asked a moment later; who follows the rebuild hears of it when they are."""
    begun, go_on, refresh = threading.Event(), threading.Event(), floor.tables.refresh

    def late() -> None:
        begun.set()
        go_on.wait()
        refresh()

    monkeypatch.setattr(floor.tables, "refresh", late)
    await describe(floor, ("a", "one"))
    await ask(floor, RebuildTables(operator="olga", table="test_told"))

    async def heard() -> tuple[str, str]:
        [found] = (await ask(floor, ListRebuilds())).rebuilds
        return found.phase, floor.tables.live(ToldRow).name

    await asyncio.to_thread(begun.wait)
    hearing = asyncio.create_task(heard())
    try:
        for _ in range(3):  # whoever asks later is answered meanwhile
            await ask(floor, ListOperations())
    finally:
        go_on.set()
    assert await hearing == ("switched", "test_told__2")


async def test_replaced_tables_are_dropped_when_nobody_asks_them_any_more(running_service: Running) -> None:
    """Not before a while has passed: a question may have begun on them. The live ones are never dropped."""
    async with running_service() as floor:
        await describe(floor, ("a", "one"))
        await ask(floor, RebuildTables(operator="olga", table="test_told"))
        done = await over(floor, "switched")
        with pytest.raises(Refused) as early:
            await ask(floor, DropTables(id=done.id, operator="olga"))
        assert early.value.problem.code == "not_yet"
        assert there(floor, "test_told")
        earlier = rebuilds.update().values(ended_at="2026-01-01T00:00:00.000000Z")
        await floor.read.write(lambda connection: connection.execute(earlier))
        assert not (await ask(floor, DropTables(id=done.id, operator="olga"))).replaced_kept
        assert not there(floor, "test_told") and not there(floor, "test_told_counts")
        with pytest.raises(Refused, match="nothing to drop"):
            await ask(floor, DropTables(id=done.id, operator="olga"))
    async with running_service() as floor:
        assert await rows(floor) == [("a", "one")]
        assert not there(floor, "test_told"), "what was dropped is not made again"


async def test_rows_that_differ_wait_for_a_decision(floor: Floor) -> None:
    """What differs is shown by key and column; the live tables stay until somebody says otherwise."""
    await describe(floor, ("a", "one"), ("b", "two"))
    await spoil(floor)
    await ask(floor, RebuildTables(operator="olga", table="test_told"))
    found = await over(floor, "compared")
    [told, counts] = found.comparisons
    assert (told.different, told.missing, told.extra, counts.different) == (2, 0, 0, 0)
    [first, _] = told.examples
    assert (first.key, first.live, first.anew) == ({"id": "a"}, {"about": "wrong"}, {"about": "one"})
    assert await rows(floor) == [("a", "wrong"), ("b", "wrong")]
    await describe(floor, ("c", "three"))
    await ask(floor, SwitchTables(id=found.id, operator="olga", reason="the old rows are wrong"))
    await over(floor, "switched")
    assert await rows(floor) == [("a", "one"), ("b", "two"), ("c", "three")]


async def test_rows_that_one_of_both_lacks_are_counted(floor: Floor) -> None:
    """Missing is what only the live table has, extra what only the new one has."""
    await describe(floor, ("a", "one"), ("b", "two"))
    table = floor.tables.live(ToldRow)
    await floor.read.write(lambda to: to.execute(delete(table).where(table.c.id == "a")))
    await floor.read.write(lambda to: to.execute(insert(table).values(id="z", about="nobody said so")))
    await ask(floor, VerifyTables(operator="olga", table="test_told"))
    [told, _] = (await over(floor, "verified")).comparisons
    assert (told.live_rows, told.rows, told.missing, told.extra, told.different) == (2, 2, 1, 1, 0)
    assert [(one.key["id"], one.live, one.anew) for one in told.examples] == [
        ("z", {"about": "nobody said so"}, None),
        ("a", None, {"about": "one"}),
    ]


async def test_verifying_leaves_everything_as_it_is(floor: Floor) -> None:
    """Every row is compared, and the scratch tables are gone afterwards."""
    await describe(floor, ("a", "one"))
    await ask(floor, VerifyTables(operator="olga"))
    done = await over(floor, "verified")
    assert not there(floor, done.stands_as)
    assert floor.tables.live(ToldRow).name == "test_told"
    assert [(one.rows, one.different) for one in done.comparisons] == [(1, 0), (1, 0)]


async def test_readers_see_every_row_all_the_while(floor: Floor) -> None:
    """Events come in and are counted during the whole of it, and none is lost or counted twice."""
    await describe(floor, *((f"t{number}", "before") for number in range(50)))
    seen, is_over = list[int](), asyncio.Event()

    async def read() -> None:
        while not is_over.is_set():
            seen.append(len(await rows(floor)))

    async def say() -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            await describe(floor, (f"u{number}", "meanwhile"))

    async with asyncio.TaskGroup() as group:
        group.create_task(read())
        group.create_task(say())
        for number in range(2, 5):
            await ask(floor, RebuildTables(operator="olga", table="test_told"))
            async with asyncio.timeout(20):
                while (found := await the_last(floor)).stands_as != f"test_told__{number}" or found.ended_at is None:
                    await asyncio.sleep(0.01)
            assert found.phase == "switched", found.problem
        is_over.set()
    assert seen == sorted(seen) and seen[0] >= 50
    total = len(await rows(floor))
    assert await rows(floor, CountRow) == [("before", 50), ("meanwhile", total - 50)]


async def test_a_rebuild_that_is_cancelled_can_go_on(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps what it has, and the live tables answer meanwhile."""
    await describe(floor, ("a", "one"), ("b", "two"))
    holding = hold(floor, monkeypatch)
    await ask(floor, RebuildTables(operator="olga", table="test_told"))
    await holding.is_reached(floor)
    with pytest.raises(Refused, match="under way"):
        await ask(floor, RebuildTables(operator="olga", table="test_told"))
    running_one = await the_last(floor)
    cancelled = await ask(floor, CancelTables(id=running_one.id, operator="olga"))
    assert (cancelled.phase, cancelled.kept) == ("cancelled", True)
    assert await rows(floor) == [("a", "one"), ("b", "two")]
    holding.release()
    await describe(floor, ("c", "three"))
    await ask(floor, ContinueTables(id=running_one.id, operator="olga"))
    async with asyncio.timeout(20):
        while (done := await the_last(floor)).phase != "switched":
            await asyncio.sleep(0.02)
    assert done.id == running_one.id
    assert await rows(floor) == [("a", "one"), ("b", "two"), ("c", "three")]


async def test_what_was_cancelled_can_be_dropped(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is left, and the next one has other names."""
    await describe(floor, ("a", "one"))
    holding = hold(floor, monkeypatch)
    await ask(floor, RebuildTables(operator="olga", table="test_told"))
    await holding.is_reached(floor)
    found = await the_last(floor)
    await ask(floor, CancelTables(id=found.id, operator="olga"))
    holding.release()
    assert not (await ask(floor, DropTables(id=found.id, operator="olga"))).kept
    assert not there(floor, "test_told__2")
    await ask(floor, RebuildTables(operator="olga", table="test_told"))
    assert (await over(floor, "switched")).stands_as == "test_told__3"


async def test_a_service_that_is_stopped_in_the_middle_goes_on_when_it_starts(
    running_service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whatever step: nobody has to ask again."""
    for step in ("filling", "indexing", "comparing"):
        async with running_service() as floor:
            await describe(floor, (f"before-{step}", "one"), ("a", step))
            holding = hold(floor, monkeypatch, step)
            await ask(floor, RebuildTables(operator="olga", table="test_told"))
            await holding.is_reached(floor)
        holding.release()
        async with running_service() as floor:
            await over(floor, "switched")
            assert (await rows(floor))[0] == ("a", step)
            assert (
                sum(times for _, times in await rows(floor, CountRow))
                == (await floor.bus.jetstream.stream_info("CATALOG")).state.messages
            )


async def test_an_event_that_breaks_the_new_table_stops_it(floor: Floor) -> None:
    """Somebody is watching a rebuild; the live table would have parked it. It goes on when the bug is mended."""
    await describe(floor, ("a", "one"), ("b", "two"))
    broken.add("two")
    await ask(floor, RebuildTables(operator="olga", table="test_told"))
    async with asyncio.timeout(20):
        while (failed := await the_last(floor)).phase != "failed":
            await asyncio.sleep(0.02)
    assert "CATALOG@2" in failed.problem and "a bug" in failed.problem
    broken.clear()
    await ask(floor, ContinueTables(id=failed.id, operator="olga"))
    async with asyncio.timeout(20):
        while (await the_last(floor)).phase != "switched":
            await asyncio.sleep(0.02)
    assert await rows(floor) == [("a", "one"), ("b", "two")]


async def test_what_the_live_table_has_parked_is_parked_again(floor: Floor) -> None:
    """With what waits behind it: the new table lacks what the old one lacked, and nothing else."""
    broken.add("two")
    await describe(floor, ("a", "one"), ("b", "two"), ("b", "three"))
    await ask(floor, RebuildTables(operator="olga", table="test_told"))
    await over(floor, "switched")
    assert await rows(floor) == [("a", "one")]
    await describe(floor, ("b", "four"), ("a", "five"))
    assert await rows(floor) == [("a", "five")], "later events of the entity still wait"


async def test_tables_whose_columns_changed_meanwhile_begin_anew(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new release may take up what an old one began."""
    await describe(floor, ("a", "one"))
    holding = hold(floor, monkeypatch)
    await ask(floor, RebuildTables(operator="olga", table="test_told"))
    await holding.is_reached(floor)
    found = await the_last(floor)
    await ask(floor, CancelTables(id=found.id, operator="olga"))
    holding.release()
    of_old = copy_of(table_of(ToldRow), "test_told__2")
    await floor.read.write(lambda to: of_old.drop(to))
    await floor.read.write(lambda to: Table(of_old.name, MetaData(), Column("formerly", Text)).create(to))
    await ask(floor, ContinueTables(id=found.id, operator="olga"))
    async with asyncio.timeout(20):
        while (await the_last(floor)).phase != "switched":
            await asyncio.sleep(0.02)
    assert await rows(floor) == [("a", "one")]


async def test_a_paused_table_is_resumed_first(floor: Floor) -> None:
    """It stays behind, so nothing could be compared with it; resumed, the rebuild goes on."""
    await describe(floor, ("a", "one"))
    await ask(floor, PausePart(part="test_told", operator="olga"))
    await ask(floor, VerifyTables(operator="olga", table="test_told"))
    async with asyncio.timeout(20):
        while (failed := await the_last(floor)).phase != "failed":
            await asyncio.sleep(0.02)
    assert "test_told is paused" in failed.problem
    await ask(floor, ResumePart(part="test_told", operator="olga"))
    await ask(floor, ContinueTables(id=failed.id, operator="olga"))
    async with asyncio.timeout(20):
        while (await the_last(floor)).phase != "verified":
            await asyncio.sleep(0.02)


async def test_what_operators_did_is_recorded(floor: Floor) -> None:
    """Who, what and why; nobody is refused nothing."""
    await describe(floor, ("a", "one"))
    with pytest.raises(Refused, match="who you are"):
        await ask(floor, RebuildTables(operator=" ", table="test_told"))
    await ask(floor, RebuildTables(operator="olga", table="test_told", reason="a new column"))
    await over(floor, "switched")
    [done] = (await ask(floor, ListOperations())).items
    assert (done.operator, done.what, done.about, done.reason) == ("olga", "rebuild", "test_told", "a new column")


async def test_a_process_of_its_own_fills(floor: Floor) -> None:
    """Where there is much to read; killed in the middle it begins again where it was."""
    await describe(floor, *((f"t{number}", "much") for number in range(30)))
    rebuilding = floor.get(Rebuilding)
    rebuilding.ground = replace(rebuilding.ground, apart_from=1)
    await ask(floor, RebuildTables(operator="olga", table="test_told"))
    await over(floor, "switched")
    assert await rows(floor, CountRow) == [("much", 30)]


async def test_a_list_of_work_is_not_rebuilt(any_settings: Settings) -> None:
    """The service itself takes from it what is done: the log does not say what is left."""
    await provision(any_settings)
    listing = Router()
    listing.keeps(ToldRow, CountRow, hears=(TrackDescribed,), is_list_of_work=True)(keep)
    async with running(App(name="catalog", routers=(listing,)), any_settings) as floor:
        with pytest.raises(Refused, match="no read model"):
            await ask(floor, RebuildTables(operator="olga", table="test_told"))
        assert (await ask(floor, RebuildTables(operator="olga"))).rebuilds == ()
