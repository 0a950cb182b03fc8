"""The track: what was uploaded, and what became of it. Pure; every fact comes from CATALOG.

Of its three ends (published, duplicate, rejected) a track has at most one, for ever.
"""

from collections.abc import Sequence
from typing import Self

import msgspec

from tonetouch_catalog.entry import album_id_of, artist_id_of, lyrics_id_of
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import (
    DescribeTrack,
    MarkDuplicate,
    PublishTrack,
    RejectTrack,
    TrackDescribed,
    TrackDuplicated,
    TrackPublished,
    TrackRejected,
    TrackStatus,
    TrackUploaded,
)
from tonetouch_runtime import Refused


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """A track as the decisions need to see it."""

    uploaded: TrackUploaded | None = None
    published: TrackPublished | None = None
    duplicated: TrackDuplicated | None = None
    rejected: TrackRejected | None = None
    described: TrackDescribed | None = None

    def evolve(self, event: Event) -> Self:
        """The track after this event."""
        match event:
            case TrackUploaded():
                return msgspec.structs.replace(self, uploaded=event)
            case TrackPublished():
                return msgspec.structs.replace(self, published=event)
            case TrackDuplicated():
                return msgspec.structs.replace(self, duplicated=event)
            case TrackRejected():
                return msgspec.structs.replace(self, rejected=event)
            case TrackDescribed():
                return msgspec.structs.replace(self, described=event)
        return self

    @property
    def status(self) -> TrackStatus:
        """As far as catalog decides it; how the work on it goes is for ingest to say."""
        if self.published is not None:
            return "published"
        if self.duplicated is not None:
            return "duplicate"
        return "rejected" if self.rejected is not None else "uploaded"


def upload(track: Track, uploaded: TrackUploaded) -> Sequence[Event]:
    """Take an upload on. Asked again with the same words it is the same upload; with others, it is refused."""
    if track.uploaded is None:
        return (uploaded,)
    if track.uploaded == uploaded:
        return ()
    raise Refused("conflict", f"Another upload has the id {uploaded.track_id}.", "Upload under a new id.")


def publish(track: Track, command: PublishTrack) -> Sequence[Event]:
    """Put it on the shelf. Once it is there, asking again changes nothing, whatever is said the second time."""
    _must_be_uploaded(track, command.track_id)
    if track.published is not None:
        return ()
    _must_be_open(track, "be published")
    return (published_as(command),)


def mark_duplicate(track: Track, command: MarkDuplicate) -> Sequence[Event]:
    """Say whose recording it is. Refused for a published track: what listeners have saved stays."""
    _must_be_uploaded(track, command.track_id)
    if command.of == command.track_id:
        raise Refused("invalid", "A track cannot be a duplicate of itself.")
    if track.duplicated is not None and track.duplicated.of == command.of:
        return ()
    _must_be_open(track, "become a duplicate")
    return (TrackDuplicated(track_id=command.track_id, of=command.of, reason=command.reason),)


def reject(track: Track, command: RejectTrack) -> Sequence[Event]:
    """Turn the upload down. The first reason stays."""
    _must_be_uploaded(track, command.track_id)
    if track.rejected is not None:
        return ()
    _must_be_open(track, "be rejected")
    return (TrackRejected(track_id=command.track_id, reason=command.reason),)


def describe(track: Track, command: DescribeTrack) -> Sequence[Event]:
    """Keep its 'About', before or after it is published; a new text takes the place of the old one."""
    _must_be_uploaded(track, command.track_id)
    if track.duplicated is not None or track.rejected is not None:
        raise Refused("conflict", "Nobody will see this track: it was not published.")
    said = TrackDescribed(track_id=command.track_id, about=command.about, job_id=command.job_id)
    return () if track.described == said else (said,)


def published_as(command: PublishTrack) -> TrackPublished:
    """The fact that the command asks for, with the ids of what the track brings along."""
    artist_id = artist_id_of(command.artist)
    said = {name: getattr(command, name) for name in command.__struct_fields__ if name in _SAID_OF_BOTH}
    return TrackPublished(
        **said,
        artist_id=artist_id,
        album_id=album_id_of(artist_id, command.album) if command.album else None,
        lyrics_id=lyrics_id_of(command.track_id, command.lyrics_sha256) if command.lyrics_sha256 else None,
    )


_SAID_OF_BOTH = frozenset(TrackPublished.__struct_fields__)


def _must_be_uploaded(track: Track, track_id: str) -> None:
    if track.uploaded is None:
        raise Refused("not_found", f"There is no track {track_id}.", "Upload it first.")


def _must_be_open(track: Track, what: str) -> None:
    if track.published is not None:
        raise Refused("conflict", f"A published track cannot {what}.")
    if track.rejected is not None:
        raise Refused("conflict", f"A rejected track cannot {what}: {track.rejected.reason}", "Upload a better file.")
    if track.duplicated is not None:
        raise Refused("conflict", f"A duplicate of {track.duplicated.of} cannot {what}.")
