"""kill -9 loses nothing and doubles nothing: the real process, killed where it hurts."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.agents.music import Nothing, artist_id, publish, track
from tests.agents.planned import Model
from tests.agents.texts import rows, said, settled, until
from tests.runtime.installation import provision
from tonetouch_agents.refresh import Refresh, night_of
from tonetouch_agents.subject import Subject
from tonetouch_contracts.copy import CopyAsked, CopyBegun, CopyWritten, Known, WriteCopy
from tonetouch_contracts.identity import JobId, TrackId
from tonetouch_contracts.message import Event, ShowHealth
from tonetouch_contracts.upload import AboutWanted
from tonetouch_runtime import App, Floor, Settings, Unavailable, running

ARTIST = f"artist:{artist_id()}"
TRACK = TrackId("0192f0c4-7a1e-7c53-9c0d-000000000077")


@contextmanager
def agents(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The service as its launcher starts it."""
    environment = os.environ | {
        "TONETOUCH_DATA": str(settings.data),
        "TONETOUCH_NATS_URL": settings.nats_url,
        "TONETOUCH_S3_ENDPOINT": settings.s3_endpoint,
        "TONETOUCH_S3_BUCKET": settings.s3_bucket,
        "TONETOUCH_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "TONETOUCH_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "TONETOUCH_OPENAI_BASE_URL": settings.openai_base_url,
    }
    process = subprocess.Popen([sys.executable, "-m", "tonetouch_agents"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def is_up(floor: Floor) -> None:
    """Wait until it answers, and until the night that is due at its start is over."""

    async def answers() -> bool:
        try:
            await floor.bus.ask(ShowHealth(), service="agents", timeout=2.0)
        except Unavailable:
            return False
        return (await floor.log.load("AGENTS", night_of(floor.clock.now()), Refresh())).state.completed is not None

    await until(answers, seconds=60)


def counted(events: list[Event], kind: type[Event]) -> int:
    return sum(isinstance(event, kind) for event in events)


@pytest.mark.timeout(240)
async def test_a_writer_killed_while_a_model_answers(settings: Settings, model: Model) -> None:
    """The next process writes, under the next attempt; a text that was written before the kill stays the only one."""
    settings.openai_base_url = model.address
    await provision(settings)
    copy_id = Subject.read(ARTIST).copy_id("artist_bio")
    async with running(App(name="tests"), settings) as floor:
        await publish(floor, track(1))
        model.gate.clear()
        with agents(settings) as process:
            await is_up_but_for_the_night(floor)
            await until(lambda: model.asked, seconds=60)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert counted(await said(floor, copy_id), CopyWritten) == 0
        model.gate.set()
        with agents(settings) as process:
            await is_up(floor)
            text = await settled(floor, "artist_bio", ARTIST)
            process.send_signal(signal.SIGKILL)
            process.wait()
        with agents(settings):
            await is_up(floor)
            events = await said(floor, copy_id)
        assert (counted(events, CopyAsked), counted(events, CopyWritten)) == (1, 1)
        attempts = [event.attempt for event in events if isinstance(event, CopyBegun)]
        assert attempts == list(range(1, len(attempts) + 1))
        recorded = [row.attempt for row in await rows(floor, text.job_id)]
        assert len(recorded) == len(set(recorded))


async def is_up_but_for_the_night(floor: Floor) -> None:
    """Wait until it answers: the night it has begun waits for the model."""

    async def answers() -> bool:
        try:
            await floor.bus.ask(ShowHealth(), service="agents", timeout=2.0)
        except Unavailable:
            return False
        return True

    await until(answers, seconds=60)


@pytest.mark.timeout(240)
async def test_what_ingest_wants_survives_a_service_that_is_down(settings: Settings, model: Model) -> None:
    """It was said while nobody listened, and is written once somebody does; a person's ask beside it as well."""
    settings.openai_base_url = model.address
    await provision(settings)
    wanted = AboutWanted(
        track_id=TRACK,
        ask_id="ask-1",
        job_id=JobId("step-job"),
        attempt=3,
        known=(Known(name="title", value="Night Bus"), Known(name="year", value="1998")),
    )
    async with running(App(name="tests"), settings) as floor:
        await floor.log.transact("INGEST", TRACK, Nothing(), lambda _: wanted)
        await publish(floor, track(1))
        with agents(settings):
            await is_up(floor)
            text = await settled(floor, "about_track", f"track:{TRACK}")
            await floor.ask(WriteCopy(kind="artist_bio", subject=ARTIST))
            await settled(floor, "artist_bio", ARTIST)
        assert (text.status, text.job_id, text.attempt) == ("written", "step-job", 3)
        (row,) = await rows(floor, "step-job")
        assert (row.feature, row.subject, row.priority) == ("ingest.write_about", f"track:{TRACK}", "ingest")
