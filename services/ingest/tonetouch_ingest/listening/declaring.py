"""How long a file says it is: read from the container's own statement, never estimated from its size.

FFmpeg reports one duration and does not say where it comes from. For MP3 it may be size divided by bit rate, for a cut
WAV it is what is left. Both would make comparing declared with decoded length worthless, so those two are read here.
"""

from pathlib import Path
from typing import BinaryIO, Final

_STATED: Final = frozenset({"aiff", "asf", "avi", "caf", "flac", "matroska", "mov", "ogg", "w64", "wv"})
_OGG_PAGE_LIMIT: Final = 65_307
_MPEG_SAMPLES: Final = {3: 1152, 2: 576, 0: 576}  # by version bits: 1, 2, 2.5 (layer III)
_MPEG_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_FIRST_FRAME_WITHIN: Final = 4096


def declared_seconds(path: Path, *, container: str, reported: float | None) -> float | None:
    """The length the file states, in seconds, or None. `container` is FFmpeg's name, `reported` its duration."""
    name = container.split(",")[0]
    with path.open("rb") as file:
        if name == "mp3":
            return _mp3_seconds(file)
        if name == "wav":
            return _wav_seconds(file)
    return reported if name in _STATED else None


def is_cut_off(path: Path, *, container: str) -> bool:
    """Whether an Ogg file lacks an intact last page that closes its stream (RFC 3533, section 6).

    Ogg states no length up front: the position on the last page is its declaration. Other containers: False.
    """
    if container != "ogg":
        return False
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 2 * _OGG_PAGE_LIMIT))
        tail = file.read()
    start = tail.rfind(b"OggS")
    header = tail[start : start + 27]
    if start < 0 or len(header) < 27:
        return True
    table = tail[start + 27 : start + 27 + header[26]]
    page = tail[start : start + 27 + len(table) + sum(table)]
    complete = len(page) == 27 + header[26] + sum(table)
    return not (complete and header[5] & 4 and _ogg_checksum(page) == int.from_bytes(header[22:26], "little"))


def _ogg_checksum(page: bytes) -> int:
    """The CRC of a page, its own field taken as zero: polynomial 0x04C11DB7, nothing reflected."""
    value = 0
    for byte in page[:22] + bytes(4) + page[26:]:
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
