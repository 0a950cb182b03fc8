"""What a child process prints, kept in a file that does not grow for ever."""

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
