"""What a child process prints, kept in a file that does not grow for ever."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import BinaryIO


class LogFile:
    """An append-only file; past `limit_bytes` it becomes `.1` (the old `.1` becomes `.2`, ...) and a new one begins.

    A line may be split between two files: bytes are written as they come.
    """

    def __init__(self, path: Path, *, limit_bytes: int = 8 * 1024 * 1024, keep: int = 3) -> None:
        self.path = path
        self._limit_bytes = limit_bytes
        self._keep = keep
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = self._open()

    def write(self, data: bytes) -> None:
        """Append; visible to readers at once."""
        if self._file.tell() + len(data) > self._limit_bytes and self._file.tell() > 0:
            self._rotate()
        self._file.write(data)

    def close(self) -> None:
        """Close the file; further writes are an error."""
        self._file.close()

    def last_line(self) -> str:
        """The last line that is not empty, cut to 300 characters; an empty string when there is none."""
        lines = self.path.read_bytes()[-8192:].decode(errors="replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")

    def _open(self) -> BinaryIO:
        return self.path.open("ab", buffering=0)

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._keep - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number + 1}"))
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self._file = self._open()


class Output:
    """Copies what comes out of a pipe into a log file, until its last writer is gone."""

    def __init__(self, reader: int, log: LogFile) -> None:
        self._reader = reader
        self._log = log
        self._ended = asyncio.Event()
        os.set_blocking(reader, False)
        asyncio.get_running_loop().add_reader(reader, self._copy)

    async def finish(self) -> None:
        """Wait until everything is copied; not for long, as a process that fled its group may hold the pipe."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), 1.0)
        if not self._ended.is_set():
            self._close()

    def _copy(self) -> None:
        try:
            data = os.read(self._reader, 65536)
        except BlockingIOError:
            return
        if data:
            self._log.write(data)
        else:
            self._close()

    def _close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._reader)
        os.close(self._reader)
        self._ended.set()
