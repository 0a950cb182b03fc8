"""The track: what is offered to listeners. Said by catalog on CATALOG."""

from typing import Annotated, ClassVar, Literal

import msgspec

from tonetouch_contracts.identity import AlbumId, ArtistId, ContentHash, GenreId, LyricsId, MediaId, TrackId, UserId
from tonetouch_contracts.message import Command, Done, Event, Page
from tonetouch_contracts.personal import WORDS

TrackStatus = Literal["uploaded", "processing", "published", "duplicate", "rejected", "failed"]
FoundBy = Literal["bytes", "sound"]
Relation = Literal["duplicate", "version", "none"]
"""What one track is to another: the same recording, another form of it (remaster, live, instrumental), or neither."""


class TrackUploaded(Event, frozen=True, kw_only=True, tag="track.uploaded"):
    """The bytes are safe in the object store under `object_key`, and somebody wants them to become a track.

    It does not mean that anybody has listened to them: they may not even be audio.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    uploaded_by: UserId
    object_key: str
    size_bytes: int
    sha256: ContentHash
    file_name: Annotated[str, WORDS]
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genre: str | None = None
    explicit: bool | None = None
    region: str | None = None
    cover_key: str | None = None
    lyrics_key: str | None = None


class Audio(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes a listener hears, addressed by their hash: they lie under ``audio/<sha256>``."""

    sha256: ContentHash
    size_bytes: int
    content_type: str
    codec: str
    bit_rate: int | None = None
    lossless: bool = False


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """A picture, addressed by its hash: it lies under ``image/<sha256>``. `alt` is None where nobody could say."""

    sha256: ContentHash
    content_type: str
    width: int
    height: int
    alt: str | None = None


class TrackPublished(Event, frozen=True, kw_only=True, tag="track.published"):
    """The track is on the shelf: it can be found, played and recommended from here on.

    `guessed` names the fields a machine guessed. Null means that it could not be known, never zero.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    title: str
    artist: str
    artist_id: ArtistId
    album: str | None
    album_id: AlbumId | None
    genres: tuple[str, ...]
    moods: tuple[str, ...]
    duration_seconds: float
    bpm: float | None
    bpm_candidates: tuple[float, ...]
    key: str | None
    key_strength: float | None
    energy: float | None
    loudness_lufs: float | None
    explicit: bool
    region: str
    audio: Audio
    cover: Cover | None
    lyrics: str | None = None
    lyrics_id: LyricsId | None = None
    year: int | None = None
    track_number: int | None = None
    language: str | None = None
    version_of: TrackId | None = None
    guessed: tuple[str, ...] = ()


class TrackDuplicated(Event, frozen=True, kw_only=True, tag="track.duplicated"):
    """The upload is a recording we already have, as track `of`. It does not say which file sounds better."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    of: TrackId
    reason: str
    by: FoundBy | None = None


class TrackRelated(Event, frozen=True, kw_only=True, tag="track.related"):
    """A person has said what this track is to another; it outweighs whatever was found by sound, then or later.

    A duplicate is no longer shown, a version is linked; after `none` it is neither, and `of` is null or what it was
    linked to. It does not say that a track which was stopped as a duplicate is published by now: that follows.
    """

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    of: TrackId | None
    relation: Relation
    reason: Annotated[str, WORDS]
    said_by: UserId


class TrackRejected(Event, frozen=True, kw_only=True, tag="track.rejected"):
    """The upload cannot become a track, for a reason its uploader can act on. It says nothing about our own faults."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    reason: str


class TrackDescribed(Event, frozen=True, kw_only=True, tag="track.described"):
    """'About this track' was written or written again. No person wrote or checked it; `job_id` leads to how."""

    entity_field: ClassVar[str] = "track_id"

    track_id: TrackId
    about: str
    job_id: str


class ArtistAdded(Event, frozen=True, kw_only=True, tag="artist.added"):
    """An artist of this name has a first track. It does not tell two artists apart who share a name."""

    entity_field: ClassVar[str] = "artist_id"

    artist_id: ArtistId
    name: str


class AlbumAdded(Event, frozen=True, kw_only=True, tag="album.added"):
    """An album of this title by this artist has a first track. It does not say that the album is complete."""

    entity_field: ClassVar[str] = "album_id"

    album_id: AlbumId
    title: str
    artist_id: ArtistId


class GenreAdded(Event, frozen=True, kw_only=True, tag="genre.added"):
    """A genre was named for the first time, as the tag spelled it. Nobody has judged whether it is a sensible one."""

    entity_field: ClassVar[str] = "genre_id"

    genre_id: GenreId
    name: str


class LyricsAdded(Event, frozen=True, kw_only=True, tag="lyrics.added"):
    """A text belongs to a track; it lies under ``lyrics/<sha256>`` as LRC where `synced`, else as plain lines.

    It does not say that the words are right, or that they are what is sung. `language` is null where nobody said.
    """

    entity_field: ClassVar[str] = "lyrics_id"

    lyrics_id: LyricsId
    track_id: TrackId
    sha256: ContentHash
    synced: bool
    language: str | None = None


class MediaAdded(Event, frozen=True, kw_only=True, tag="media.added"):
    """An object of this hash is in the store and in use; the same bytes are added once, whoever brings them.

    It does not say who uses them: several tracks may.
    """

    entity_field: ClassVar[str] = "media_id"

    media_id: MediaId
    sha256: ContentHash
    object_key: str
    content_type: str
    size_bytes: int


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What an uploader gets back at once."""

    track_id: TrackId
    status: TrackStatus


class UploadTrack(Command[Accepted], frozen=True, kw_only=True, tag="catalog.upload-track"):
    """The bytes are stored: let them become a track. Asking twice with one `track_id` is one upload."""

    track_id: TrackId
    uploaded_by: UserId
    object_key: str
    size_bytes: int
    sha256: ContentHash
    file_name: Annotated[str, WORDS]
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genre: str | None = None
    explicit: bool | None = None
    region: str | None = None
    cover_key: str | None = None
    lyrics_key: str | None = None


class PublishTrack(Command[Done], frozen=True, kw_only=True, tag="catalog.publish-track"):
    """Everything is known that will be: put the track on the shelf. Asking again changes nothing."""

    track_id: TrackId
    title: str
    artist: str
    album: str | None
    genres: tuple[str, ...]
    moods: tuple[str, ...]
    duration_seconds: float
    bpm: float | None
    bpm_candidates: tuple[float, ...]
    key: str | None
    key_strength: float | None
    energy: float | None
    loudness_lufs: float | None
    explicit: bool
    region: str
    audio: Audio
    cover: Cover | None
    cover_size_bytes: int = 0
    lyrics: str | None = None
    lyrics_sha256: ContentHash | None = None
    lyrics_synced: bool = False
    year: int | None = None
    track_number: int | None = None
    language: str | None = None
    version_of: TrackId | None = None
    guessed: tuple[str, ...] = ()


class MarkDuplicate(Command[Done], frozen=True, kw_only=True, tag="catalog.mark-duplicate"):
    """This upload is the recording `of`: do not publish it. Refused where a person has said otherwise."""

    track_id: TrackId
    of: TrackId
    reason: str
    by: FoundBy | None = None


class RelateTrack(Command[Done], frozen=True, kw_only=True, tag="catalog.relate-track"):
    """Overrule what was found by sound, or link two tracks by hand; of a track that was published or is a duplicate.

    `of` may be left out with `none`. The reason is kept in the log for everybody to read.
    """

    track_id: TrackId
    relation: Relation
    reason: Annotated[str, WORDS]
    said_by: UserId
    of: TrackId | None = None


class RejectTrack(Command[Done], frozen=True, kw_only=True, tag="catalog.reject-track"):
    """This upload cannot become a track, for the reason given."""

    track_id: TrackId
    reason: str


class DescribeTrack(Command[Done], frozen=True, kw_only=True, tag="catalog.describe-track"):
    """Keep this text as 'About this track'."""

    track_id: TrackId
    about: str
    job_id: str


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A published track that is another version of the one it is shown with."""

    id: TrackId
    title: str
    artist: str


class TrackView(msgspec.Struct, frozen=True, kw_only=True):
    """A track as it is shown: what was said at upload until it is published, what was found out after that."""

    id: TrackId
    status: TrackStatus
    file_name: str
    title: str | None = None
    artist: str | None = None
    artist_id: ArtistId | None = None
    album: str | None = None
    album_id: AlbumId | None = None
    genres: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    duration_seconds: float | None = None
    bpm: float | None = None
    bpm_candidates: tuple[float, ...] = ()
    key: str | None = None
    key_strength: float | None = None
    energy: float | None = None
    loudness_lufs: float | None = None
    explicit: bool = False
    region: str | None = None
    audio: Audio | None = None
    cover: Cover | None = None
    about: str | None = None
    lyrics: str | None = None
    duplicate_of: TrackId | None = None
    version_of: TrackId | None = None
    reason: str | None = None
    guessed: tuple[str, ...] = ()
    uploaded_at: str | None = None
    published_at: str | None = None
    versions: tuple[VersionView, ...] = ()


class ShowTrack(Command[TrackView], frozen=True, kw_only=True, tag="catalog.show-track"):
    """One track, whatever its status."""

    track_id: TrackId


class ListTracks(Command[Page[TrackView]], frozen=True, kw_only=True, tag="catalog.list-tracks"):
    """Tracks, newest upload first; all of them, or those of one status, or just the ones named."""

    limit: int = 50
    cursor: str | None = None
    status: TrackStatus | None = None
    track_ids: tuple[TrackId, ...] = ()
