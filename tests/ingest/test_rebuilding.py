"""Ingest's tables are read from the log: lost, they come back as they were."""

from pathlib import Path

from sqlalchemy import RowMapping, select

from tests.ingest.installation import ended, say_uploaded, until, upload, with_status
from tests.sounds import encode, song
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.upload import RetryIngest
from tonetouch_ingest.app import app
from tonetouch_ingest.showing import StepRow, UploadRow
from tonetouch_runtime import Floor, Settings, running


async def rows(floor: Floor) -> list[RowMapping]:
    uploads, steps = floor.tables.live(UploadRow), floor.tables.live(StepRow)
    return [
        *await floor.tables.all(select(uploads).order_by(uploads.c.id)),
        *await floor.tables.all(select(steps).order_by(steps.c.track_id, steps.c.step)),
    ]


async def test_dropped_tables_come_back_with_the_same_rows(provisioned: Settings, tmp_path: Path) -> None:
    """One published, one duplicate, one rejected, one that failed and was retried to a second failure."""
    sound, text = encode(song(1, seconds=6.0), tmp_path / "a.flac"), tmp_path / "text.mp3"
    text.write_bytes(b"words")
    async with running(app, provisioned) as floor:
        await ended(floor, await upload(floor, sound, lyrics=b"[00:01.00]Words"), "published")
        await ended(floor, await upload(floor, sound), "duplicate")
        await ended(floor, await upload(floor, text), "rejected")
        missing = TrackId(floor.clock.new_id())
        await say_uploaded(floor, missing, sha256="0" * 64)
        await with_status(floor, missing, "failed")
        await floor.ask(RetryIngest(track_id=missing))
        await with_status(floor, missing, "failed")
        before = await rows(floor)
    (database,) = [path for path in provisioned.data.rglob("read.db") if "ingest" in path.as_posix()]
    for path in database.parent.glob("read.db*"):
        path.unlink()
    async with running(app, provisioned) as floor:

        async def are_the_same() -> bool:
            return await rows(floor) == before

        await until(are_the_same)
    assert len(before) == 4 * 9
