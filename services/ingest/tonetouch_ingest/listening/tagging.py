"""Reads what a file says about itself: title, people, album, lyrics, cover. A broken tag is a note, never an error."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from tonetouch_ingest.listening.boxes import BoundedFile
from tonetouch_ingest.listening.cleaning import clean_text, title_from_filename
from tonetouch_ingest.listening.containers import Found, reader_for
from tonetouch_ingest.listening.lyrics import MAXIMUM_CHARACTERS

__all__ = ["EmbeddedCover", "Tags", "clean_text", "read_tags", "title_from_filename"]

TEXT_CHARACTERS: Final = 300
GENRE_CHARACTERS: Final = 60
MAXIMUM_GENRES: Final = 8
MAXIMUM_PROBLEMS: Final = 20

_PICTURE_STARTS: Final = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}


class EmbeddedCover(msgspec.Struct, frozen=True):
    """A picture as it lay in the file; `mime` is told by its bytes. Nothing of it is verified yet."""

    mime: str
    data: bytes


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says about itself, cleaned and capped; None where it says nothing.

    `explicit` is True or False only where a tag says so. `lyrics` is plain text or LRC, not parsed yet.
    `problems` say in words what could not be read.
    """

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genres: tuple[str, ...] = ()
    year: int | None = None
    track_number: int | None = None
    disc_number: int | None = None
    explicit: bool | None = None
    language: str | None = None
    lyrics: str | None = None
    cover: EmbeddedCover | None = None
    problems: tuple[str, ...] = ()


def read_tags(path: Path) -> Tags:
    """Reads the tags of an MP3, FLAC, Ogg (Vorbis, Opus, FLAC), M4A, WAV or AIFF file.

    Never raises for what is in the file, reads at most 48 MiB of it and cuts long values. A missing file is an OSError.
    """
    found = Found()
    with BoundedFile(path) as file:
        try:
            reader_for(file)(file, found)
        except Exception as broken:  # parsers meet arbitrary bytes here: struct, index, value and decode errors alike
            found.problems.append(clean_text(f"the tags are broken: {str(broken) or type(broken).__name__}", limit=200))
    return _tags_of(found)


def _tags_of(found: Found) -> Tags:
    lyrics = [text for text in found.texts.get("lyrics", []) if text.strip()]
    return Tags(
        title=_first(found, "title"),
        artist=_first(found, "artist"),
        album=_first(found, "album"),
        album_artist=_first(found, "album_artist"),
        genres=_genres(found.texts.get("genre", [])),
        year=_number(found, "year", r"(?<!\d)([12]\d{3})(?=\D|$|\d{4}(?!\d))"),
        track_number=_number(found, "track", r"^\D{0,3}(\d{1,4})(?!\d)"),
        disc_number=_number(found, "disc", r"^\D{0,3}(\d{1,4})(?!\d)"),
        explicit={"1": True, "4": True, "2": False}.get(_first(found, "advisory") or ""),
        language=_language(found.texts.get("language", [])),
        lyrics=lyrics[0][:MAXIMUM_CHARACTERS] if lyrics else None,
        cover=_cover(found),
        problems=tuple(dict.fromkeys(found.problems))[:MAXIMUM_PROBLEMS],
    )


def _first(found: Found, field: str) -> str | None:
    cleaned = (clean_text(text, limit=TEXT_CHARACTERS) for text in found.texts.get(field, []))
    return next((text for text in cleaned if text), None)


def _genres(texts: Iterable[str]) -> tuple[str, ...]:
    """Splits at semicolons and NULs, not at slashes or commas: 'R&B/Soul' and 'Folk, World, & Country' are genres."""
    genres: dict[str, str] = {}
    for text in texts:
        for part in re.split(r"[;\0]", text[: TEXT_CHARACTERS * 4]):
            genre = clean_text(part, limit=GENRE_CHARACTERS)
            if genre:
                genres.setdefault(genre.casefold(), genre)
    return tuple(genres.values())[:MAXIMUM_GENRES]


def _number(found: Found, field: str, pattern: str) -> int | None:
    for text in found.texts.get(field, []):
        match = re.search(pattern, clean_text(text, limit=40), re.ASCII)
        if match and int(match.group(1)):
            return int(match.group(1))
    return None


def _language(texts: Iterable[str]) -> str | None:
    """An ISO code as written, in lower case; 'xxx' and 'und' are how tags say that they do not know."""
    codes = (clean_text(text, limit=16).lower() for text in texts)
    known = (code for code in codes if re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", code))
    return next((code for code in known if code not in {"xxx", "und"}), None)


def _cover(found: Found) -> EmbeddedCover | None:
    for _, data in sorted(found.pictures, key=lambda picture: not picture[0]):
        mime = next((mime for start, mime in _PICTURE_STARTS.items() if data.startswith(start)), None)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            mime = "image/webp"
        if mime is not None:
            return EmbeddedCover(mime, data)
        found.problems.append("an embedded picture is no JPEG, PNG, WebP or GIF")
    return None
