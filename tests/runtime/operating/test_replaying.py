"""Recorded events are handed to a consumer again: rehearsed first, then done, without anything happening twice."""

from functools import partial
from typing import Any

import pytest

from tests.runtime.operating.deeds import LISTENER, TABLE, WORKER, Deeds, ask, describe, done, upload
from tests.runtime.test_app import Nothing, until
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.operating import PausePart, Replayed, ReplayRange
from tonetouch_contracts.track import RejectTrack, ShowTrack, TrackDescribed
from tonetouch_runtime import Floor, Recorded, Refused
from tonetouch_runtime.ai import Whose
from tonetouch_runtime.ai.local import Fact, Pattern
from tonetouch_runtime.ai.tasks import Chat, Message


def replay(last: int, **chosen: Any) -> ReplayRange:
    return ReplayRange(**{"consumer": LISTENER, "first": 1, "last": last, "operator": "ada", "reason": "", **chosen})


def outcomes(answer: Replayed) -> list[tuple[int, str]]:
    return [(event.sequence, event.outcome) for event in answer.events]


async def heads(floor: Floor) -> dict[str, int]:
    names = ("CATALOG", "INGEST", "INGEST_Q", "AI")
    return {name: (await floor.bus.jetstream.stream_info(name)).state.last_seq for name in names}


async def asked_of_models(floor: Floor) -> int:
    """How many calls were begun, ever."""
    state = (await floor.bus.jetstream.stream_info("AI", subjects_filter="job.started.*")).state
    return sum((state.subjects or {}).values())


async def queue_and_describe(fact: Recorded[Any], floor: Floor) -> None:
    """A listener of the usual kind: it decides on the log, queues a step, and reads a table."""
    track = fact.event.track_id

    def decide(state: Nothing) -> TrackDescribed:
        return TrackDescribed(track_id=track, about=f"heard {fact.event.file_name}", job_id="j")

    await floor.log.transact("CATALOG", track, Nothing(), decide, key=f"described {fact.id}")
    await floor.enqueue("INGEST_Q", "publish", track)


async def write_about(fact: Recorded[Any], floor: Floor, says: str = "heard") -> None:
    """A listener that asks a model, and takes every failure for one of the model's."""
    request = Chat(
        messages=(Message("user", f"{says} {fact.event.track_id}"),),
        facts=(Fact("1", "title", "Night Walk"),),
        template=((Pattern("This is {title}.", needs=("title",)),),),
    )
    try:
        await floor.ai.ask(request, Whose(feature="test", subject=f"track:{fact.event.track_id}"))
    except Exception:
        await floor.log.transact("CATALOG", fact.event.track_id, Nothing(), lambda _: ())
        raise


async def test_a_dry_run_says_what_would_happen_and_nothing_does(deeds: Deeds, floor: Floor) -> None:
    """Each event it hears with its effects in order; the log and the queue stay as they are."""
    await upload(floor, "a", "1")
    await floor.seen(await describe(floor, "a", "2"))
    await until(lambda: len(deeds.heard) == 1)
    deeds.does, before = queue_and_describe, await heads(floor)
    answer = await ask(floor, replay(100))
    assert outcomes(answer) == [(1, "rehearsed")]
    assert answer.events[0].effects == (
        "appends track.described of a to CATALOG",
        "queues publish of a on INGEST_Q, unless it waits there already",
    )
    assert (answer.passed_over, answer.next_sequence) == (1, None)
    assert await heads(floor) == before
    assert await done(floor) == []


async def test_a_dry_run_stops_where_only_doing_would_tell(deeds: Deeds, floor: Floor) -> None:
    """What only reads is asked; what another service would do, or a model be paid for, ends it with words."""
    await upload(floor, "a", "1")
    await until(lambda: len(deeds.heard) == 1)

    async def reject(fact: Recorded[Any], floor: Floor) -> None:
        with pytest.raises(Exception, match="nobody answers"):
            await floor.ask(ShowTrack(track_id=TrackId("a")))
        await floor.ask(RejectTrack(track_id=TrackId("a"), reason="bad"))

    for does, effect in (
        (reject, "asks catalog to reject track"),
        (write_about, "asks a model for test of track:a: the answer is not kept, it would be billed"),
    ):
        deeds.does = does
        [event] = (await ask(floor, replay(1))).events
        assert (event.outcome, event.effects) == ("stopped", (effect,))
    assert await asked_of_models(floor) == 0


async def test_replayed_events_are_heard_again_in_order_and_decide_nothing_twice(deeds: Deeds, floor: Floor) -> None:
    """A handler that was mended does what it should have done; replayed once more it finds it done."""
    await upload(floor, "a", "1", "2")
    await upload(floor, "b", "1")
    await until(lambda: len(deeds.heard) == 3)
    deeds.does = queue_and_describe
    before = await heads(floor)
    answer = await ask(floor, replay(3, dry_run=False, reason="it queued nothing"))
    assert outcomes(answer) == [(1, "done"), (2, "done"), (3, "done")]
    assert deeds.heard[3:] == ["a 1", "a 2", "b 1"]
    after = await heads(floor)
    assert (after["CATALOG"] - before["CATALOG"], after["INGEST_Q"] - before["INGEST_Q"]) == (3, 2)
    assert outcomes(await ask(floor, replay(3, dry_run=False))) == [(1, "done"), (2, "done"), (3, "done")]
    assert await heads(floor) == after
    assert (await done(floor))[0] == ("ada", "replay", f"{LISTENER} 1 to 3", "it queued nothing")


async def test_a_range_is_replayed_in_stretches(deeds: Deeds, floor: Floor) -> None:
    """The answer says where to go on; of one entity, of the events there are, and not beyond the range."""
    for number in range(6):
        await upload(floor, f"t{number % 2}", str(number))
    await until(lambda: len(deeds.heard) == 6)
    first = await ask(floor, replay(5, at_most=3))
    assert (outcomes(first), first.next_sequence) == ([(n, "rehearsed") for n in (1, 2, 3)], 4)
    rest = await ask(floor, replay(5, first=4, at_most=3))
    assert (outcomes(rest), rest.next_sequence) == ([(4, "rehearsed"), (5, "rehearsed")], None)
    of_one = await ask(floor, replay(100, entity_id="t1"))
    assert outcomes(of_one) == [(n, "rehearsed") for n in (2, 4, 6)]


async def test_a_replay_asks_no_model_what_it_was_not_asked_before(deeds: Deeds, floor: Floor) -> None:
    """What is kept answers; another question is left, however much its handler catches, unless it may be billed."""
    deeds.does = write_about
    await upload(floor, "a", "1")
    await until(lambda: len(deeds.heard) == 1)
    assert outcomes(await ask(floor, replay(1, dry_run=False))) == [(1, "done")]
    [rehearsed] = (await ask(floor, replay(1))).events
    assert rehearsed.effects == ("asks a model for test of track:a: the answer is kept, nothing is billed",)
    assert await asked_of_models(floor) == 1

    deeds.does = partial(write_about, says="in other words")
    [left] = (await ask(floor, replay(1, dry_run=False))).events
    assert (left.outcome, left.note) == ("would_bill", "chat for test of track:a: its answer is not kept")
    assert await asked_of_models(floor) == 1
    for _ in range(2):
        assert outcomes(await ask(floor, replay(1, dry_run=False, may_bill=True))) == [(1, "done")]
    assert await asked_of_models(floor) == 2


async def test_a_failure_is_told_and_the_next_event_is_handed_on(deeds: Deeds, floor: Floor) -> None:
    """Nothing is parked by it: it was handled once already, and the operator is watching."""
    await upload(floor, "a", "1", "bad")
    await until(lambda: len(deeds.heard) == 2)
    deeds.broken = {"1"}
    answer = await ask(floor, replay(2, dry_run=False))
    assert outcomes(answer) == [(1, "failed"), (2, "done")]
    assert answer.events[0].note == "RuntimeError('1 is unbearable')"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"consumer": TABLE}, "unsupported"),
        ({"consumer": WORKER}, "unsupported"),
        ({"consumer": "nobody"}, "not_found"),
        ({"first": 3, "last": 2}, "invalid"),
        ({"first": 0}, "invalid"),
        ({"at_most": 0}, "invalid"),
        ({"operator": " ", "dry_run": False}, "invalid"),
    ],
)
async def test_what_cannot_be_replayed_is_refused(floor: Floor, wrong: dict[str, Any], code: str) -> None:
    """A table is rebuilt, a queue has nothing left of what is done, and an impossible range is no range."""
    with pytest.raises(Refused) as no:
        await ask(floor, replay(**{"last": 10, **wrong}))
    assert no.value.problem.code == code


async def test_a_paused_consumer_is_rehearsed_only(deeds: Deeds, floor: Floor) -> None:
    """Whoever paused it did not mean it to be fed by the back door."""
    await upload(floor, "a", "1")
    await until(lambda: len(deeds.heard) == 1)
    await ask(floor, PausePart(part=LISTENER, operator="ada"))
    assert outcomes(await ask(floor, replay(1))) == [(1, "rehearsed")]
    with pytest.raises(Refused, match="is paused"):
        await ask(floor, replay(1, dry_run=False))
