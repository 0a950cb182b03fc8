"""Sweep uploads whose bytes arrived and whose `track.uploaded` never followed: the uploader left, or we were killed.

Nothing is acknowledged before the event is in the log, so nobody misses them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import structlog

from tonetouch_contracts.identity import is_entity_id
from tonetouch_ingest.upload import Upload
from tonetouch_runtime import Floor, ObjectStoreUnavailable, Unavailable

log = structlog.get_logger()

EVERY_SECONDS = 3600.0
OLDER_THAN = timedelta(hours=24)


class Sweep:
    """The background activity; it is a resource only so that it ends with the service."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    async def run(self) -> None:
        """Sweep now and then every hour."""
        while True:
            try:
                await self.once()
            except (Unavailable, ObjectStoreUnavailable) as error:
                log.warning("sweep_put_off", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> int:
        """Delete what is left over, and return how many objects that was."""
        oldest, swept = self._floor.clock.now() - OLDER_THAN, 0
        async for found in self._floor.objects.list("incoming/"):
            track_id = found.key.removeprefix("incoming/").partition(".")[0]
            if found.modified < oldest and await self._is_forsaken(track_id):
                await self._floor.objects.delete(found.key)
                swept += 1
        if swept:
            log.info("uploads_swept", objects=swept)
        return swept

    async def _is_forsaken(self, track_id: str) -> bool:
        """Nobody ever said that it was uploaded, or it has come to its end and its cover is not kept for later."""
        if not is_entity_id(track_id) or not await self._floor.log.history("CATALOG", track_id):
            return True
        upload = (await self._floor.log.load("INGEST", track_id, Upload())).state
        is_kept = upload.duplicate is not None and upload.duplicate.by == "sound"
        return upload.completed is not None and not is_kept


@contextlib.asynccontextmanager
async def sweeping_uploads(floor: Floor) -> AsyncIterator[Sweep]:
    """Sweep in the background for as long as the service runs."""
    sweep = Sweep(floor)
    running = asyncio.create_task(sweep.run())
    try:
        yield sweep
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
