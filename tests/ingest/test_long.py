"""Two hours of music go through ingest, and its memory does not grow with them."""

from pathlib import Path

import pytest

from tests.ingest.installation import Neighbours, ended, upload
from tests.ingest.listening.files import without_header
from tests.sounds import encode, song
from tonetouch_runtime import Floor


def peak_kib() -> int:
    """The highest resident size of this process since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@pytest.mark.soak
async def test_two_hours_are_published(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """The service itself grows by less than 64 MB; the process that listens is measured where its tests are."""
    minute = without_header(encode(song(1, seconds=60.0), tmp_path / "minute.mp3"))
    short, long = tmp_path / "short.mp3", tmp_path / "long.mp3"
    short.write_bytes(minute.read_bytes() * 2)
    with long.open("wb") as file:
        for _ in range(120):
            file.write(minute.read_bytes())
    await ended(floor, await upload(floor, short), "published", seconds=300.0)
    forget_peak()
    before = peak_kib()
    track = await upload(floor, long)
    view = await ended(floor, track, "published", seconds=1800.0)
    assert all(step.attempts <= 1 for step in view.steps)
    assert neighbours.published(track).duration_seconds == pytest.approx(7200.0, rel=0.01)
    assert neighbours.published(track).bpm == pytest.approx(120.0, rel=0.02)
    assert peak_kib() - before < 64 * 1024
