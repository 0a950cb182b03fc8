"""Stage: verify the uploaded bytes, find out what the file says about itself, copy it to where it stays.

Finds `AudioStaged`. What the uploader said wins over the file's tags.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import msgspec
from tonetouch_contracts.identity import ContentHash
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import Audio, Cover
from tonetouch_contracts.upload import AudioStaged, IngestStarted
from tonetouch_runtime import Floor

from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.content import Content
from tonetouch_ingest.ears import Ears
from tonetouch_ingest.listening.cleaning import clean_text, title_from_filename
from tonetouch_ingest.listening.cover import MAXIMUM_BYTES, CoverRefused, read_cover
from tonetouch_ingest.listening.findings import AudioFacts
from tonetouch_ingest.listening.lyrics import parse_lyrics, to_lrc
from tonetouch_ingest.listening.refusals import BrokenAudio
from tonetouch_ingest.listening.tagging import Tags, read_tags
from tonetouch_ingest.scratch import Scratch
from tonetouch_ingest.upload import Upload

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
    """A text that goes with the track, kept by its hash."""

    text: str | None = None
    sha256: ContentHash | None = None
    synced: bool = False
    language: str | None = None


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
    suffix = PurePosixPath(started.file_name).suffix[:10]
    async with floor.get(Scratch).holding(started.object_key, suffix) as path:
        if await asyncio.to_thread(_hash_of, path) != started.sha256:
            raise BrokenAudio("The stored bytes are not the ones that were sent; upload the file again.")
        facts = await floor.get(Ears).probe(path)
        tags = await asyncio.to_thread(read_tags, path)
    picture = await _keep_cover(started, tags, floor)
    words = await _keep_lyrics(started, tags, floor)
    await floor.objects.copy(started.object_key, audio_key(started.sha256))
    return (_staged(started, facts, tags, picture, words),)


async def discard(upload: Upload, floor: Floor, *, audio: bool) -> None:
    """Remove what an upload has left behind; its audio too, unless those bytes belong to another track."""
    if upload.started is None:
        return
    keys = (upload.started.object_key, upload.started.cover_key, upload.started.lyrics_key)
    for key in filter(None, keys):
        await floor.objects.delete(key)
    if audio:
        content = (await floor.log.load("INGEST", upload.started.sha256, Content())).state
        if content.claimed_by in (None, upload.track_id):
            await floor.objects.delete(audio_key(upload.started.sha256))


def audio_key(sha256: str) -> str:
    """Where a recording's bytes stay."""
    return f"audio/{sha256}"


def image_key(sha256: str) -> str:
    """Where a picture stays."""
    return f"image/{sha256}"


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
        problems=(*tags.problems, *([picture.problem] if picture.problem else [])),
    )


async def _keep_cover(started: IngestStarted, tags: Tags, floor: Floor) -> _Picture:
    """The cover sent along, else the one in the file. One that cannot be shown is left out, with a note."""
    if started.cover_key:
        data = await floor.objects.get(started.cover_key, max_bytes=MAXIMUM_BYTES)
    elif tags.cover:
        data = tags.cover.data
    else:
        return _Picture()
    try:
        seen = await asyncio.to_thread(read_cover, data)
    except CoverRefused as refused:
        return _Picture(problem=f"the cover was left out: {refused.reason}")
    await floor.objects.put(image_key(seen.sha256), data, seen.mime)
    cover = Cover(sha256=ContentHash(seen.sha256), content_type=seen.mime, width=seen.width, height=seen.height)
    return _Picture(cover=cover, size_bytes=len(data), colours=seen.dominant_colours)


async def _keep_lyrics(started: IngestStarted, tags: Tags, floor: Floor) -> _Words:
    """The lyrics sent along, else those in the file, as LRC where they have times."""
    if started.lyrics_key:
        sent = (await floor.objects.get(started.lyrics_key, max_bytes=_LYRICS_BYTES)).decode("utf-8", "replace")
    else:
        sent = tags.lyrics or ""
    lyrics = parse_lyrics(sent, language=tags.language)
    if not any(line.text for line in lyrics.lines):
        return _Words()
    text = to_lrc(lyrics)
    sha256 = ContentHash(hashlib.sha256(text.encode()).hexdigest())
    await floor.objects.put(f"lyrics/{sha256}", text.encode(), "text/plain; charset=utf-8")
    return _Words(text=text, sha256=sha256, synced=lyrics.synced, language=lyrics.language)


def _said(text: str | None) -> str | None:
    return clean_text(text, limit=_NAME_CHARACTERS) or None if text else None


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
