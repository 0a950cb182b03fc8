"""Tracks, uploads and commands to test with."""

from typing import Any

import msgspec

from tonetouch_contracts.identity import ContentHash, TrackId, UserId
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import (
    Audio,
    Cover,
    PublishTrack,
    RelateTrack,
    Relation,
    TrackUploaded,
    UploadTrack,
)
from tonetouch_contracts.upload import IngestFailed, IngestRetried, IngestStarted

AUDIO = Audio(sha256=ContentHash("a" * 64), size_bytes=1_000, content_type="audio/flac", codec="flac", lossless=True)
COVER = Cover(sha256=ContentHash("c" * 64), content_type="image/png", width=600, height=600, alt="A blue square.")


def uploading(track_id: str, **said: Any) -> UploadTrack:
    """The command of an upload."""
    command = UploadTrack(
        track_id=TrackId(track_id),
        uploaded_by=UserId("admin"),
        object_key=f"incoming/{track_id}",
        size_bytes=1_000,
        sha256=ContentHash("0" * 64),
        file_name=f"{track_id}.flac",
    )
    return msgspec.structs.replace(command, **said)


def uploaded(track_id: str, **said: Any) -> TrackUploaded:
    """The fact of an upload."""
    return TrackUploaded(**msgspec.structs.asdict(uploading(track_id, **said)))


def publishing(track_id: str, **said: Any) -> PublishTrack:
    """The command that puts a track on the shelf."""
    command = PublishTrack(
        track_id=TrackId(track_id),
        title="Långsam måne",
        artist="Ängel",
        album="Nätter",
        genres=("Ambient", "Piano"),
        moods=("calm",),
        duration_seconds=61.5,
        bpm=60.0,
        bpm_candidates=(60.0, 120.0),
        key="A minor",
        key_strength=0.8,
        energy=0.2,
        loudness_lufs=-21.5,
        explicit=False,
        region="GB",
        audio=AUDIO,
        cover=COVER,
        cover_size_bytes=500,
        lyrics="Måne",
        lyrics_sha256=ContentHash("d" * 64),
        lyrics_synced=True,
        year=2024,
        track_number=1,
        language="sv",
        guessed=("bpm",),
    )
    return msgspec.structs.replace(command, **said)


def relating(track_id: str, relation: Relation, of: str | None = None, **said: Any) -> RelateTrack:
    """A person's word on what a track is to another."""
    command = RelateTrack(
        track_id=TrackId(track_id),
        relation=relation,
        reason="I heard both.",
        said_by=UserId("admin"),
        of=None if of is None else TrackId(of),
    )
    return msgspec.structs.replace(command, **said)


def ingest_started(track_id: str) -> IngestStarted:
    """Ingest has taken the upload on."""
    return IngestStarted(**msgspec.structs.asdict(uploading(track_id)))


def ingest_failed(track_id: str, *, rejected: bool = False) -> IngestFailed:
    """A step gave up."""
    return IngestFailed(track_id=TrackId(track_id), step="analyse", reason="the disk is full", rejected=rejected)


def ingest_retried(track_id: str) -> IngestRetried:
    """Somebody asked for another try."""
    return IngestRetried(track_id=TrackId(track_id), step="analyse")


class Anything(msgspec.Struct, frozen=True):
    """An entity without rules, to put facts of other services into the log."""

    def evolve(self, event: Event) -> "Anything":
        return self
