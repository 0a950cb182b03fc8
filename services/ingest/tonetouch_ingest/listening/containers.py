"""How each kind of file holds its tags. mutagen parses ID3 frames, FLAC and Ogg; chunks and atoms are walked here.

A claim of a tag never makes us read the whole file: see `boxes` and `id3` for the bounds. MP4 is not given to mutagen,
which an atom of length zero inside a cover holds for ever (1.48).
"""

import base64
import io
from collections.abc import Callable, Iterable
from typing import Any, Final

import mutagen.flac
import mutagen.id3
import mutagen.oggflac
import mutagen.oggopus
import mutagen.oggvorbis

from tonetouch_ingest.listening.boxes import (
    MAXIMUM_PICTURE_BYTES,
    BoundedFile,
    Box,
    atoms,
    chunks,
    find_atom,
    length_of,
    read_box,
)
from tonetouch_ingest.listening.cleaning import clean_text
from tonetouch_ingest.listening.id3 import sift_id3, syncsafe
from tonetouch_ingest.listening.lyrics import MAXIMUM_LINE_CHARACTERS, Line, Lyrics, to_lrc

_FRONT_COVER: Final = 3
_INFO_BYTES: Final = 2048
_ID3_FIELDS: Final = {
    "TIT2": "title",
    "TPE1": "artist",
    "TALB": "album",
    "TPE2": "album_artist",
    "TDRC": "year",
    "TRCK": "track",
    "TPOS": "disc",
    "TLAN": "language",
    "TXXX:ITUNESADVISORY": "advisory",
    "TXXX:SYNCEDLYRICS": "lyrics",
    "TXXX:LYRICS": "lyrics",
    "TXXX:UNSYNCEDLYRICS": "lyrics",
}
_COMMENT_FIELDS: Final = {
    "title": "title",
    "artist": "artist",
    "album": "album",
    "albumartist": "album_artist",
    "album artist": "album_artist",
    "genre": "genre",
    "date": "year",
    "year": "year",
    "tracknumber": "track",
    "discnumber": "disc",
    "language": "language",
    "itunesadvisory": "advisory",
    "syncedlyrics": "lyrics",
    "lyrics": "lyrics",
    "unsyncedlyrics": "lyrics",
    "unsynced lyrics": "lyrics",
}
_ATOM_FIELDS: Final = {
    b"\xa9nam": "title",
    b"\xa9ART": "artist",
    b"\xa9alb": "album",
    b"aART": "album_artist",
    b"\xa9gen": "genre",
    b"\xa9day": "year",
    b"\xa9lyr": "lyrics",
}
_INFO_FIELDS: Final = {
    b"INAM": "title",
    b"IART": "artist",
    b"IPRD": "album",
    b"IGNR": "genre",
    b"ICRD": "year",
    b"ITRK": "track",
    b"IPRT": "track",
    b"ILNG": "language",
    b"NAME": "title",  # AIFF
    b"AUTH": "artist",
}

# mutagen annotates only some of its functions; what it returns is checked by use.
_ID3: Final[Any] = mutagen.id3.ID3
_ID3V1: Final[Any] = mutagen.id3.ParseID3v1
_GENRE: Final[Any] = mutagen.id3.TCON
_FLAC: Final[Any] = mutagen.flac.FLAC
_FLAC_PICTURE: Final[Any] = mutagen.flac.Picture
_OGG: Final[dict[bytes, Any]] = {
    b"OpusHead": mutagen.oggopus.OggOpus,
    b"\x01vorbis": mutagen.oggvorbis.OggVorbis,
    b"\x7fFLAC": mutagen.oggflac.OggFLAC,
}


class Found:
    """What has been read so far: texts by field, the first one said wins, and pictures."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.pictures: list[tuple[bool, bytes]] = []
        self.problems: list[str] = []

    def say(self, field: str, *values: object) -> None:
        self.texts.setdefault(field, []).extend(str(value) for value in values if value is not None)

    def show(self, data: bytes, *, front: bool) -> None:
        if len(data) > MAXIMUM_PICTURE_BYTES:
            self.problems.append("a picture larger than 10 MiB is left out")
        elif data:
            self.pictures.append((front, data))


def reader_for(file: BoundedFile) -> Callable[[BoundedFile, Found], None]:
    """Tells by the first bytes, not by a name, how the file is to be read; what is nothing else may be an MP3."""
    head = file.read(64)
    if head.startswith(b"ID3"):
        file.seek(10 + syncsafe(head[6:10].ljust(4, b"\0")))
        return _read_flac if file.read(4) == b"fLaC" else _read_mp3
    if head.startswith(b"fLaC"):
        return _read_flac
    if head.startswith(b"OggS"):
        return _read_ogg
    if head[4:8] == b"ftyp":
        return _read_mp4
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return _read_wav
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _read_aiff
    return _read_mp3


def _read_mp3(file: BoundedFile, found: Found) -> None:
    length = length_of(file)
    _read_id3(file, found, Box(b"", 0, length))
    if length >= 128:
        old = _ID3V1(read_box(file, Box(b"", length - 128, length)))
        _take_frames(old or {}, found)  # after the newer tag, so it only fills gaps


def _read_id3(file: BoundedFile, found: Found, box: Box) -> None:
    sifted = sift_id3(file, at=box.start, end=box.end, problems=found.problems)
    if sifted is not None and len(sifted) > 10:
        _take_frames(_ID3(io.BytesIO(sifted)), found)


def _take_frames(frames: Any, found: Found) -> None:
    values = {name.upper(): frame for name, frame in frames.items()}
    for frame in (one for name, one in values.items() if name.startswith("SYLT")):
        found.say("lyrics", _lrc_of(frame))
        found.say("language", frame.lang)
    for name, field in _ID3_FIELDS.items():
        if name in values:
            found.say(field, ", ".join(str(text) for text in values[name].text))
    if "TCON" in values:
        found.say("genre", *values["TCON"].genres)
    for frame in (one for name, one in values.items() if name.startswith("USLT")):
        found.say("lyrics", frame.text)
        found.say("language", frame.lang)
    for frame in (one for name, one in values.items() if name.startswith("APIC") and one.mime != "-->"):
        found.show(frame.data, front=frame.type == _FRONT_COVER)


def _lrc_of(frame: Any) -> str | None:
    """Makes LRC of synchronised lyrics in milliseconds; syllables are joined where the frame marks the lines itself."""
    if frame.format != 2 or frame.type > 1:
        return None  # counted in MPEG frames, or no lyrics: chords, events
    by_syllable = any(text.startswith("\n") for text, _ in frame.text)
    lines: list[tuple[int, str]] = []
    for text, milliseconds in frame.text:
        if lines and by_syllable and not text.startswith("\n"):
            lines[-1] = (lines[-1][0], lines[-1][1] + text)
        else:
            lines.append((milliseconds, text.strip("\r\n")))
    timed = (Line(milliseconds / 1000, clean_text(text, limit=MAXIMUM_LINE_CHARACTERS)) for milliseconds, text in lines)
    return to_lrc(Lyrics(synced=True, lines=tuple(timed)))


def _read_flac(file: BoundedFile, found: Found) -> None:
    file.seek(0)
    flac = _FLAC(file)
    _take_comments(flac.tags or (), found)
    for picture in flac.pictures:
        found.show(picture.data, front=picture.type == _FRONT_COVER)


def _read_ogg(file: BoundedFile, found: Found) -> None:
    file.seek(0)
    head = file.read(256)
    file.seek(0)
    kind = next((kind for mark, kind in _OGG.items() if mark in head), None)
    if kind is None:
        found.problems.append("the Ogg file begins with neither Opus, Vorbis nor FLAC")
        return
    _take_comments(kind(file).tags or (), found)


def _take_comments(comments: Iterable[tuple[str, str]], found: Found) -> None:
    said: dict[str, list[str]] = {}
    for name, value in comments:
        said.setdefault(name.lower(), []).append(value)
    for name, field in _COMMENT_FIELDS.items():
        if name in said:
            found.say(field, *(said[name] if field in {"genre", "lyrics"} else [", ".join(said[name])]))
    for encoded in said.get("metadata_block_picture", []):
        try:
            picture = _FLAC_PICTURE(base64.b64decode(encoded, validate=True))
        except Exception:  # whatever the parser trips over: the other comments still count
            found.problems.append("an embedded picture is broken")
        else:
            found.show(picture.data, front=picture.type == _FRONT_COVER)


def _read_mp4(file: BoundedFile, found: Found) -> None:
    tag_list = find_atom(file, b"moov", b"udta", b"meta", b"ilst")
    if tag_list is None:
        return
    for item in atoms(file, start=tag_list.start, end=tag_list.end):
        for box in atoms(file, start=item.start, end=item.end):
            if box.name == b"data":
                _take_atom(file, item.name, box._replace(start=box.start + 8), found)


def _take_atom(file: BoundedFile, name: bytes, box: Box, found: Found) -> None:
    if name in _ATOM_FIELDS:
        found.say(_ATOM_FIELDS[name], read_box(file, box).decode("utf-8", "replace"))
    elif name in (b"trkn", b"disk"):
        number = int.from_bytes(read_box(file, box, limit=4)[2:4], "big")
        found.say("track" if name == b"trkn" else "disc", number or None)
    elif name == b"rtng":
        found.say("advisory", int.from_bytes(read_box(file, box, limit=1), "big"))
    elif name == b"gnre":
        number = int.from_bytes(read_box(file, box, limit=2), "big")
        found.say("genre", *_GENRE(encoding=3, text=[f"({number - 1})"]).genres)
    elif name == b"covr":
        found.show(read_box(file, box, limit=MAXIMUM_PICTURE_BYTES + 1), front=not found.pictures)


def _read_wav(file: BoundedFile, found: Found) -> None:
    parts = list(chunks(file, start=12, end=length_of(file), big_endian=False))
    for part in parts:
        if part.name in (b"id3 ", b"ID3 "):
            _read_id3(file, found, part)
    for part in parts:
        if part.name == b"LIST" and read_box(file, part, limit=4) == b"INFO":
            _take_info(file, chunks(file, start=part.start + 4, end=part.end, big_endian=False), found)


def _read_aiff(file: BoundedFile, found: Found) -> None:
    parts = list(chunks(file, start=12, end=length_of(file), big_endian=True))
    for part in parts:
        if part.name in (b"ID3 ", b"id3 "):
            _read_id3(file, found, part)
    _take_info(file, parts, found)


def _take_info(file: BoundedFile, parts: Iterable[Box], found: Found) -> None:
    for part in parts:
        if part.name in _INFO_FIELDS:
            data = read_box(file, part, limit=_INFO_BYTES)
            found.say(_INFO_FIELDS[part.name], _decode_old_text(data.split(b"\0")[0]))


def _decode_old_text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
