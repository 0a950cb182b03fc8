"""One trace from a question to the last thing that follows from it, and another one for what is read again later."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from tests.runtime.telemetry.collecting import (
    Collected,
    collecting,
    decided,
    hopping,
    is_below,
    links_to,
    trace_of,
    until,
    uploaded,
)
from tonetouch_contracts.identity import PlayId, TrackId, UserId
from tonetouch_contracts.play import PlayRecorded
from tonetouch_contracts.track import ShowTrack
from tonetouch_runtime import Floor, Refused, Settings, SystemClock, stamp
from tonetouch_runtime._hearing import cause_of
from tonetouch_runtime._telemetry import Cause, caused_by, current_cause
from tonetouch_runtime.telemetry.hops import hearing

STORY = Cause(correlation="story", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")


class Behind(SystemClock):
    """A clock that is an hour behind, so that what is appended now was said long ago."""

    def now(self) -> datetime:
        return datetime.now(UTC) - timedelta(hours=1)


async def upload(floor: Floor, track: str) -> None:
    with caused_by(STORY):
        await floor.ask(ShowTrack(track_id=TrackId(track)))


async def test_an_upload_is_one_trace_to_its_end(settings: Settings) -> None:
    """Asked, answered, appended, heard, queued, worked on, kept: each below what caused it, in the caller's trace."""
    with collecting() as collected:
        async with hopping(settings) as (service, floor):
            await upload(floor, "a")
            await until(lambda: len(service.worked) == 1)
            asked = await collected.one("ask cmd.catalog.show-track")
            answered = await collected.one("answer cmd.catalog.show-track")
            appended = await collected.one("append track.uploaded.*")
            heard = await collected.one("hear track.uploaded.*")
            queued = await collected.one("queue q.ingest.stage.*")
            worked = await collected.one("work ingest-stage")
            kept = await collected.one("keep CATALOG")
    path = [asked, answered, appended, heard, queued, worked]
    assert f"{trace_of(asked):032x}" == "a" * 32
    assert asked.parent is not None
    assert f"{asked.parent.span_id:016x}" == "b" * 16
    assert all(is_below(later, earlier) for earlier, later in itertools.pairwise(path))
    assert is_below(kept, appended)
    kinds = [
        SpanKind.CLIENT,
        SpanKind.SERVER,
        SpanKind.PRODUCER,
        SpanKind.CONSUMER,
        SpanKind.PRODUCER,
        SpanKind.CONSUMER,
    ]
    assert [span.kind for span in path] == kinds


async def test_spans_say_what_they_are_about_in_the_words_of_the_conventions(settings: Settings) -> None:
    """The template is what is grouped by; the ids are there to search for."""
    with collecting() as collected:
        async with hopping(settings) as (_, floor):
            await upload(floor, "a")
            heard = await collected.one("hear track.uploaded.*")
    said = dict(heard.attributes or {})
    assert said["messaging.system"] == "nats"
    assert said["messaging.destination.template"] == "track.uploaded.*"
    assert said["messaging.consumer.group.name"] == "ingest-starting"
    assert (said["messaging.destination.name"], said["tonetouch.sequence"]) == ("CATALOG", 1)
    assert (said["tonetouch.entity"], said["messaging.message.conversation_id"]) == ("a", "story")
    assert heard.resource.attributes["service.namespace"] == "tonetouch"


async def test_an_old_event_is_linked_to_its_trace_and_does_not_join_it(settings: Settings) -> None:
    """What follows from it belongs to the new trace, its story stays what it was."""
    with collecting() as collected:
        async with hopping(settings) as (service, floor):
            floor.log._clock = Behind()
            with caused_by(STORY):
                await floor.log.append(decided(uploaded("a")))
            await until(lambda: len(service.worked) == 1)
            appended = await collected.one("append track.uploaded.*")
            heard = await collected.one("hear track.uploaded.*")
            queued = await collected.one("queue q.ingest.stage.*")
            kept = await collected.one("keep CATALOG")
    assert service.worked[0].correlation == "story"
    for span in (heard, kept):
        assert trace_of(span) != trace_of(appended)
        assert span.parent is None
        assert links_to(span) == [trace_of(appended)]
    assert is_below(queued, heard)
    assert dict(heard.attributes or {})["tonetouch.replayed"] is True


async def test_what_an_operator_replays_is_linked_however_fresh_it_is(settings: Settings) -> None:
    """It is handled because the operator said so, not because of what happened then."""
    with collecting() as collected:
        async with hopping(settings) as (_, floor):
            with caused_by(STORY):
                await floor.log.append(decided(uploaded("a")))
            [fact] = await floor.log.history("CATALOG", "a")
            with hearing(cause_of(fact), fact, "replaying", is_replay=True):
                assert current_cause().correlation == "story"
                assert "a" * 32 not in (current_cause().traceparent or "")
        [replayed] = [s for s in collected.spans if dict(s.attributes or {}).get("tonetouch.replayed") is True]
    assert replayed.parent is None
    assert [f"{trace:032x}" for trace in links_to(replayed)] == ["a" * 32]


async def test_every_attempt_is_a_span_and_a_failure_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failed one says what kind of error it was; the one that succeeds says nothing."""
    monkeypatch.setattr("tonetouch_runtime._hearing.FIRST_DELAY_SECONDS", 0.001)
    with collecting() as collected:
        async with hopping(settings) as (service, floor):
            service.failures = [RuntimeError("once")]
            await upload(floor, "a")
            await until(lambda: len(collected.named("hear track.uploaded.*")) == 2)
            failed, done = collected.named("hear track.uploaded.*")
    assert (failed.status.status_code, done.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert dict(failed.attributes or {})["error.type"] == "failed"
    assert "error.type" not in dict(done.attributes or {})


@pytest.mark.parametrize(
    ("track", "status", "outcome"), [("nobody", StatusCode.UNSET, "not_found"), ("bug", StatusCode.ERROR, "internal")]
)
async def test_a_refusal_is_an_answer_and_a_bug_is_an_error(
    settings: Settings, track: str, status: StatusCode, outcome: str
) -> None:
    """Whoever is told that there is no such track was answered well."""
    with collecting() as collected:
        async with hopping(settings) as (_, floor):
            with pytest.raises(Refused):
                await upload(floor, track)
            answered = await collected.one("answer cmd.catalog.show-track")
    assert answered.status.status_code is status
    assert dict(answered.attributes or {})["tonetouch.outcome"] == outcome


async def test_poured_facts_keep_their_own_stories(settings: Settings) -> None:
    """Several callers share a batch: its span has a link to each of them, and each event the trace of its caller."""
    async with hopping(settings) as (_, floor):
        with collecting() as collected:
            stories = [Cause(correlation=f"s{n}", traceparent=f"00-{n + 1:032x}-{n + 1:016x}-01") for n in range(5)]
            await asyncio.gather(*(pour(floor, n, cause) for n, cause in enumerate(stories)))
            batch = max(collected.named("append play.recorded.*"), key=lambda span: len(span.links))
        found = [(await floor.log.history("LIBRARY", f"p{n}"))[0] for n in range(5)]
    assert [(fact.correlation, fact.traceparent) for fact in found] == [(c.correlation, c.traceparent) for c in stories]
    assert len(batch.links) > 1
    assert batch.parent is None


async def pour(floor: Floor, number: int, cause: Cause) -> None:
    play = PlayRecorded(
        play_id=PlayId(f"p{number}"),
        user_id=UserId("u"),
        track_id=TrackId("t"),
        heard_seconds=1.0,
        duration_seconds=None,
        at=stamp(datetime.now(UTC)),
    )
    with caused_by(cause):
        await floor.log.pour(play)


async def test_with_telemetry_off_a_trace_is_passed_on_all_the_same(settings: Settings) -> None:
    """Logs of all services show it, and whoever traces beside us can join it."""
    async with hopping(settings) as (service, floor):
        await upload(floor, "a")
        await until(lambda: len(service.worked) == 1)
        [fact] = await floor.log.history("CATALOG", "a")
    assert fact.traceparent == STORY.traceparent
    assert service.worked[0].traceparent == STORY.traceparent
    assert current_cause() == Cause()


async def test_a_trace_that_is_not_in_the_sample_is_not_sent(settings: Settings) -> None:
    """By whoever began it: its flag goes along."""
    collected: Collected
    with collecting(share=0.0) as collected:
        async with hopping(settings) as (service, floor):
            await floor.ask(ShowTrack(track_id=TrackId("quiet")))
            await upload(floor, "loud")
            await until(lambda: len(service.worked) == 2)
            await collected.one("work ingest-stage")
    assert {f"{trace_of(span):032x}" for span in collected.spans} == {"a" * 32}
