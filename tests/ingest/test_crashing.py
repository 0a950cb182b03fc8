"""A file that kills the process which listens to it: the attempt fails, not the service, and not at once the upload."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tests.ingest.crashing_ears import VARIABLE
from tests.ingest.installation import Neighbours, ended, keys, step_of, upload, with_status
from tests.sounds import encode, song
from tonetouch_contracts.upload import IngestFailed, RetryIngest, StepFailed, StepStarted
from tonetouch_ingest.app import app
from tonetouch_ingest.ears import Ears
from tonetouch_ingest.listening.workers import Workers
from tonetouch_ingest.scratch import Scratch, opening_scratch
from tonetouch_ingest.sweeping import sweeping_uploads
from tonetouch_runtime import Floor, Settings, running

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def _opening_crashing_ears(floor: Floor) -> AsyncIterator[Ears]:
    async with Workers(size=1, tasks="tests.ingest.crashing_ears") as workers:
        yield Ears(workers, floor.get(Scratch))


CRASHING = msgspec.structs.replace(app, resources=(opening_scratch, _opening_crashing_ears, sweeping_uploads))


@pytest.fixture(name="crashes")
def _crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Holds how many listenings are still to be killed."""
    counter = tmp_path / "crashes"
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv(VARIABLE, str(counter))
    return counter


@pytest.fixture(name="crashing")
async def _crashing(provisioned: Settings, crashes: Path) -> AsyncIterator[Floor]:
    async with running(CRASHING, provisioned) as floor:
        yield floor


async def failures(floor: Floor, track_id: str) -> list[StepFailed]:
    history = await floor.log.history("INGEST", track_id)
    return [recorded.event for recorded in history if isinstance(recorded.event, StepFailed)]


async def test_a_killed_listening_is_done_again(
    crashing: Floor, crashes: Path, neighbours: Neighbours, tmp_path: Path
) -> None:
    """SIGKILL in the middle of a step fails that attempt, by name; the next one succeeds, and no other step repeats."""
    crashes.write_text("1")
    track = await upload(crashing, encode(song(1, seconds=8.0), tmp_path / "a.flac"))
    view = await ended(crashing, track, "published")
    failed = await failures(crashing, track)
    assert {event.step for event in failed} <= {"fingerprint", "analyse"} and failed
    assert all("SIGKILL" in event.error and not event.final for event in failed)
    again = {event.step for event in failed}
    assert {step.name: step.attempts for step in view.steps if step.state == "done"} == {
        step.name: 2 if step.name in again else 1 for step in view.steps if step.state == "done"
    }
    assert all(step.error is None for step in view.steps)
    assert neighbours.published(track).audio.codec == "flac"


async def test_a_file_that_always_kills_fails_and_can_be_retried(
    crashing: Floor, crashes: Path, neighbours: Neighbours, tmp_path: Path
) -> None:
    """Three crashes of a step are enough: failed, not rejected, the bytes kept. A retry brings back all that died."""
    crashes.write_text("1000")
    track = await upload(crashing, encode(song(2, seconds=8.0), tmp_path / "a.flac"))
    view = await with_status(crashing, track, "failed")
    assert "SIGKILL" in (view.reason or "")
    history = [recorded.event for recorded in await crashing.log.history("INGEST", track)]
    (given_up,) = [event for event in history if isinstance(event, IngestFailed)]
    assert not given_up.rejected
    assert len([e for e in history if isinstance(e, StepStarted) and e.step == given_up.step]) == 3
    assert f"incoming/{track}" in await keys(crashing, "incoming/")
    crashes.write_text("0")
    await crashing.ask(RetryIngest(track_id=track))
    view = await ended(crashing, track, "published")
    assert step_of(view, given_up.step).attempts == 4
    assert step_of(view, "stage").attempts == 1
    assert neighbours.published(track).audio.codec == "flac"


async def test_a_file_that_kills_harms_no_other(crashing: Floor, crashes: Path, tmp_path: Path) -> None:
    """What stands in the queue behind it arrives."""
    crashes.write_text("2")
    tracks = [await upload(crashing, encode(song(seed, seconds=8.0), tmp_path / f"{seed}.flac")) for seed in (3, 4, 5)]
    for track in tracks:
        await ended(crashing, track, "published")
