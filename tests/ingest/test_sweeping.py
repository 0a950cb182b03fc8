"""What was uploaded and never said is swept after a day; what is still wanted is not."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.ingest.installation import Neighbours, ended, keys, shown, step_of, until, upload
from tests.sounds import encode, song
from tonetouch_ingest.app import app
from tonetouch_ingest.sweeping import Sweep
from tonetouch_runtime import Floor, Settings, SystemClock, running


class LaterClock(SystemClock):
    """The machine's clock, and a while later when it is turned: the object store knows only the machine's."""

    def __init__(self) -> None:
        self.later = timedelta()

    def now(self) -> datetime:
        return super().now() + self.later


@pytest.fixture(name="clock")
def _clock() -> LaterClock:
    return LaterClock()


@pytest.fixture(name="ingest")
async def _ingest(provisioned: Settings, clock: LaterClock) -> AsyncIterator[Floor]:
    async with running(app, provisioned, clock=clock) as floor:
        yield floor


async def test_bytes_nobody_spoke_of_go_after_a_day(
    ingest: Floor, clock: LaterClock, neighbours: Neighbours, tmp_path: Path
) -> None:
    """An uploader that left, with its cover; the bytes of an unfinished upload stay, and it still arrives."""
    neighbours.away = True
    unfinished = await upload(ingest, encode(song(1, seconds=6.0), tmp_path / "a.flac"))

    async def publish_failed() -> bool:
        view = await shown(ingest, unfinished)
        return view is not None and step_of(view, "publish").state == "failed"

    await until(publish_failed)
    forsaken = f"incoming/{clock.new_id()}"
    left_over = {forsaken, f"{forsaken}.cover", "incoming/not an id", "incoming/*"}
    for key in left_over:
        await ingest.objects.put(key, b"bytes")
    sweep = ingest.get(Sweep)
    assert await sweep.once() == 0
    clock.later = timedelta(hours=23)
    assert await sweep.once() == 0
    clock.later = timedelta(hours=25)
    assert await sweep.once() == len(left_over)
    assert await keys(ingest, "incoming/") == [f"incoming/{unfinished}"]
    neighbours.away = False
    await ended(ingest, unfinished, "published")
    assert await keys(ingest, "incoming/") == []


async def test_what_a_killed_process_had_not_tidied_up_goes_too(
    ingest: Floor, clock: LaterClock, tmp_path: Path
) -> None:
    """The upload has ended, and nobody will ask for its bytes again."""
    track = await upload(ingest, encode(song(2, seconds=6.0), tmp_path / "a.flac"))
    await ended(ingest, track, "published")
    await ingest.objects.put(f"incoming/{track}.lyrics", b"left over")
    clock.later = timedelta(hours=25)
    assert await ingest.get(Sweep).once() == 1
