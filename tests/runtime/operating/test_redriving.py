"""Parked events are looked at, redriven in order once the cause is mended, or skipped for a reason."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.runtime.operating.deeds import (
    LISTENER,
    SERVICE,
    TABLE,
    Deeds,
    ask,
    describe,
    done,
    parked,
    rows,
    upload,
    uploads,
)
from tests.runtime.test_app import until
from tonetouch_contracts.message import ShowHealth
from tonetouch_contracts.operating import ListParked, RedriveParked, ShowParked, SkipParked
from tonetouch_runtime import Floor, Refused, Settings, running


async def until_parked(floor: Floor, many: int) -> None:
    async with asyncio.timeout(20):
        while len(await parked(floor)) < many:
            await asyncio.sleep(0.01)


def redrive(part: str | None = None, at_most: int = 100) -> RedriveParked:
    return RedriveParked(operator="ada", reason="mended", part=part, at_most=at_most)


async def refused(asking: Callable[[], Awaitable[object]], code: str) -> str:
    with pytest.raises(Refused) as no:
        await asking()
    assert no.value.problem.code == code
    return no.value.problem.detail


async def test_what_a_table_parked_is_shown_by_it_once_it_is_mended(deeds: Deeds, floor: Floor) -> None:
    """The broken event and those behind it are listed in order; unmended they fail again, mended all of them count."""
    deeds.broken = {"bad"}
    await describe(floor, "a", "good", "bad", "behind")
    await floor.seen(await describe(floor, "b", "fine"))
    first, behind = await parked(floor, TABLE)
    assert (first.error, first.attempts, behind.error) == ("ValueError('bad is unbearable')", 1, None)
    assert [one.sequence for one in (await ask(floor, ListParked(only_broken=True))).items] == [first.sequence]
    shown = await ask(floor, ShowParked(stream="CATALOG", sequence=first.sequence))
    assert (shown.parked, shown.waiting) == (first, 1)
    assert '"about":"bad"' in (shown.body or "")

    again = await ask(floor, redrive())
    assert (again.done, again.failed, again.left) == (0, 1, 2)
    assert [one.attempts for one in await parked(floor)] == [2, 0]
    assert await rows(floor) == {"a": (1, "good"), "b": (1, "fine")}

    deeds.broken.clear()
    mended = await ask(floor, redrive(TABLE))
    assert [(one.sequence, one.outcome) for one in mended.attempted] == [
        (first.sequence, "done"),
        (behind.sequence, "done"),
    ]
    await floor.seen(await describe(floor, "a", "new"))
    assert await rows(floor) == {"a": (4, "new"), "b": (1, "fine")}
    assert await parked(floor) == []
    assert [entry[:2] for entry in await done(floor)] == [("ada", "redrive"), ("ada", "redrive")]


async def test_a_redrive_that_is_killed_on_the_way_shows_an_event_once(
    deeds: Deeds, floor: Floor, settings: Settings
) -> None:
    """The table shows it, and the process dies before it is parked no more: the next redrive adds nothing."""
    deeds.broken = {"bad"}
    await floor.seen(await describe(floor, "a", "bad"))
    [event] = await parked(floor)
    deeds.broken.clear()
    [fact] = await floor.log.history("CATALOG", "a")
    await floor.keepers["CATALOG"].keep_again(TABLE, fact)
    assert await rows(floor) == {"a": (1, "bad")}

    async with running(Deeds().app, settings) as after:
        assert await parked(after) == [event]
        assert (await ask(after, redrive())).done == 1
        assert await rows(after) == {"a": (1, "bad")}
        assert await parked(after) == []


async def test_a_listener_hears_what_was_parked_in_order_before_what_is_new(deeds: Deeds, floor: Floor) -> None:
    """However few are redriven at once, an entity's events are heard in their order, and others are heard meanwhile."""
    deeds.broken = {"bad"}
    await upload(floor, "a", "bad", "2", "3")
    await upload(floor, "b", "fine")
    await until_parked(floor, 3)
    deeds.broken.clear()
    one = await ask(floor, redrive(LISTENER, at_most=1))
    assert (one.done, one.left) == (1, 2)
    await upload(floor, "a", "4")
    await until_parked(floor, 3)
    assert (await ask(floor, redrive(LISTENER))).done == 3
    await upload(floor, "a", "5")
    await until(lambda: len(deeds.heard) == 6)
    assert [heard for heard in deeds.heard if heard[0] == "a"] == ["a bad", "a 2", "a 3", "a 4", "a 5"]


async def test_a_handler_that_takes_long_does_not_keep_the_operator(deeds: Deeds, floor: Floor) -> None:
    """The answer comes in time and says what is running; it is not begun a second time, and it comes to its end."""
    deeds.broken, held = {"bad"}, asyncio.Event()
    await upload(floor, "a", "bad")
    await until_parked(floor, 1)
    deeds.broken.clear()

    async def wait(_: object, __: object) -> None:
        await held.wait()

    deeds.does = wait
    hasty = RedriveParked(operator="ada", within_seconds=0.2)
    for note in ("", "another redrive has it"):
        [attempted] = (await ask(floor, hasty)).attempted
        assert (attempted.outcome, attempted.note) == ("running", note)
    held.set()
    await until(lambda: deeds.heard == ["a bad"])
    async with asyncio.timeout(20):
        while await parked(floor):
            await asyncio.sleep(0.01)


async def test_skipping_takes_a_reason_and_keeps_the_order(deeds: Deeds, floor: Floor) -> None:
    """The first of an entity can be passed over by somebody who says why; what waits behind it can be redriven then."""
    deeds.broken = {"bad"}
    await floor.seen(await describe(floor, "a", "bad", "behind"))
    first, behind = await parked(floor)

    def skip(sequence: int, reason: str = "nobody needs it", operator: str = "ada") -> Callable[[], Awaitable[object]]:
        return lambda: ask(
            floor, SkipParked(stream="CATALOG", sequence=sequence, operator=operator, reason=reason, part=TABLE)
        )

    assert f"behind CATALOG@{first.sequence}" in await refused(skip(behind.sequence), "conflict")
    await refused(skip(first.sequence, reason=" "), "invalid")
    await refused(skip(first.sequence, operator=""), "invalid")
    await refused(skip(first.sequence + 1000), "not_found")
    assert await parked(floor) == [first, behind]

    await skip(first.sequence)()
    assert (await ask(floor, redrive())).done == 1
    assert await rows(floor) == {"a": (1, "behind")}
    assert (await done(floor))[0] == (
        "ada",
        "skip",
        f"{TABLE} CATALOG@{first.sequence} track.described a",
        "nobody needs it",
    )


async def test_what_was_skipped_is_left_out_of_tables_made_anew(deeds: Deeds, settings: Settings) -> None:
    """Also when it could be shown by now: rebuilt rows are the rows that were lived through."""
    from tests.runtime.installation import provision

    await provision(settings)
    deeds.broken = {"bad"}
    async with running(deeds.app, settings) as floor:
        await floor.seen(await describe(floor, "a", "1", "bad"))
        [event] = await parked(floor)
        await ask(floor, SkipParked(stream="CATALOG", sequence=event.sequence, operator="ada", reason="wrong file"))
        positions = await describe(floor, "a", "3")
        await floor.seen(positions)
        lived = await rows(floor)
    for file in (settings.data / "tables" / SERVICE).glob("read.db*"):
        file.unlink()
    deeds.broken.clear()
    async with running(deeds.app, settings) as floor:
        await floor.seen(positions, 20.0)
        assert await rows(floor) == lived == {"a": (2, "3")}


async def test_an_unreadable_event_is_listed_shown_and_skipped(deeds: Deeds, floor: Floor) -> None:
    """Its subject says whose it is; every part that would have read it has parked it, so one has to be named."""
    await floor.bus.jetstream.publish("track.uploaded.broken", b"not json", headers={})
    await upload(floor, "b", "fine")
    await until_parked(floor, 3)
    await refused(lambda: ask(floor, ShowParked(stream="CATALOG", sequence=1)), "conflict")
    shown = await ask(floor, ShowParked(stream="CATALOG", sequence=1, part=LISTENER))
    assert (shown.parked.entity_id, shown.body, shown.subject) == ("broken", "not json", "track.uploaded.broken")
    assert (await ask(floor, redrive(LISTENER))).failed == 1
    for event in await parked(floor):
        await ask(floor, SkipParked(stream="CATALOG", sequence=1, operator="ada", reason="junk", part=event.part))
    await floor.seen(await upload(floor, "broken", "whole"))
    await until(lambda: "broken whole" in deeds.heard)
    assert await uploads(floor) == {"b", "broken"}


async def test_health_says_what_is_parked_and_stays_ready(deeds: Deeds, floor: Floor) -> None:
    """One entity that waits for somebody is no reason to send everybody else away."""
    assert (await ask(floor, ShowHealth())).checks["parked"] == "ok"
    deeds.broken = {"bad"}
    await floor.seen(await describe(floor, "a", "bad", "behind"))
    health = await ask(floor, ShowHealth())
    assert health.ready
    assert health.checks["parked"].startswith("ok, 2 parked, the oldest for ")
