"""How far each part is behind, in events and seconds, how fast it goes, and whether it moves at all."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.runtime.operating.deeds import (
    LISTENER,
    OTHER,
    TABLE,
    WORKER,
    Deeds,
    ask,
    describe,
    lag,
    upload,
)
from tests.runtime.test_app import until
from tests.runtime.test_order import full
from tonetouch_contracts.message import ShowHealth
from tonetouch_contracts.operating import PausePart, ShowLag
from tonetouch_runtime import Floor
from tonetouch_runtime._pace import Pace
from tonetouch_runtime.operating.lagging import _state


async def test_what_is_up_to_date_is_not_behind(deeds: Deeds, floor: Floor) -> None:
    """Every table and consumer has its line; each says where it is, and that it has moved."""
    await floor.enqueue("INGEST_Q", "stage", "x")
    await floor.seen(await upload(floor, "a", "1", "2"))
    await until(lambda: len(deeds.heard) == 2 and deeds.worked == ["x"])
    async with asyncio.timeout(20):
        while True:
            said = await ask(floor, ShowLag())
            if all(one.state == "following" for one in said.parts):
                break
    assert {one.part: (one.kind, one.stream) for one in said.parts} == {
        TABLE: ("projection", "CATALOG"),
        OTHER: ("projection", "CATALOG"),
        LISTENER: ("listener", "CATALOG"),
        WORKER: ("worker", "INGEST_Q"),
    }
    assert {(one.events_behind, one.seconds_behind) for one in said.parts} == {(0, 0.0)}
    assert {one.position for one in said.parts if one.stream == "CATALOG"} == {2}
    assert all(one.rate > 0 for one in said.parts)


async def test_what_is_behind_says_by_how_much_and_since_when(deeds: Deeds, floor: Floor) -> None:
    """Events are those it has to read; seconds are the age of the first of them, for each of its own filters."""
    for part in (TABLE, LISTENER, WORKER):
        await ask(floor, PausePart(part=part, operator="ada", reason="to see"))
    await upload(floor, "a", "1")
    await floor.enqueue("INGEST_Q", "stage", "x")
    await describe(floor, "a", "2", "3")
    table, listener, worker = [await lag(floor, part) for part in (TABLE, LISTENER, WORKER)]
    assert (table.events_behind, listener.events_behind, worker.events_behind) == (3, 1, 1)
    assert min(table.seconds_behind, listener.seconds_behind, worker.seconds_behind) > 0
    assert {one.state for one in (table, listener, worker)} == {"paused"}
    assert table.note.startswith("by ada since 20") and table.note.endswith(": to see")
    assert (await lag(floor, OTHER)).events_behind == 0


async def test_a_table_that_cannot_be_written_is_broken(deeds: Deeds, floor: Floor) -> None:
    """It says itself what is wrong with it."""
    with full(floor.read) as refused:
        await upload(floor, "a", "1")
        await until(lambda: len(refused) >= 2)
        said = await lag(floor, TABLE)
        assert (said.state, said.note) == ("broken", "the tables cannot be written (OperationalError)")


async def test_a_consumer_that_is_gone_says_what_to_do(floor: Floor) -> None:
    """Deleted behind the service's back, it is no consumer that has nothing to do."""
    await floor.bus.jetstream.delete_consumer("CATALOG", LISTENER)
    said = await lag(floor, LISTENER)
    assert said.state == "broken"
    assert "tonetouch provision" in said.note


async def test_a_consumer_that_gives_nothing_is_broken(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held on the server itself, it has something to give and gives nothing: that is said, and no process is ready."""
    monkeypatch.setattr("tonetouch_runtime._pulling.STARVED", 1)
    await floor.bus.jetstream.pause_consumer("CATALOG", LISTENER, "2999-01-01T00:00:00Z")
    await upload(floor, "a", "1")
    async with asyncio.timeout(20):
        while (await lag(floor, LISTENER)).state != "broken":
            await asyncio.sleep(0.01)
    assert "gives none" in (await lag(floor, LISTENER)).note
    assert not (await ask(floor, ShowHealth())).ready


async def test_what_is_parked_counts_for_its_part(deeds: Deeds, floor: Floor) -> None:
    """The part itself is not behind: it has put these aside."""
    deeds.broken = {"bad"}
    await floor.seen(await describe(floor, "a", "bad", "behind"))
    said = await lag(floor, TABLE)
    assert (said.state, said.parked) == ("following", 2)
    assert said.oldest_parked_seconds > 0


@pytest.mark.parametrize(
    ("seconds", "still", "behind", "in_hand", "state"),
    [
        (0.0, 900.0, 0, 0, "following"),
        (60.0, 0.5, 900, 0, "behind"),
        (0.5, 900.0, 1, 0, "behind"),
        (60.0, 60.0, 1, 0, "stalled"),
        (60.0, 60.0, 3, 2, "behind"),
    ],
)
def test_the_head_moves_and_the_position_does_not(
    seconds: float, still: float, behind: int, in_hand: int, state: str
) -> None:
    """Stalled is what has had something to take for long, has taken nothing for long, and has nothing in its hands."""
    assert _state(None, None, seconds, still, behind, in_hand)[0] == state


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """A burst counts while it is recent; what stands still has no rate, and says since when it does."""
    moments: Iterator[float] = iter([0.0, 1.0, 2.0, 4.0, 4.0, 30.0, 30.0])
    pace = Pace(now=lambda: next(moments))
    pace.took(100)
    pace.took(100)
    assert pace.rate == 50.0
    assert pace.still_seconds == 2.0
    assert pace.rate == 0.0
    assert pace.still_seconds == 28.0
