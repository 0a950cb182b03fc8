"""Stage: verify the uploaded bytes, find out what the file says about itself, copy it to where it stays.

Finds `AudioStaged`. What the uploader said wins over the file's tags.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tonetouch_contracts.identity import ContentHash
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import Audio, Cover
from tonetouch_contracts.upload import AudioStaged, IngestStarted
from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.ears import Ears
from tonetouch_ingest.listening.cleaning import clean_text, title_from_filename
from tonetouch_ingest.listening.cover import MAXIMUM_BYTES, CoverRefused, read_cover
from tonetouch_ingest.listening.findings import AudioFacts
from tonetouch_ingest.listening.lyrics import decode_text, parse_lyrics, to_lrc
from tonetouch_ingest.listening.refusals import BrokenAudio
from tonetouch_ingest.listening.tagging import Tags, read_tags
from tonetouch_ingest.scratch import Scratch
from tonetouch_ingest.shelving import audio_key, picture_key
from tonetouch_runtime import Floor, ObjectMissing, ObjectTooLarge

UNKNOWN_ARTIST = "Unknown artist"
_LYRICS_BYTES = 1 << 20
_NAME_CHARACTERS = 300

_CONTENT_TYPES = {
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mov": "audio/mp4",
    "wav": "audio/wav",
    "aiff": "audio/aiff",
    "matroska": "audio/webm",
}


class _Words(msgspec.Struct, frozen=True, kw_only=True):
    """A text that goes with the track, and what was wrong with it."""

    text: str | None = None
    sha256: ContentHash | None = None
    synced: bool = False
    language: str | None = None
    problems: tuple[str, ...] = ()


class _Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A cover that was accepted, or why one was not."""

    cover: Cover | None = None
    size_bytes: int = 0
    colours: tuple[str, ...] = ()
    problem: str | None = None


async def stage(attempt: Attempt, floor: Floor) -> Sequence[Event]:
    """Verify, hash, read tags, and copy to ``audio/<sha256>``. Raises AudioRefused for what is not sound."""
    started = attempt.upload.started
    assert started is not None, "only uploads that started are staged"
    async with floor.get(Scratch).holding(started.object_key) as path:
        if await asyncio.to_thread(_hash_of, path) != started.sha256:
            raise BrokenAudio("The stored bytes are not the ones that were sent; upload the file again.")
        facts = await floor.get(Ears).probe(path)
        tags = await asyncio.to_thread(read_tags, path)
    picture = await _accept_cover(started, tags, floor)
    words = await _accept_lyrics(started, tags, floor)
    await floor.objects.copy(started.object_key, audio_key(started.sha256))
    return (_staged(started, facts, tags, picture, words),)


def _staged(started: IngestStarted, facts: AudioFacts, tags: Tags, picture: _Picture, words: _Words) -> AudioStaged:
    title = _said(started.title) or tags.title
    artist = _said(started.artist) or tags.artist or tags.album_artist
    genre = _said(started.genre)
    return AudioStaged(
        track_id=started.track_id,
        audio=Audio(
            sha256=started.sha256,
            size_bytes=started.size_bytes,
            content_type=_CONTENT_TYPES.get(facts.container, f"audio/{facts.container}"),
            codec=facts.codec,
            bit_rate=facts.bit_rate,
            lossless=facts.lossless,
        ),
        title=title or title_from_filename(started.file_name),
        artist=artist or UNKNOWN_ARTIST,
        album=_said(started.album) or tags.album,
        genres=(genre,) if genre else tags.genres,
        explicit=started.explicit if started.explicit is not None else bool(tags.explicit),
        region=started.region or "",
        cover=picture.cover,
        cover_size_bytes=picture.size_bytes,
        cover_colours=picture.colours,
        lyrics=words.text,
        lyrics_sha256=words.sha256,
        lyrics_synced=words.synced,
        year=tags.year,
        track_number=tags.track_number,
        language=words.language or tags.language,
        guessed=tuple(name for name, known in (("title", title), ("artist", artist)) if not known),
        problems=tuple(_notes(facts, tags, picture, words)),
    )


def _notes(facts: AudioFacts, tags: Tags, picture: _Picture, words: _Words) -> Iterator[str]:
    if facts.has_video:
        yield "the moving picture in the file is not shown"
    yield from tags.problems
    if picture.problem:
        yield picture.problem
    yield from words.problems


async def _accept_cover(started: IngestStarted, tags: Tags, floor: Floor) -> _Picture:
    """The cover sent along, else the one in the file. One that cannot be shown is left out, with a note."""
    try:
        data = await _sent(started.cover_key, floor, max_bytes=MAXIMUM_BYTES)
        if data is None:
            data = tags.cover.data if tags.cover else None
        if data is None:
            return _Picture()
        seen = await asyncio.to_thread(read_cover, data)
    except (CoverRefused, ObjectMissing, ObjectTooLarge) as error:
        return _Picture(problem=f"the cover was left out: {_why(error, at_most=MAXIMUM_BYTES)}")
    await floor.objects.put(picture_key(started.track_id), data, seen.mime)
    cover = Cover(sha256=ContentHash(seen.sha256), content_type=seen.mime, width=seen.width, height=seen.height)
    return _Picture(cover=cover, size_bytes=len(data), colours=seen.dominant_colours)


async def _accept_lyrics(started: IngestStarted, tags: Tags, floor: Floor) -> _Words:
    """The lyrics sent along, else those in the file, as LRC where they have times."""
    try:
        data = await _sent(started.lyrics_key, floor, max_bytes=_LYRICS_BYTES)
    except (ObjectMissing, ObjectTooLarge) as error:
        return _Words(problems=(f"the lyrics were left out: {_why(error, at_most=_LYRICS_BYTES)}",))
    sent, problems = decode_text(data) if data is not None else (tags.lyrics or "", ())
    lyrics = await asyncio.to_thread(parse_lyrics, sent, language=tags.language)
    problems = (*(f"the lyrics: {problem}" for problem in (*problems, *lyrics.problems)),)
    if not any(line.text for line in lyrics.lines):
        return _Words(problems=problems)
    text = to_lrc(lyrics)
    return _Words(
        text=text,
        sha256=ContentHash(hashlib.sha256(text.encode()).hexdigest()),
        synced=lyrics.synced,
        language=lyrics.language,
        problems=problems,
    )


async def _sent(key: str | None, floor: Floor, *, max_bytes: int) -> bytes | None:
    return await floor.objects.get(key, max_bytes=max_bytes) if key else None


def _why(error: CoverRefused | ObjectMissing | ObjectTooLarge, *, at_most: int) -> str:
    match error:
        case CoverRefused(reason=reason):
            return reason
        case ObjectTooLarge():
            return f"It is larger than {at_most >> 20} MiB."
    return "What was sent is no longer there."


def _said(text: str | None) -> str | None:
    return clean_text(text, limit=_NAME_CHARACTERS) or None if text else None


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
