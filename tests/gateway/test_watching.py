"""An upload on its way, as it is shown, told and sent on again."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.gateway.standins import ADMIN, HASH, Installation, uploaded
from tonetouch_contracts.identity import JobId, TrackId
from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import (
    AboutWritten,
    AudioFingerprinted,
    IngestCompleted,
    IngestFailed,
    IngestRetried,
    IngestStarted,
    IngestView,
    ListIngests,
    RelationRuled,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepView,
)
from tonetouch_gateway.ending import Ending
from tonetouch_runtime import Bus, Refused
from tonetouch_runtime.testing import given

pytestmark = pytest.mark.asyncio(loop_scope="package")


def started(track: str) -> IngestStarted:
    return IngestStarted(
        track_id=TrackId(track),
        uploaded_by=ADMIN,
        object_key=f"incoming/{track}",
        size_bytes=1,
        sha256=HASH,
        file_name="a.mp3",
    )


def completed(track: str) -> IngestCompleted:
    return IngestCompleted(track_id=TrackId(track), outcome="published")


def about(track: str) -> AboutWritten:
    return AboutWritten(track_id=TrackId(track), about="About it.", job_id=JobId("j"))


def failed(track: str) -> IngestFailed:
    return IngestFailed(track_id=TrackId(track), step="embed", reason="no", rejected=False)


@dataclass(frozen=True, kw_only=True)
class Told:
    """One server-sent event."""

    id: int
    name: str
    data: dict[str, Any]


async def events(answer: httpx.Response) -> AsyncIterator[Told]:
    """Reads a stream of server-sent events; comments are passed over."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if line and name:
            fields[name] = value
        elif fields:
            yield Told(id=int(fields["id"]), name=fields["event"], data=json.loads(fields["data"]))
            fields = {}


@asynccontextmanager
async def watching(installed: Installation, track: str, after: int | None = None) -> AsyncIterator[AsyncIterator[Told]]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    async with installed.client.stream("GET", f"/api/v1/ingest/{track}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer)


async def all_told(installed: Installation, track: str, after: int | None = None) -> list[Told]:
    async with watching(installed, track, after) as told, asyncio.timeout(20):
        return [event async for event in told]


async def test_the_story_is_told_from_its_beginning_and_as_it_goes_on(installed: Installation) -> None:
    """What is in the log first, then each event as it is said, until nothing more can come."""
    await installed.say(started("live"))
    async with watching(installed, "live") as told, asyncio.timeout(20):
        assert (await anext(told)).name == "ingest.started"
        begun = await installed.say(
            StepStarted(track_id=TrackId("live"), step="stage", attempt=1, job_id=JobId("j")),
        )
        event = await anext(told)
        assert (event.id, event.name, event.data["step"]) == (begun, "step.started", "stage")
        await installed.say(completed("live"))
        assert (await anext(told)).name == "ingest.completed"
        await installed.say(about("live"))
        assert [event.name async for event in told] == ["about.written"]


async def test_a_client_that_comes_back_is_told_what_it_missed(installed: Installation) -> None:
    """Nothing twice, nothing left out; and once it has everything it is told not to come back."""
    first = await installed.say(started("back"))
    last = await installed.say(about("back"), completed("back"))
    assert [event.id for event in await all_told(installed, "back", first)] == [last - 1, last]
    again = await installed.client.get("/api/v1/ingest/back/events", headers={"Last-Event-ID": str(last)})
    assert (again.status_code, again.content) == (204, b"")


async def test_what_is_too_big_for_people_is_left_out(installed: Installation) -> None:
    """Fingerprints and vectors are for machines."""
    heard = AudioFingerprinted(
        track_id=TrackId("big"),
        fingerprint="AQ" * 500,
        vector=b"\0\0",
        vector_model="m",
        duration_seconds=3.0,
        progression=b"\0\0",
        progression_model="p",
    )
    await installed.say(started("big"), heard, failed("big"))
    told = await all_told(installed, "big")
    kept = {"event", "time", "track_id", "vector_model", "progression_model", "duration_seconds"}
    assert told[1].data.keys() == kept


async def test_a_person_opens_the_story_of_a_duplicate_again(installed: Installation) -> None:
    """What was over goes on until the track is published."""
    await installed.say(started("kept"), about("kept"), completed("kept"))
    reopened = RelationRuled(track_id=TrackId("kept"), of=None, relation="none", reopens=("embed", "publish"))
    ruled = await installed.say(reopened)
    async with watching(installed, "kept", ruled) as told, asyncio.timeout(20):
        await installed.say(completed("kept"))
        assert [event.name async for event in told] == ["ingest.completed"]


async def test_a_failure_ends_the_stream_and_a_retry_opens_it_again(installed: Installation) -> None:
    """After a retry the stream goes on behind the failure."""
    last = await installed.say(started("again"), failed("again"))
    assert [event.name for event in await all_told(installed, "again")] == ["ingest.started", "ingest.failed"]
    await installed.say(IngestRetried(track_id=TrackId("again"), step="embed"))
    async with watching(installed, "again", last) as told, asyncio.timeout(20):
        assert (await anext(told)).name == "ingest.retried"
        await installed.say(failed("again"))
        assert [event.name async for event in told] == ["ingest.failed"]


async def test_an_upload_that_ingest_has_not_heard_of_can_be_watched(installed: Installation) -> None:
    """Its steps all wait, and its events come when they come."""
    installed.services.tracks["early"] = uploaded("early")
    shown = (await installed.client.get("/api/v1/ingest/early")).json()
    assert (shown["status"], {step["state"] for step in shown["steps"]}) == ("uploaded", {"waiting"})
    async with watching(installed, "early") as told, asyncio.timeout(20):
        await installed.say(started("early"), failed("early"))
        assert [event.name async for event in told] == ["ingest.started", "ingest.failed"]


async def test_a_silent_stream_is_kept_alive_and_a_client_may_leave_it(
    installed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments keep the connection; when the client has left, nobody follows the log for it any more."""
    monkeypatch.setattr("tonetouch_gateway.telling.KEEP_ALIVE_SECONDS", 0.05)
    await installed.say(started("quiet"))
    before = await followers(installed)
    async with installed.client.stream("GET", "/api/v1/ingest/quiet/events") as answer, asyncio.timeout(20):
        lines = answer.aiter_lines()
        comments = 0
        while comments < 3:
            comments += (await anext(lines)).startswith(":")
        # Those of earlier tests may still be on their way out.
        [its_own] = await followers(installed) - before
    async with asyncio.timeout(20):
        while its_own in await followers(installed):
            await asyncio.sleep(0.05)


async def followers(installed: Installation) -> set[str]:
    operator = await Bus.join(installed.gateway.settings, "operator")
    try:
        return {consumer.name for consumer in await operator.jetstream.consumers_info("INGEST")}
    finally:
        await operator.close()


@pytest.mark.parametrize("path", ["", "/events"])
async def test_an_unknown_upload_is_not_found(installed: Installation, path: str) -> None:
    """Neither ingest nor catalog has heard of it."""
    answer = await installed.client.get(f"/api/v1/ingest/nobody{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "9" * 40, "1 2"])
async def test_an_id_that_was_never_an_event_is_refused(installed: Installation, bad: str) -> None:
    """Rather than telling a client something else than it asked for."""
    answer = await installed.client.get("/api/v1/ingest/t/events", headers={"Last-Event-ID": bad})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


VIEW = IngestView(
    track_id=TrackId("t"),
    status="failed",
    file_name="a.mp3",
    started_at="2026-01-01T00:00:00.000000Z",
    updated_at="2026-01-01T00:00:01.000000Z",
    reason="no",
    steps=(
        StepView(name="stage", state="done", attempts=1, job_id=JobId("j"), started_at="s", ended_at="e"),
        StepView(name="embed", state="failed", attempts=10, error="no"),
    ),
)


async def test_an_upload_is_shown_with_its_steps(installed: Installation) -> None:
    """Each with its state, attempts, error, job and times."""
    installed.services.ingests["t"] = VIEW
    shown = (await installed.client.get("/api/v1/ingest/t")).json()
    assert (shown["track_id"], shown["status"], shown["reason"]) == ("t", "failed", "no")
    assert shown["steps"][0] == {
        "name": "stage",
        "state": "done",
        "attempts": 1,
        "error": None,
        "job_id": "j",
        "started_at": "s",
        "ended_at": "e",
    }
    assert shown["steps"][1]["error"] == "no"


async def test_uploads_are_listed_by_state(installed: Installation) -> None:
    """stuck, running, failed, or all of them."""
    installed.services.ingests["t"] = VIEW
    installed.services.stuck.add("t")
    listed = (await installed.client.get("/api/v1/ingest?state=stuck&limit=7")).json()
    assert [item["track_id"] for item in listed["items"]] == ["t"]
    command = installed.services.last(ListIngests)
    assert (command.state, command.limit) == ("stuck", 7)
    assert (await installed.client.get("/api/v1/ingest?state=odd")).status_code == 400


async def test_a_retry_is_taken_or_refused_with_the_reason(installed: Installation) -> None:
    """202 with where the upload stands now."""
    installed.services.ingests["t"] = VIEW
    answer = await installed.client.post("/api/v1/ingest/t/retry")
    assert (answer.status_code, answer.json()["track_id"]) == (202, "t")
    from tonetouch_contracts.upload import ShowIngest

    installed.services.refusing[ShowIngest] = [Refused("conflict", "No step of this upload has failed.")]
    answer = await installed.client.post("/api/v1/ingest/t/retry")
    assert (answer.status_code, answer.json()["detail"]) == (409, "No step of this upload has failed.")


SKIPPED = StepSkipped(track_id=TrackId("t"), step="write_about", reason="it is a duplicate")
LOST = StepFailed(track_id=TrackId("t"), step="write_about", attempt=10, error="no", final=True)
TRIED = StepFailed(track_id=TrackId("t"), step="write_about", attempt=1, error="no", final=False)
ABOUT_AGAIN = IngestRetried(track_id=TrackId("t"), step="write_about")


@pytest.mark.parametrize(
    ("past", "over"),
    [
        ((), False),
        ((completed("t"),), False),
        ((about("t"),), False),
        ((about("t"), completed("t")), True),
        ((completed("t"), SKIPPED), True),
        ((completed("t"), TRIED), False),
        ((completed("t"), LOST), True),
        ((completed("t"), LOST, ABOUT_AGAIN), False),
        ((failed("t"),), True),
        ((failed("t"), IngestRetried(track_id=TrackId("t"), step="embed")), False),
        ((IngestCompleted(track_id=TrackId("t"), outcome="rejected"),), True),
    ],
)
async def test_a_story_is_over_when_nothing_more_can_come(past: tuple[Event, ...], over: bool) -> None:
    """Completed with 'About' settled, rejected, or given up and not tried again."""
    assert given(Ending(), *past).state.is_reached is over
