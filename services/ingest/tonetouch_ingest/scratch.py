"""Files for as long as somebody listens to them. The folder is emptied at start: a killed process leaves some."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tonetouch_runtime import Floor


class Scratch:
    """A folder of files that nobody will miss."""

    def __init__(self, folder: Path, floor: Floor) -> None:
        self._folder = folder
        self._floor = floor

    @asynccontextmanager
    async def holding(self, key: str) -> AsyncIterator[Path]:
        """An object as a file for as long as the block lasts. Raises ObjectMissing.

        Its name has no ending: what a file is, its bytes tell.
        """
        path = self._folder / self._floor.clock.new_id()
        try:
            await self._floor.objects.download(key, path)
            yield path
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)


@asynccontextmanager
async def opening_scratch(floor: Floor) -> AsyncIterator[Scratch]:
    """The scratch folder of this process, empty."""
    folder = floor.settings.data / "scratch" / floor.service
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    yield Scratch(folder, floor)
