"""A part that is paused stands still, over restarts too, until somebody lets it go on."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.runtime.installation import provision
from tests.runtime.operating.deeds import (
    LISTENER,
    OTHER,
    TABLE,
    WORKER,
    Deeds,
    ask,
    describe,
    done,
    lag,
    rows,
    upload,
    uploads,
)
from tests.runtime.test_app import until
from tonetouch_contracts.message import ShowHealth
from tonetouch_contracts.operating import PausePart, ResumePart
from tonetouch_runtime import Floor, NotNow, Refused, Settings, SystemClock, running
from tonetouch_runtime._pausing import Pauses
from tonetouch_runtime._tables import Database


def pause(part: str) -> PausePart:
    return PausePart(part=part, operator="ada", reason="looking into it")


def resume(part: str) -> ResumePart:
    return ResumePart(part=part, operator="grace")


async def test_a_paused_table_stands_still_and_the_others_go_on(deeds: Deeds, settings: Settings) -> None:
    """Who wants to see what it does not show is told at once; it stands over a restart; resumed it shows everything."""
    await provision(settings)
    async with running(deeds.app, settings) as floor:
        await floor.seen(await describe(floor, "a", "1"))
        told = await ask(floor, pause(TABLE))
        assert (told.kind, told.operator, told.since is not None) == ("projection", "ada", True)
        positions = await describe(floor, "a", "2")
        await upload(floor, "b", "fine")
        await until_async(lambda: uploads_are(floor, {"b"}))
        with pytest.raises(NotNow, match="is paused at 1"):
            await floor.seen(positions, 60.0)
        assert await rows(floor) == {"a": (1, "1")}
        assert (await ask(floor, ShowHealth())).ready
    async with running(deeds.app, settings) as floor:
        positions = await upload(floor, "c", "fine")
        await until_async(lambda: uploads_are(floor, {"b", "c"}))
        assert await rows(floor) == {"a": (1, "1")}
        assert (await ask(floor, resume(TABLE))).since is None
        await floor.seen(positions)
        assert await rows(floor) == {"a": (2, "2")}
        await floor.seen(await describe(floor, "a", "3"))
        assert await rows(floor) == {"a": (3, "3")}
        assert [entry[:3] for entry in await done(floor)] == [("ada", "pause", TABLE), ("grace", "resume", TABLE)]


async def test_every_table_of_a_stream_can_stand_still(deeds: Deeds, floor: Floor) -> None:
    """What came meanwhile is shown by each of them once it goes on, and only then."""
    for part in (TABLE, OTHER):
        await ask(floor, pause(part))
    await describe(floor, "a", "1", "2")
    positions = await upload(floor, "b", "fine")
    assert (await ask(floor, ShowHealth())).checks["keeps CATALOG"] == "ok, paused"
    await ask(floor, resume(OTHER))
    await until_async(lambda: uploads_are(floor, {"b"}))
    assert await rows(floor) == {}
    await ask(floor, resume(TABLE))
    await floor.seen(positions)
    assert (await rows(floor), await uploads(floor)) == ({"a": (2, "2")}, {"b"})


async def test_a_table_can_be_paused_while_it_catches_up(deeds: Deeds, floor: Floor) -> None:
    """Paused and resumed over and over while events come, it counts each of them once."""
    positions = {}
    for number in range(10):
        await ask(floor, pause(TABLE))
        positions = await describe(floor, "a", *(f"{number}.{part}" for part in range(20)))
        await ask(floor, resume(TABLE))
    await floor.seen(positions, 20.0)
    assert await rows(floor) == {"a": (200, "9.19")}


async def test_a_paused_consumer_takes_nothing_until_it_is_resumed(deeds: Deeds, settings: Settings) -> None:
    """A listener and a worker: what comes waits in the log and in the queue, over a restart, and is taken in order."""
    await provision(settings)
    async with running(deeds.app, settings) as floor:
        await upload(floor, "a", "1")
        await until(lambda: deeds.heard == ["a 1"])
        for part in (LISTENER, WORKER):
            await ask(floor, pause(part))
        await upload(floor, "a", "2", "3")
        await floor.enqueue("INGEST_Q", "stage", "x")
        assert (await ask(floor, ShowHealth())).checks[LISTENER] == "ok, paused"
    async with running(deeds.app, settings) as floor:
        await floor.seen(await upload(floor, "a", "4"))
        assert ((await lag(floor, LISTENER)).events_behind, (await lag(floor, WORKER)).events_behind) == (3, 1)
        assert (deeds.heard, deeds.worked) == (["a 1"], [])
        for part in (LISTENER, WORKER):
            await ask(floor, resume(part))
        await until(lambda: deeds.heard == ["a 1", "a 2", "a 3", "a 4"] and deeds.worked == ["x"])


async def test_what_was_fetched_before_the_pause_waits_too(deeds: Deeds, floor: Floor) -> None:
    """The one that runs comes to its end; those behind it in the same batch are not begun."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: object, __: object) -> None:
        begun.set()
        await go_on.wait()

    deeds.does = wait
    await upload(floor, "a", "1", "2", "3")
    await begun.wait()
    await ask(floor, pause(LISTENER))
    go_on.set()
    await until(lambda: deeds.heard == ["a 1"])
    await floor.seen(await upload(floor, "b", "1"))
    assert deeds.heard == ["a 1"]
    await ask(floor, resume(LISTENER))
    await until(lambda: len(deeds.heard) == 4)
    assert [heard for heard in deeds.heard if heard[0] == "a"] == ["a 1", "a 2", "a 3"]


async def test_a_part_that_is_none_is_refused_with_those_there_are(floor: Floor) -> None:
    """A mistyped name pauses nothing."""
    with pytest.raises(Refused) as no:
        await ask(floor, pause("test_deed"))
    assert no.value.problem.code == "not_found"
    assert no.value.problem.next_step == f"The parts are: {WORKER}, {LISTENER}, {TABLE}, {OTHER}."


async def uploads_are(floor: Floor, expected: set[str]) -> bool:
    return await uploads(floor) == expected


async def until_async(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_who_is_told_something_does_what_others_were_told_before_it(settings: Settings) -> None:
    """Replicas share one record: nobody has to have looked, and nothing is done twice or passed over."""
    state = Database.open(settings, "paused", "state")
    did: dict[str, list[tuple[str, bool]]] = {"one": [], "other": []}

    def replica(name: str) -> Pauses:
        async def follow(part: str, stands_still: bool) -> None:
            await asyncio.sleep(0)
            did[name].append((part, stands_still))

        return Pauses(state, SystemClock(), follow)

    one, other = replica("one"), replica("other")
    await one.pause("a", "listener", "ada", "to see")
    await asyncio.gather(other.pause("b", "projection", "ada", ""), other.pause("c", "worker", "ada", ""))
    await one.resume("a")
    await other.resume("c")
    state.close()
    assert sorted(did["other"]) == [("a", False), ("a", True), ("b", True), ("c", False), ("c", True)]
    assert did["other"][0] == ("a", True)
    assert did["one"] == [("a", True), ("a", False), ("b", True), ("c", True)]
    assert sorted(one.paused) == ["b", "c"] and sorted(other.paused) == ["b"]
