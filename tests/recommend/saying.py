"""What the other services say, shortly: events with everything a test does not care about filled in."""

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tonetouch_contracts.feedback import FeedbackGiven, Said
from tonetouch_contracts.identity import (
    ArtistId,
    ContentHash,
    FeedbackId,
    JobId,
    PlayId,
    PlaylistId,
    TrackId,
    UserId,
    derived,
)
from tonetouch_contracts.message import Event, Positions, same_positions
from tonetouch_contracts.play import PlayRecorded
from tonetouch_contracts.playlist import PlaylistCreated, PlaylistDeleted, PlaylistTracksAdded, PlaylistTracksRemoved
from tonetouch_contracts.track import Audio, Relation, TrackPublished, TrackRelated
from tonetouch_contracts.upload import (
    AudioFingerprinted,
    DuplicateDetected,
    EmbeddingDone,
    EmbeddingKind,
    RelationRuled,
)
from tonetouch_recommend.indexes.index import PROGRESSION_MODEL, SOUND_MODEL
from tonetouch_runtime import Log
from tonetouch_runtime.ai.local import LocalEngines


def track_id(name: str) -> TrackId:
    """A UUID that is the same for a name in every test."""
    return TrackId(derived("track", name))


def sounding(seed: int, *, near: int | None = None, apart: float = 0.1) -> bytes:
    """A fingerprint's vector: of a recording of its own, or of `near` in another codec."""
    vector = _random(seed) if near is None else _random(near) + apart * _random(seed)
    return _travelling(vector / np.linalg.norm(vector))


def fingerprinted(
    name: str,
    vector: bytes | None,
    *,
    seconds: float = 200.0,
    model: str = SOUND_MODEL,
    progression: bytes | None = None,
) -> Event:
    return AudioFingerprinted(
        track_id=track_id(name),
        fingerprint="AQAA",
        vector=vector,
        vector_model=model,
        duration_seconds=seconds,
        progression=progression,
        progression_model=None if progression is None else PROGRESSION_MODEL,
    )


def duplicate(name: str, of: str) -> Event:
    return DuplicateDetected(track_id=track_id(name), of=track_id(of), by="sound")


def ruled(name: str, relation: Relation, of: str | None = None) -> Event:
    """Ingest has taken in a person's word."""
    return RelationRuled(track_id=track_id(name), of=None if of is None else track_id(of), relation=relation)


def related(name: str, relation: Relation, of: str | None = None) -> Event:
    """A person's word, as catalog says it."""
    other = None if of is None else track_id(of)
    return TrackRelated(track_id=track_id(name), of=other, relation=relation, reason="Heard.", said_by=UserId("admin"))


def embedded(
    name: str, text: str, *, kind: EmbeddingKind = "description", passage: int = 0, **changes: Any
) -> EmbeddingDone:
    """A text about a track with the vector the embedded engine gives it."""
    vector, model = _embedding(text)
    said = EmbeddingDone(
        track_id=track_id(name),
        kind=kind,
        passage=passage,
        text=text,
        text_hash=ContentHash(hashlib.sha256(text.encode()).hexdigest()),
        model=model,
        dimension=1024,
        vector=vector,
        job_id=JobId("j"),
    )
    return msgspec.structs.replace(said, **changes)


def published(name: str, **changes: Any) -> TrackPublished:
    """A track on the shelf; its title is its name unless told otherwise."""
    said = TrackPublished(
        track_id=track_id(name),
        title=name,
        artist=f"{name} band",
        artist_id=ArtistId(""),
        album=None,
        album_id=None,
        genres=(),
        moods=(),
        duration_seconds=200.0,
        bpm=None,
        bpm_candidates=(),
        key=None,
        key_strength=None,
        energy=None,
        loudness_lufs=None,
        explicit=False,
        region="GB",
        audio=Audio(sha256=ContentHash("0" * 64), size_bytes=1, content_type="audio/flac", codec="flac"),
        cover=None,
    )
    said = msgspec.structs.replace(said, **changes)
    return msgspec.structs.replace(said, artist_id=ArtistId(derived("artist", said.artist)))


def played(user: str, name: str, number: int, *, share: float = 1.0, at: str | None = None) -> PlayRecorded:
    """The `number`-th play of a listener: one every hour unless told otherwise."""
    return PlayRecorded(
        play_id=PlayId(derived("play", user, str(number))),
        user_id=UserId(user),
        track_id=track_id(name),
        heard_seconds=200.0 * share,
        duration_seconds=200.0,
        at=at or f"2026-10-{1 + number // 24:02d}T{number % 24:02d}:00:00Z",
    )


def said(user: str, about: str, word: Said, number: int, *, at: str = "2026-10-01T00:00:00Z") -> FeedbackGiven:
    """The `number`-th thing a listener says, about ``track:<name>`` or ``artist:<name>``."""
    kind, _, name = about.partition(":")
    subject = track_id(name) if kind == "track" else derived("artist", name)
    return FeedbackGiven(
        feedback_id=FeedbackId(derived("feedback", user, str(number))),
        user_id=UserId(user),
        about=f"{kind}:{subject}",
        said=word,
        at=at,
    )


def playlist_id(name: str) -> PlaylistId:
    """A UUID that is the same for a name in every test."""
    return PlaylistId(derived("playlist", name))


def created(playlist: str, user: str) -> PlaylistCreated:
    """A listener began a playlist."""
    return PlaylistCreated(
        playlist_id=playlist_id(playlist), user_id=UserId(user), name=playlist, at="2026-10-01T00:00:00.000000Z"
    )


def deleted(playlist: str, user: str) -> PlaylistDeleted:
    """A listener let a playlist go."""
    return PlaylistDeleted(playlist_id=playlist_id(playlist), user_id=UserId(user))


def extended(playlist: str, user: str, *names: str) -> PlaylistTracksAdded:
    """A listener put these tracks into their playlist."""
    return PlaylistTracksAdded(
        playlist_id=playlist_id(playlist),
        user_id=UserId(user),
        track_ids=tuple(map(track_id, names)),
        at="2026-10-02T00:00:00.000000Z",
    )


def reduced(playlist: str, user: str, *names: str) -> PlaylistTracksRemoved:
    """A listener took these tracks out again."""
    return PlaylistTracksRemoved(
        playlist_id=playlist_id(playlist), user_id=UserId(user), track_ids=tuple(map(track_id, names))
    )


async def say(log: Log, *events: Event) -> Positions:
    """Append the events one after another; the positions after the last one."""
    positions: Positions = {}
    for event in events:
        positions = same_positions(positions, await log.pour(event))
    return positions


def on_shelf(name: str, text: str, lyrics: Sequence[str] = (), **changes: Any) -> list[Event]:
    """Everything that makes a track findable."""
    sung = [embedded(name, passage, kind="lyrics", passage=number) for number, passage in enumerate(lyrics)]
    return [*sung, embedded(name, text), published(name, **changes)]


def _random(seed: int) -> NDArray[np.float64]:
    vector = np.random.default_rng(seed).standard_normal(256)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float64)


def _travelling(vector: NDArray[Any]) -> bytes:
    return vector.astype(np.dtype("<f2")).tobytes()


@cache
def _engines() -> LocalEngines:
    return LocalEngines()


@cache
def _embedding(text: str) -> tuple[bytes, str]:
    answer = _engines().embed([text])
    return _travelling(answer.vectors[0]), answer.model
