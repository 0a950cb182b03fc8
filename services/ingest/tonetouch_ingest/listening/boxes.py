"""The boxes that tags lie in: chunks of RIFF and AIFF, atoms of MP4, and a file that bounds what is read of them.

Bounded on purpose: a tag may claim 256 MB or hold a million boxes, so sizes are checked before anything is read.
Sources: the RIFF and AIFF-C specifications, the QuickTime file format.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple

MAXIMUM_PICTURE_BYTES: Final = 10 * 1024 * 1024
MAXIMUM_TEXT_BYTES: Final = 1024 * 1024  # lyrics are the longest; longer texts are cut
MAXIMUM_READ_BYTES: Final = 48 * 1024 * 1024  # a few pictures in base64 and all the rest
MAXIMUM_READS: Final = 200_000
MAXIMUM_BOXES: Final = 5_000


class TooMuch(Exception):
    """The tags of a file would need more reading than they are worth."""


class BoundedFile:
    """A file that may be read up to a total, so that a parser cannot be led into taking all of it into memory."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._bytes_left = MAXIMUM_READ_BYTES
        self._reads_left = MAXIMUM_READS

    def read(self, size: int = -1) -> bytes:
        """Reads like a file; raises TooMuch past 48 MiB or 200,000 reads in all."""
        self._reads_left -= 1
        data = self._file.read(self._bytes_left + 1 if size < 0 else min(size, self._bytes_left + 1))
        self._bytes_left -= len(data)
        if self._bytes_left < 0 or self._reads_left < 0:
            raise TooMuch("the tags are larger than anything that belongs to a track")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Seeks like a file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Tells like a file."""
        return self._file.tell()

    def __enter__(self) -> "BoundedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


File = BinaryIO | BoundedFile


class Box(NamedTuple):
    """A named part of a file: where its content starts and ends."""

    name: bytes
    start: int
    end: int


def read_box(file: File, box: Box, *, limit: int = MAXIMUM_TEXT_BYTES) -> bytes:
    """Reads the content of a box, at most `limit` bytes of it."""
    file.seek(box.start)
    return file.read(min(box.end - box.start, limit))


def length_of(file: File) -> int:
    """How many bytes the file has."""
    return file.seek(0, 2)


def chunks(file: File, *, start: int, end: int, big_endian: bool) -> Iterator[Box]:
    """Walks over RIFF (little-endian) or AIFF (big-endian) chunks; a size past the end ends there."""
    order: Literal["big", "little"] = "big" if big_endian else "little"
    for _ in range(MAXIMUM_BOXES):
        file.seek(start)
        header = file.read(8) if start + 8 <= end else b""
        if len(header) < 8:
            return
        size = int.from_bytes(header[4:], order)
        yield Box(header[:4], start + 8, min(start + 8 + size, end))
        start += 8 + size + size % 2


def atoms(file: File, *, start: int, end: int) -> Iterator[Box]:
    """Walks over the MP4 atoms of one level; stops at the first impossible size."""
    for _ in range(MAXIMUM_BOXES):
        file.seek(start)
        header = file.read(8) if start + 8 <= end else b""
        if len(header) < 8:
            return
        size, body = int.from_bytes(header[:4], "big"), 8
        if size == 1:
            size, body = int.from_bytes(file.read(8), "big"), 16
        elif size == 0:
            size = end - start
        if size < body or start + size > end:
            return
        yield Box(header[4:], start + body, start + size)
        start += size


def find_atom(file: File, *path: bytes) -> Box | None:
    """Follows a path of atom names from the top of the file."""
    box = Box(b"", 0, length_of(file))
    for name in path:
        found = next((one for one in atoms(file, start=box.start, end=box.end) if one.name == name), None)
        if found is None:
            return None
        # 'meta' is a full atom: version and flags stand before its children.
        box = found._replace(start=found.start + 4) if name == b"meta" else found
    return box
