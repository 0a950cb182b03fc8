"""Sifts an ID3v2 tag: copies the frames that the catalogue has a use for into a small tag that is safe to parse.

Parsers take a tag whole, copy what is left of it after each frame, and inflate compressed frames without a bound: a tag
of some megabytes can cost minutes or all memory, and each megabyte of UTF-16 half a second. After sifting there are at
most 200 frames of known kinds and sizes.
Sources: the ID3v2.2, 2.3 and 2.4 informal standards of id3.org.
"""

import io
import re
from collections.abc import Iterator
from typing import Final

from tonetouch_ingest.listening.boxes import (
    MAXIMUM_BOXES,
    MAXIMUM_PICTURE_BYTES,
    Box,
    File,
    read_box,
)

MAXIMUM_FRAMES: Final = 200
MAXIMUM_TAG_BYTES: Final = 24 * 1024 * 1024
MAXIMUM_TEXT_BYTES: Final = 1024 * 1024  # of all texts together

_PICTURE_HEAD_BYTES: Final = 1024  # MIME type and description stand before the picture
_PICTURE_BYTES: Final = MAXIMUM_PICTURE_BYTES + _PICTURE_HEAD_BYTES
# One byte of encoding and then whole UTF-16 units, so that a cut text still decodes.
_TEXT_BYTES: Final = 64 * 1024 + 1
_LYRICS_BYTES: Final = 256 * 1024 + 1
_TIMED_BYTES: Final = 64 * 1024  # not cut but left out: the times between the words would be torn

_LIMITS: Final = {
    **dict.fromkeys(("TIT2", "TPE1", "TALB", "TPE2", "TCON", "TDRC", "TYER", "TRCK", "TPOS", "TLAN"), _TEXT_BYTES),
    **dict.fromkeys(("TT2", "TP1", "TAL", "TP2", "TCO", "TYE", "TRK", "TPA", "TLA"), _TEXT_BYTES),
    **dict.fromkeys(("TXXX", "TXX", "USLT", "ULT"), _LYRICS_BYTES),
    **dict.fromkeys(("SYLT", "SLT"), _TIMED_BYTES),
    **dict.fromkeys(("APIC", "PIC"), _PICTURE_BYTES),
}
_PICTURE_FRAMES: Final = frozenset(["APIC", "PIC"])
_WHOLE_FRAMES: Final = _PICTURE_FRAMES | {"SYLT", "SLT"}
_FREE_FRAMES: Final = frozenset(["TXXX", "TXX"])
_FREE_NAMES: Final = (b"ITUNESADVISORY", b"LYRICS")
_FRAME_ID: Final = re.compile(rb"[A-Z][A-Z0-9]{2,3}")


def syncsafe(four: bytes) -> int:
    """Reads a size written with seven bits a byte."""
    return sum((byte & 0x7F) << shift for byte, shift in zip(four, (21, 14, 7, 0), strict=True))


def sift_id3(file: File, *, at: int, end: int, problems: list[str]) -> bytes | None:
    """Copies the wanted frames of the ID3v2 tag at `at` into a small tag of the same version, ready for a parser.

    Long texts are cut; pictures over 10 MiB, compressed and encrypted frames are left out with a note.
    None when there is no readable tag.
    """
    file.seek(at)
    header = file.read(10)
    if len(header) < 10 or header[:3] != b"ID3":
        return None
    version, flags = header[3], header[5]
    if version not in (2, 3, 4) or (version == 2 and flags & 0x40):
        problems.append(f"an ID3 tag of version 2.{version} with flags {flags:#04x} cannot be read")
        return None
    body_end = min(at + 10 + syncsafe(header[6:10]), end)
    source, start, body_end = _unsynced(file, Box(b"", at + 10, body_end), version, flags)
    start += _extended_header(source, start, version) if flags & 0x40 else 0
    frames = b"".join(_wanted_frames(source, Box(b"", start, body_end), version, problems))
    kept_flags = flags & 0x80 if version == 4 else 0
    return b"ID3" + bytes([version, 0, kept_flags]) + _to_syncsafe(len(frames)) + frames


def _to_syncsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def _unsynced(file: File, body: Box, version: int, flags: int) -> tuple[File, int, int]:
    """Before 2.4 the whole tag is unsynchronised at once, and sizes are those of the restored bytes."""
    if version == 4 or not flags & 0x80:
        return file, body.start, body.end
    restored = read_box(file, body, limit=MAXIMUM_TAG_BYTES).replace(b"\xff\x00", b"\xff")
    return io.BytesIO(restored), 0, len(restored)


def _extended_header(file: File, start: int, version: int) -> int:
    file.seek(start)
    size = file.read(4)
    if _FRAME_ID.fullmatch(size):
        return 0  # some writers set the flag and write no extended header
    return syncsafe(size) if version == 4 else 4 + int.from_bytes(size, "big")


def _wanted_frames(file: File, body: Box, version: int, problems: list[str]) -> Iterator[bytes]:
    head = 6 if version == 2 else 10
    start, count, texts, total = body.start, 0, 0, 0
    for _ in range(MAXIMUM_BOXES):
        file.seek(start)
        header = file.read(head) if start + head <= body.end else b""
        name = header[: 3 if version == 2 else 4].rstrip(b"\0")
        if len(header) < head or not _FRAME_ID.fullmatch(name):
            return
        size = _frame_size(file, header, start + head, body.end, version)
        content = Box(name, start + head, min(start + head + size, body.end))
        start += head + size
        data = _wanted(file, content, header, version, problems)
        count, total = count + bool(data), total + len(data)
        texts += 0 if name.decode() in _PICTURE_FRAMES else len(data)
        if count > MAXIMUM_FRAMES or total > MAXIMUM_TAG_BYTES or texts > MAXIMUM_TEXT_BYTES:
            problems.append("the tag has more content than belongs to a track; the rest is left out")
            return
        if data:
            yield _frame_header(header, len(data), version) + data


def _frame_size(file: File, header: bytes, start: int, end: int, version: int) -> int:
    """2.4 writes sizes with 7 bits a byte, but old iTunes wrote plain ones: the next frame tells which it was."""
    if version == 2:
        return int.from_bytes(header[3:6], "big")
    plain, synced = int.from_bytes(header[4:8], "big"), syncsafe(header[4:8])
    if version == 3 or plain == synced or _frame_follows(file, start + synced, end):
        return plain if version == 3 else synced
    return plain if _frame_follows(file, start + plain, end) else synced


def _frame_follows(file: File, at: int, end: int) -> bool:
    if at >= end:
        return at == end
    file.seek(at)
    four = file.read(4)
    return _FRAME_ID.fullmatch(four) is not None or four.strip(b"\0") == b""


def _wanted(file: File, content: Box, header: bytes, version: int, problems: list[str]) -> bytes:
    name, size = content.name.decode(), content.end - content.start
    limit = _LIMITS.get(name)
    if limit is None:
        return b""
    if version > 2 and header[9] & (0x0C if version == 4 else 0xC0):
        problems.append(f"the compressed or encrypted frame {name} is not read")
        return b""
    if name in _WHOLE_FRAMES and size > limit:
        problems.append(f"the frame {name} of {size} bytes is left out")
        return b""
    if name in _FREE_FRAMES:
        start = read_box(file, content, limit=80).replace(b"\0", b"").upper()
        if not any(one in start for one in _FREE_NAMES):
            return b""
    data = read_box(file, content, limit=limit)
    if name in _PICTURE_FRAMES and not _description_ends(data, version):
        problems.append("an embedded picture is broken")
        return b""
    return data


def _description_ends(data: bytes, version: int) -> bool:
    """Whether the picture begins soon: a parser would look for the end of a UTF-16 text through ten megabytes."""
    start = 5 if version == 2 else data.find(b"\0", 1, _PICTURE_HEAD_BYTES) + 2
    head = data[start:_PICTURE_HEAD_BYTES]
    if data[:1] in (b"\1", b"\2"):
        return any(head[at : at + 2] == b"\0\0" for at in range(0, len(head), 2))
    return b"\0" in head


def _frame_header(header: bytes, size: int, version: int) -> bytes:
    if version == 2:
        return header[:3] + size.to_bytes(3, "big")
    return header[:4] + (_to_syncsafe(size) if version == 4 else size.to_bytes(4, "big")) + header[8:10]
