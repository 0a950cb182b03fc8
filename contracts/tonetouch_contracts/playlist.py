"""The playlist: tracks a listener gathered, in an order. Said by catalog on LIBRARY."""

from typing import Annotated, ClassVar

import msgspec

from tonetouch_contracts.identity import PlaylistId, TrackId, UserId
from tonetouch_contracts.message import Command, Done, Event, Page
from tonetouch_contracts.personal import CONDUCT, WORDS


class PlaylistCreated(Event, frozen=True, kw_only=True, tag="playlist.created"):
    """The listener began a playlist of this name, at `at` (UTC, RFC 3339). Nothing is in it yet."""

    entity_field: ClassVar[str] = "playlist_id"

    playlist_id: PlaylistId
    user_id: UserId
    name: Annotated[str, WORDS]
    at: Annotated[str, CONDUCT]


class PlaylistRenamed(Event, frozen=True, kw_only=True, tag="playlist.renamed"):
    """The playlist has another name. What is in it did not change."""

    entity_field: ClassVar[str] = "playlist_id"

    playlist_id: PlaylistId
    user_id: UserId
    name: Annotated[str, WORDS]


class PlaylistTracksAdded(Event, frozen=True, kw_only=True, tag="playlist.extended"):
    """These tracks stand at the end of the playlist since `at`, in this order. None of them was in it before."""

    entity_field: ClassVar[str] = "playlist_id"

    playlist_id: PlaylistId
    user_id: UserId
    track_ids: Annotated[tuple[TrackId, ...], CONDUCT]
    at: Annotated[str, CONDUCT] | None = None


class PlaylistTracksRemoved(Event, frozen=True, kw_only=True, tag="playlist.reduced"):
    """These tracks were taken out of the playlist. It does not say that they are disliked."""

    entity_field: ClassVar[str] = "playlist_id"

    playlist_id: PlaylistId
    user_id: UserId
    track_ids: Annotated[tuple[TrackId, ...], CONDUCT]


class PlaylistDeleted(Event, frozen=True, kw_only=True, tag="playlist.deleted"):
    """The playlist is gone for good. It does not say anything against its tracks."""

    entity_field: ClassVar[str] = "playlist_id"

    playlist_id: PlaylistId
    user_id: UserId


class CreatePlaylist(Command[Done], frozen=True, kw_only=True, tag="catalog.create-playlist"):
    """Begin a playlist. Asking twice with one `playlist_id` is one playlist."""

    playlist_id: PlaylistId
    user_id: UserId
    name: Annotated[str, WORDS]


class RenamePlaylist(Command[Done], frozen=True, kw_only=True, tag="catalog.rename-playlist"):
    """Give it another name. Its owner may."""

    playlist_id: PlaylistId
    user_id: UserId
    name: Annotated[str, WORDS]


class AddToPlaylist(Command[Done], frozen=True, kw_only=True, tag="catalog.add-to-playlist"):
    """Put published tracks at its end. A track stands in it once: one that is there stays where it is."""

    playlist_id: PlaylistId
    user_id: UserId
    track_ids: Annotated[tuple[TrackId, ...], CONDUCT]


class RemoveFromPlaylist(Command[Done], frozen=True, kw_only=True, tag="catalog.remove-from-playlist"):
    """Take tracks out of it. One that is not in it is nothing."""

    playlist_id: PlaylistId
    user_id: UserId
    track_ids: Annotated[tuple[TrackId, ...], CONDUCT]


class DeletePlaylist(Command[Done], frozen=True, kw_only=True, tag="catalog.delete-playlist"):
    """Let it go for good. Asking twice is asking once."""

    playlist_id: PlaylistId
    user_id: UserId


class PlaylistView(msgspec.Struct, frozen=True, kw_only=True):
    """A playlist as it is listed."""

    id: PlaylistId
    user_id: UserId
    name: Annotated[str, WORDS]
    tracks: int
    created_at: str


class PlaylistShown(msgspec.Struct, frozen=True, kw_only=True):
    """A playlist with one page of its tracks, in its order."""

    playlist: PlaylistView
    track_ids: tuple[TrackId, ...]
    next_cursor: str | None = None


class ListPlaylists(Command[Page[PlaylistView]], frozen=True, kw_only=True, tag="catalog.list-playlists"):
    """The listener's own playlists, the newest first."""

    user_id: UserId
    limit: int = 50
    cursor: str | None = None


class ShowPlaylist(Command[PlaylistShown], frozen=True, kw_only=True, tag="catalog.show-playlist"):
    """One playlist, whoever made it, with a page of its tracks."""

    playlist_id: PlaylistId
    limit: int = 50
    cursor: str | None = None
