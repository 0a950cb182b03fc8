"""The analysis processes of this service, opened with it and closed with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tonetouch_runtime import Floor

from tonetouch_ingest.listening.workers import Workers


@asynccontextmanager
async def opening_workers(floor: Floor) -> AsyncIterator[Workers]:
    """As many processes as the settings say; each listens to one file at a time."""
    async with Workers(size=floor.settings.ingest_workers) as workers:
        yield workers
