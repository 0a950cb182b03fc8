"""The track: what was uploaded, and what became of it. Pure; every fact comes from CATALOG.

Of its three ends (published, duplicate, rejected) a track has at most one, for ever; but a person may say that a
duplicate is none, which is then published, or that a published track is one.
"""

from collections.abc import Sequence
from typing import Self

import msgspec

from tonetouch_catalog.entry import album_id_of, artist_id_of, lyrics_id_of
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import (
    DescribeTrack,
    MarkDuplicate,
    PublishTrack,
    RejectTrack,
    RelateTrack,
    TrackDescribed,
    TrackDuplicated,
    TrackPublished,
    TrackRejected,
    TrackRelated,
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
    related: TrackRelated | None = None

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
            case TrackRelated():
                return msgspec.structs.replace(self, related=event)
        return self

    @property
    def duplicate_of(self) -> TrackId | None:
        """Whose recording it is: by a person's word, else by what was found."""
        if self.related is not None:
            return self.related.of if self.related.relation == "duplicate" else None
        return self.duplicated.of if self.duplicated is not None else None

    @property
    def version_of(self) -> TrackId | None:
        """What it is another form of: by a person's word, else by what was found."""
        if self.related is not None:
            return self.related.of if self.related.relation == "version" else None
        return self.published.version_of if self.published is not None else None

    @property
    def status(self) -> TrackStatus:
        """As far as catalog decides it; how the work on it goes is for ingest to say."""
        if self.duplicate_of is not None:
            return "duplicate"
        if self.published is not None:
            return "published"
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
    if track.duplicate_of == command.of:
        return ()
    _must_be_open(track, "become a duplicate")
    if track.related is not None:
        raise Refused("conflict", f"A person has said that it is no duplicate: {track.related.reason}")
    return (TrackDuplicated(track_id=command.track_id, of=command.of, reason=command.reason, by=command.by),)


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
    if track.duplicate_of is not None or track.rejected is not None:
        raise Refused("conflict", "Nobody will see this track: it was not published.")
    said = TrackDescribed(track_id=command.track_id, about=command.about, job_id=command.job_id)
    return () if track.described == said else (said,)


def relate(track: Track, other: Track | None, command: RelateTrack) -> Sequence[Event]:
    """Take a person's word for what the track is to the `other`; the last word counts. Saying it twice is once.

    Refused where the track has not come to its end, and where the other is not on the shelf. That a duplicate is none
    can be taken back while it is on its way, which may have failed.
    """
    _must_be_uploaded(track, command.track_id)
    _must_be_settled(track, command)
    if command.relation == "none":
        return _unlinked(track, command)
    _must_be_possible(track, other, command)
    before = track.related
    if before is not None and (before.relation, before.of) == (command.relation, command.of):
        return ()
    return (_related(command, command.of),)


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
    if track.duplicate_of is not None:
        raise Refused("conflict", f"A duplicate of {track.duplicate_of} cannot {what}.")


def _must_be_settled(track: Track, command: RelateTrack) -> None:
    if track.rejected is not None:
        raise Refused("conflict", f"A rejected track is nobody's version: {track.rejected.reason}")
    is_taken_back = track.duplicated is not None and command.relation == "duplicate"
    if track.status == "uploaded" and not is_taken_back:
        raise Refused("conflict", "The track is on its way to be published.", "Say it again when it is.")


def _unlinked(track: Track, command: RelateTrack) -> Sequence[Event]:
    linked_to = track.duplicate_of or track.version_of
    if linked_to is None and track.related is not None:
        return ()
    if linked_to is None or command.of not in (None, linked_to):
        where = f"is linked to {linked_to}" if linked_to else "is linked to nothing itself"
        raise Refused(
            "conflict", f"The track {where}.", "Where the other one is linked to this one, say it of the other."
        )
    if track.published is None and track.duplicated is not None and track.duplicated.by == "bytes":
        raise Refused("conflict", "It is the same file, byte for byte: there is nothing else to publish.")
    return (_related(command, linked_to),)


def _must_be_possible(track: Track, other: Track | None, command: RelateTrack) -> None:
    if command.of is None:
        raise Refused("invalid", f"A {command.relation} is one of another track.", "Name that track in `of`.")
    if command.of == command.track_id:
        raise Refused("invalid", f"A track cannot be a {command.relation} of itself.")
    if other is None or other.uploaded is None:
        raise Refused("not_found", f"There is no track {command.of}.")
    if other.duplicate_of is not None:
        raise Refused("conflict", f"The track {command.of} is a duplicate.", f"Name {other.duplicate_of} instead.")
    if other.published is None:
        raise Refused("conflict", f"The track {command.of} is not published.", "Name one that is.")
    if other.version_of == command.track_id:
        raise Refused("conflict", f"The track {command.of} is linked to this one already.", "Unlink that one first.")
    is_same_file = track.published is None and track.duplicated is not None and track.duplicated.by == "bytes"
    if command.relation == "version" and is_same_file:
        raise Refused("conflict", "It is the same file, byte for byte: there is nothing else to publish.")


def _related(command: RelateTrack, of: TrackId | None) -> TrackRelated:
    return TrackRelated(
        track_id=command.track_id,
        of=of,
        relation=command.relation,
        reason=command.reason.strip(),
        said_by=command.said_by,
    )
