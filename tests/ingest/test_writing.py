"""The step `write_about`: it says what it needs, runs on, and ends when the text or its failure is said."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.ingest.installation import Neighbours, Nothing, shown, step_of, until, upload, with_status
from tests.ingest.uploads import ANALYSED, STAGED, TRACK, began, through_analysis
from tests.runtime.installation import provision
from tests.sounds import encode, song
from tonetouch_contracts.copy import CopyFailed, CopySentence, CopySkipped, CopyWritten
from tonetouch_contracts.identity import ContentHash, JobId, TrackId, derived
from tonetouch_contracts.track import DescribeTrack
from tonetouch_contracts.upload import AboutWanted, AboutWritten, RetryIngest, StepFailed, StepSkipped, StepStarted
from tonetouch_ingest.about import known_of
from tonetouch_ingest.app import app
from tonetouch_ingest.upload import Upload
from tonetouch_ingest.writing import answered, want
from tonetouch_runtime import Floor, Settings, running
from tonetouch_runtime.testing import given

JOB = JobId(derived("job", TRACK, "write_about"))


def wanted(attempt: int = 1) -> AboutWanted:
    return AboutWanted(
        track_id=TRACK,
        ask_id=derived("ask", TRACK, str(attempt)),
        job_id=JOB,
        attempt=attempt,
        known=known_of(STAGED, ANALYSED),
    )


def begun(attempt: int = 1) -> StepStarted:
    return StepStarted(track_id=TRACK, step="write_about", attempt=attempt, job_id=JOB)


def written(want: AboutWanted, **said: Any) -> CopyWritten:
    fields: dict[str, Any] = {
        "written_by": want.job_id,
        "prompt": "about-track@2",
        "provider": "local",
        "model": "m@1",
        "context_sha256": None,
        "facts_sha256": ContentHash("a" * 64),
        "text": "It is a song.",
        "sentences": (CopySentence(text="It is a song.", facts=("T1",)),),
        "facts": (),
    }
    return CopyWritten(**(answer(want) | fields | said))


def skipped(want: AboutWanted) -> CopySkipped:
    return CopySkipped(**answer(want), reason="too little is known to write of")


def failed(want: AboutWanted, *, may_pass: bool) -> CopyFailed:
    return CopyFailed(**answer(want), reason="the store is away", may_pass=may_pass)


def answer(want: AboutWanted) -> dict[str, Any]:
    return {
        "copy_id": derived("copy", want.track_id),
        "ask_id": want.ask_id,
        "kind": "about_track",
        "subject": f"track:{want.track_id}",
        "job_id": want.job_id,
        "attempt": want.attempt,
    }


def test_the_attempt_and_what_it_needs_are_said_together() -> None:
    """Nobody can be killed between the two."""
    given(Upload(), *through_analysis()).when(partial(want, track_id=TRACK)).then(begun(), wanted())


def test_what_is_on_its_way_is_not_wanted_again() -> None:
    """A task that comes back after a kill finds nothing to do: the log holds what is missing."""
    given(Upload(), *through_analysis(), begun(), wanted()).when(partial(want, track_id=TRACK)).then()


def test_the_next_attempt_follows_a_failed_one() -> None:
    """And one whose worker was killed before it could say what it needs."""
    failure = StepFailed(track_id=TRACK, step="write_about", attempt=1, error="away", final=False)
    past = (*through_analysis(), begun(), wanted(), failure)
    given(Upload(), *past).when(partial(want, track_id=TRACK)).then(begun(2), wanted(2))
    given(Upload(), *through_analysis(), began("write_about")).when(partial(want, track_id=TRACK)).then(
        begun(2), wanted(2)
    )


def test_a_text_ends_the_step_once() -> None:
    """What is written again later ends nothing, and what nobody waits for neither."""
    past = (*through_analysis(), begun(), wanted())
    done = AboutWritten(track_id=TRACK, about="It is a song.", job_id=JOB)
    given(Upload(), *past).when(partial(answered, answer=written(wanted()))).then(done)
    given(Upload(), *past, done).when(partial(answered, answer=written(wanted()))).then()
    given(Upload()).when(partial(answered, answer=written(wanted()))).then()


def test_too_little_to_write_of_skips_the_step() -> None:
    """Only the attempt that waits for it."""
    past = (*through_analysis(), begun(), wanted())
    reason = StepSkipped(track_id=TRACK, step="write_about", reason="too little is known to write of")
    given(Upload(), *past).when(partial(answered, answer=skipped(wanted()))).then(reason)
    given(Upload(), *past).when(partial(answered, answer=skipped(wanted(2)))).then()


def test_unknown_things_are_no_facts() -> None:
    """An artist that was guessed from a file's name is unknown; every fact says which event it is from."""
    known = known_of(msgspec.structs.replace(STAGED, guessed=("artist",)), ANALYSED)
    assert "artist" not in {one.name for one in known}
    assert {one.source for one in known} == {f"audio.staged.{TRACK}", f"audio.analysed.{TRACK}"}


@pytest.fixture(name="alone")
async def _alone(settings: Settings, neighbours: Neighbours) -> AsyncIterator[Floor]:
    """Ingest with its neighbours, and nobody who writes."""
    await provision(settings)
    async with AsyncExitStack() as stack:
        for neighbour in neighbours.apps:
            await stack.enter_async_context(running(neighbour, settings))
        yield await stack.enter_async_context(running(app, settings))


async def what_is_wanted(floor: Floor, track_id: TrackId, attempt: int = 1) -> AboutWanted:
    """Wait for an attempt at the text."""
    found: list[AboutWanted] = []

    async def is_wanted() -> bool:
        history = [fact.event for fact in await floor.log.history("INGEST", track_id)]
        found[:] = [event for event in history if isinstance(event, AboutWanted) and event.attempt == attempt]
        return bool(found)

    await until(is_wanted)
    return found[0]


async def say(floor: Floor, said: CopyWritten | CopySkipped | CopyFailed) -> None:
    """What agents says."""
    await floor.log.transact("AGENTS", said.copy_id, Nothing(), lambda _: said)


async def state(floor: Floor, track_id: TrackId, wanted_state: str) -> None:
    """Wait until the step has this state."""

    async def has_it() -> bool:
        view = await shown(floor, track_id)
        return view is not None and step_of(view, "write_about").state == wanted_state

    await until(has_it)


async def test_a_track_is_published_while_its_text_is_on_its_way(
    alone: Floor, neighbours: Neighbours, tmp_path: Path
) -> None:
    """The step shows as running, with its job, until the text comes; then catalog is told."""
    track_id = await upload(alone, encode(song(31, seconds=8.0), tmp_path / "a.flac"), artist="Somebody")
    view = await with_status(alone, track_id, "published")
    needed = await what_is_wanted(alone, track_id)
    assert {"title", "artist", "length"} <= {one.name for one in needed.known}
    step = step_of(await shown(alone, track_id) or view, "write_about")
    assert (step.state, step.job_id) == ("running", needed.job_id)
    assert neighbours.of(DescribeTrack) == []
    text = written(needed, written_by=JobId("another"))
    await say(alone, text)
    await state(alone, track_id, "done")
    (told,) = neighbours.of(DescribeTrack)
    assert (told.track_id, told.about, told.job_id) == (track_id, "It is a song.", "another")
    await say(alone, written(needed, ask_id="asked-by-a-person", text="It is another song."))

    async def told_again() -> bool:
        return [command.about for command in neighbours.of(DescribeTrack)] == ["It is a song.", "It is another song."]

    await until(told_again)


async def test_a_failure_that_may_pass_is_followed_by_another_attempt(alone: Floor, tmp_path: Path) -> None:
    """By itself, under the next number; what fails for good waits for somebody to retry it."""
    track_id = await upload(alone, encode(song(32, seconds=8.0), tmp_path / "a.flac"))
    first = await what_is_wanted(alone, track_id)
    await say(alone, failed(first, may_pass=True))
    second = await what_is_wanted(alone, track_id, 2)
    assert second.ask_id != first.ask_id
    await say(alone, failed(first, may_pass=True))  # a late one of the attempt before changes nothing
    await say(alone, failed(second, may_pass=False))
    await state(alone, track_id, "failed")
    view = await with_status(alone, track_id, "published")
    assert step_of(view, "write_about").error == "the store is away"
    await alone.ask(RetryIngest(track_id=track_id))
    third = await what_is_wanted(alone, track_id, 3)
    await say(alone, written(third))
    await state(alone, track_id, "done")
    view = await with_status(alone, track_id, "published")
    assert step_of(view, "write_about").attempts == 3


async def test_a_text_waits_for_a_catalog_that_is_away(alone: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """It is not written again, and not lost."""
    track_id = await upload(alone, encode(song(33, seconds=8.0), tmp_path / "a.flac"))
    await with_status(alone, track_id, "published")
    needed = await what_is_wanted(alone, track_id)
    neighbours.away = True
    await say(alone, written(needed))
    await asyncio.sleep(0)
    neighbours.away = False
    await state(alone, track_id, "done")
    view = await with_status(alone, track_id, "published")
    assert step_of(view, "write_about").attempts == 1
