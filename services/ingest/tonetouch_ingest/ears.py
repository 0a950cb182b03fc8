"""The ears of this service: its analysis processes, and what they heard a moment ago.

Fingerprint and analyse want the same file decoded at the same time. Whoever comes first listens; the other waits for
the same answer, so a file is decoded once. What a killed process had heard is simply heard again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tonetouch_ingest.listening.findings import AudioFacts, Heard
from tonetouch_ingest.listening.workers import Workers
from tonetouch_ingest.scratch import Scratch
from tonetouch_ingest.shelving import audio_key
from tonetouch_ingest.upload import Upload
from tonetouch_runtime import Floor, ObjectMissing

REMEMBERED = 256
"""Findings kept: a few kilobytes each, and the two steps of a file follow each other closely."""


class Ears:
    """Listens to recordings by their hash."""

    def __init__(self, workers: Workers, scratch: Scratch) -> None:
        self._workers = workers
        self._scratch = scratch
        self._heard: OrderedDict[str, asyncio.Task[Heard]] = OrderedDict()

    async def probe(self, path: Path) -> AudioFacts:
        """What a file says about itself. Raises AudioRefused or WorkFailed."""
        return await self._workers.run("probe", path)

    async def hear(self, upload: Upload) -> Heard:
        """Fingerprint and measurement of a staged upload. Raises AudioRefused, WorkFailed or ObjectMissing."""
        assert upload.started is not None, "only what was staged is heard"
        key = audio_key(upload.started.sha256)
        task = self._heard.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._heard[key] = asyncio.create_task(self._listen(key, upload.started.object_key))
            if len(self._heard) > REMEMBERED:
                self._heard.popitem(last=False)
        # One of the two who wait may be cancelled; the other still wants the answer.
        return await asyncio.shield(task)

    async def _listen(self, key: str, origin: str) -> Heard:
        try:
            return await self._listen_to(key)
        except ObjectMissing:
            # The same bytes were rejected in another upload a moment ago and went with it. Hear for ourselves.
            return await self._listen_to(origin)

    async def _listen_to(self, key: str) -> Heard:
        async with self._scratch.holding(key) as path:
            return await self._workers.run("listen", path)


@asynccontextmanager
async def opening_ears(floor: Floor) -> AsyncIterator[Ears]:
    """As many processes as the settings say; each listens to one file at a time."""
    async with Workers(size=floor.settings.ingest_workers) as workers:
        yield Ears(workers, floor.get(Scratch))
