"""Retention of bodies: what was asked and answered goes some days after its last use, where a setting says so.

Bodies lie under their hash and are used by many attempts, so the rows say when one was last used. Rows and sums stay.
An attempt that finds its body gone asks the model again: a sweep that comes at the wrong moment costs a call, no more.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from tonetouch_ai_ledger.recording import AIJobRow
from tonetouch_ai_ledger.settings import RetentionSettings
from tonetouch_runtime import Floor, ObjectStoreUnavailable, Unavailable, stamp

log = structlog.get_logger()

EVERY_SECONDS = 6 * 3600.0
PREFIX = "ai/"

_KEY = re.compile(r"ai/([0-9a-f]{64})(|\.input|\.context)")
_KINDS = {"": "answers", ".input": "inputs", ".context": "contexts"}
_NAMED_BY = {"answers": "input_hash", "inputs": "input_hash", "contexts": "context_hash"}


class Retention:
    """The background activity; it is a resource so that it ends with the service."""

    def __init__(self, floor: Floor, settings: RetentionSettings) -> None:
        self._floor = floor
        self._settings = settings

    async def run(self) -> None:
        """Sweep now and then four times a day; not at all where everything is kept for ever."""
        while self._kept():
            try:
                await self.once()
            except (Unavailable, ObjectStoreUnavailable, SQLAlchemyError) as error:
                log.warning("retention_put_off", error=type(error).__name__)
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> dict[str, int]:
        """Delete every body whose time is over, and return how many of each class that were."""
        used = {kind: await self._used(kind, days) for kind, days in self._kept().items()}
        deleted = dict.fromkeys(used, 0)
        async for found in self._floor.objects.list(PREFIX):
            key = _KEY.fullmatch(found.key)
            kind = _KINDS[key[2]] if key else None
            if key is None or kind is None or kind not in used:
                continue
            since = self._floor.clock.now() - timedelta(days=self._kept()[kind])
            if found.modified < since and bytes.fromhex(key[1]) not in used[kind]:
                await self._floor.objects.delete(found.key)
                deleted[kind] += 1
        if any(deleted.values()):
            log.info("bodies_deleted", **deleted)
        return deleted

    def _kept(self) -> Mapping[str, int]:
        """Classes with an end, and their days."""
        days = {kind: self._settings.days_of(kind) for kind in _NAMED_BY}
        return {kind: number for kind, number in days.items() if number is not None}

    async def _used(self, kind: str, days: int) -> set[bytes]:
        """The hashes used in the last days: 32 bytes each, so that a million of them fit into memory."""
        jobs = self._floor.tables.live(AIJobRow)
        since = stamp(self._floor.clock.now() - timedelta(days=days))
        named_by = jobs.c[_NAMED_BY[kind]]
        rows = await self._floor.tables.all(
            select(named_by.label("hash")).distinct().where(jobs.c.started_at >= since, named_by.is_not(None))
        )
        return {bytes.fromhex(row["hash"]) for row in rows if re.fullmatch(r"[0-9a-f]{64}", row["hash"])}


@contextlib.asynccontextmanager
async def retaining_bodies(floor: Floor) -> AsyncIterator[Retention]:
    """Sweep in the background for as long as the service runs."""
    retention = Retention(floor, RetentionSettings())
    running = asyncio.create_task(retention.run())
    try:
        yield retention
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
