"""How long a file says it is: read from the container's own statement, never estimated from its size.

FFmpeg reports one duration and does not say where it comes from. For MP3 it may be size divided by bit rate, for a cut
WAV it is what is left, for an Ogg whose first pages are damaged it is what comes after them. All of these would make
comparing declared with decoded length worthless, so those three are read here.
"""

from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

_STATED: Final = frozenset({"aiff", "asf", "avi", "caf", "flac", "matroska", "mov", "w64", "wv"})
_OGG_PAGE_LIMIT: Final = 65_307
_OPENS, _CLOSES = 2, 4  # flags of a page
_NO_POSITION: Final = (1 << 64) - 1  # no packet ends on this page
# 255 Vorbis packets of the largest block; a first page beyond it belongs to a stream joined in its middle.
_LONGEST_PAGE_SECONDS: Final = 30
_MPEG_SAMPLES: Final = {3: 1152, 2: 576, 0: 576}  # by version bits: 1, 2, 2.5 (layer III)
_MPEG_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_FIRST_FRAME_WITHIN: Final = 4096


def declared_seconds(path: Path, *, container: str, reported: float | None, sample_rate: int) -> float | None:
    """The length the file states, in seconds, or None.

    `container` is FFmpeg's (first) name for the format, `reported` the duration FFmpeg gives.
    """
    with path.open("rb") as file:
        if container == "mp3":
            return _mp3_seconds(file)
        if container == "wav":
            return _wav_seconds(file)
        if container == "ogg":
            return _ogg_seconds(file, sample_rate) or reported
    return reported if container in _STATED else None


def is_cut_off(path: Path, *, container: str) -> bool:
    """Whether an Ogg file lacks an intact last page that closes its stream (RFC 3533, section 6).

    Ogg states no length up front: the position on the last page is its declaration. Other containers: False.
    """
    if container != "ogg":
        return False
    with path.open("rb") as file:
        last = _last_page(file)
    return last is None or not last.intact or not last.flags & _CLOSES


class _Page(NamedTuple):
    """An Ogg page: its header of 27 bytes, the table of its segments, and their content."""

    header: bytes
    table: bytes
    body: bytes

    @property
    def flags(self) -> int:
        return self.header[5]

    @property
    def position(self) -> int:
        """Where the last packet that ends here ends, in samples from the start."""
        return int.from_bytes(self.header[6:14], "little")

    @property
    def intact(self) -> bool:
        """Whether the checksum holds. Slow in Python, so it is only asked of single pages."""
        content = self.header[:22] + bytes(4) + self.header[26:] + self.table + self.body
        return _ogg_checksum(content) == int.from_bytes(self.header[22:26], "little")


def _ogg_seconds(file: BinaryIO, rate: int) -> float | None:
    """The position on the last page, less that of a stream that was recorded from its middle; None if several run."""
    last = _last_page(file)
    file.seek(0)
    opening = _next_page(file)
    if last is None or not last.intact or opening is None:
        return None
    # Opus counts samples that are thrown away at the start (RFC 7845, section 5.1).
    early = int.from_bytes(opening.body[10:12], "little") if opening.body.startswith(b"OpusHead") else 0
    page = _next_page(file)
    if page is None or page.flags & _OPENS:
        return None
    while page is not None and page.position in (0, _NO_POSITION):
        page = _next_page(file)
    if page is not None and page.intact and page.position > _LONGEST_PAGE_SECONDS * rate:
        early = page.position
    return max(0, last.position - early) / rate


def _last_page(file: BinaryIO) -> _Page | None:
    size = file.seek(0, 2)
    start = max(0, size - 2 * _OGG_PAGE_LIMIT)
    file.seek(start)
    found = file.read().rfind(b"OggS")
    file.seek(start + max(0, found))
    return _next_page(file) if found >= 0 else None


def _next_page(file: BinaryIO) -> _Page | None:
    """The page that begins where the file stands; None when none does or when it is not all there."""
    header = file.read(27)
    if len(header) < 27 or header[:4] != b"OggS":
        return None
    table = file.read(header[26])
    body = file.read(sum(table))
    if len(table) < header[26] or len(body) < sum(table):
        return None
    return _Page(header, table, body)


def _ogg_checksum(page: bytes) -> int:
    """The CRC of a page whose own field is zero: polynomial 0x04C11DB7, nothing reflected."""
    value = 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ _CRC[(value >> 24) ^ byte]
    return value


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        value <<= 24
        for _ in range(8):
            value = ((value << 1) ^ 0x04C11DB7) & 0xFFFFFFFF if value & 0x80000000 else value << 1
        table.append(value)
    return tuple(table)


_CRC: Final = _crc_table()


def _mp3_seconds(file: BinaryIO) -> float | None:
    """Reads the frame count of a Xing, Info or VBRI header out of the first MPEG frame."""
    head = file.read(10)
    start = 0
    if head[:3] == b"ID3":
        # Four bytes of seven bits each (ID3v2.4, section 3.1).
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
    file.seek(start)
    block = file.read(_FIRST_FRAME_WITHIN)
    first = _first_frame(block)
    if first is None:
        return None
    frame = block[first:]
    version, mono = (frame[1] >> 3) & 3, (frame[3] >> 6) == 3
    side = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[(version == 3, mono)]
    frames = 0
    if frame[4 + side : 8 + side] in (b"Xing", b"Info") and frame[11 + side] & 1:
        frames = int.from_bytes(frame[12 + side : 16 + side], "big")
    elif frame[36:40] == b"VBRI":
        frames = int.from_bytes(frame[50:54], "big")
    rate = _MPEG_RATES[version][(frame[2] >> 2) & 3]
    return frames * _MPEG_SAMPLES[version] / rate if frames else None


def _first_frame(block: bytes) -> int | None:
    for at in range(len(block) - 64):
        layer3 = block[at] == 0xFF and (block[at + 1] & 0xE6) == 0xE2 and (block[at + 1] >> 3) & 3 != 1
        if layer3 and (block[at + 2] >> 2) & 3 != 3 and block[at + 2] >> 4 not in (0, 15):
            return at
    return None


def _wav_seconds(file: BinaryIO) -> float | None:
    """Divides the size of the data chunk by the bytes per second. A size of 0 or all ones means: was not known."""
    if file.read(12)[:4] != b"RIFF":
        return None
    per_second = 0
    while len(header := file.read(8)) == 8:
        size = int.from_bytes(header[4:], "little")
        if header[:4] == b"data":
            return size / per_second if per_second and size not in (0, 0xFFFFFFFF) else None
        if header[:4] == b"fmt ":
            per_second = int.from_bytes(file.read(size)[8:12], "little")
            file.seek(size & 1, 1)
        else:
            file.seek(size + (size & 1), 1)
    return None
