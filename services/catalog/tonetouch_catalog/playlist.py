"""The playlist: tracks that one listener gathered, each once, in the order they were added. Pure.

What is deleted stays deleted: its id is not given again.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Self

import msgspec

from tonetouch_contracts.identity import TrackId, UserId
from tonetouch_contracts.message import Event
from tonetouch_contracts.playlist import (
    AddToPlaylist,
    DeletePlaylist,
    PlaylistCreated,
    PlaylistDeleted,
    PlaylistRenamed,
    PlaylistTracksAdded,
    PlaylistTracksRemoved,
    RemoveFromPlaylist,
    RenamePlaylist,
)
from tonetouch_runtime import Refused

MOST_TRACKS = 10_000
MOST_CHARACTERS = 200
_UNSEEN = ("Cc", "Cf", "Cs")


class Playlist(msgspec.Struct, frozen=True, kw_only=True):
    """A playlist as the decisions need to see it."""

    created: PlaylistCreated | None = None
    name: str = ""
    tracks: frozenset[TrackId] = frozenset()
    deleted: bool = False

    def evolve(self, event: Event) -> Self:
        """The playlist after this event."""
        match event:
            case PlaylistCreated():
                return msgspec.structs.replace(self, created=event, name=event.name)
            case PlaylistRenamed():
                return msgspec.structs.replace(self, name=event.name)
            case PlaylistTracksAdded():
                return msgspec.structs.replace(self, tracks=self.tracks.union(event.track_ids))
            case PlaylistTracksRemoved():
                return msgspec.structs.replace(self, tracks=self.tracks.difference(event.track_ids))
            case PlaylistDeleted():
                return msgspec.structs.replace(self, deleted=True, tracks=frozenset())
        return self


def create(playlist: Playlist, created: PlaylistCreated) -> Sequence[Event]:
    """Begin it. Asked again by the same listener it is the same playlist, whatever it is called by now."""
    if playlist.created is None:
        return (msgspec.structs.replace(created, name=clean_name(created.name)),)
    if playlist.created.user_id != created.user_id or playlist.deleted:
        raise Refused("conflict", f"Another playlist has, or had, the id {created.playlist_id}.", "Take a new id.")
    return ()


def rename(playlist: Playlist, command: RenamePlaylist) -> Sequence[Event]:
    """Call it something else."""
    _must_be_of(playlist, command.user_id)
    name = clean_name(command.name)
    if name == playlist.name:
        return ()
    return (PlaylistRenamed(playlist_id=command.playlist_id, user_id=command.user_id, name=name),)


def add(playlist: Playlist, command: AddToPlaylist, at: str) -> Sequence[Event]:
    """Put at its end those that are not in it, in the order asked; that is done at `at`."""
    _must_be_of(playlist, command.user_id)
    new = tuple(one for one in dict.fromkeys(command.track_ids) if one not in playlist.tracks)
    if len(playlist.tracks) + len(new) > MOST_TRACKS:
        raise Refused(
            "too_large",
            f"A playlist holds {MOST_TRACKS:,} tracks; this one has {len(playlist.tracks):,}, and {len(new):,} more "
            "were to be added.",
            "Begin another playlist.",
        )
    if not new:
        return ()
    return (PlaylistTracksAdded(playlist_id=command.playlist_id, user_id=command.user_id, track_ids=new, at=at),)


def remove(playlist: Playlist, command: RemoveFromPlaylist) -> Sequence[Event]:
    """Take out those that are in it."""
    _must_be_of(playlist, command.user_id)
    gone = tuple(one for one in dict.fromkeys(command.track_ids) if one in playlist.tracks)
    if not gone:
        return ()
    return (PlaylistTracksRemoved(playlist_id=command.playlist_id, user_id=command.user_id, track_ids=gone),)


def delete(playlist: Playlist, command: DeletePlaylist) -> Sequence[Event]:
    """Let it go. Once it is gone, asking again changes nothing."""
    if playlist.deleted and _is_of(playlist, command.user_id):
        return ()
    _must_be_of(playlist, command.user_id)
    return (PlaylistDeleted(playlist_id=command.playlist_id, user_id=command.user_id),)


def clean_name(name: str) -> str:
    """One line of text: what cannot be seen is left out, white space is single spaces. Raises Refused.

    >>> clean_name(" Sunday\\n morning ")
    'Sunday morning'
    """
    text = " ".join(unicodedata.normalize("NFC", "".join(_seen(name))).split())
    if not text:
        raise Refused("invalid", "A playlist has a name.", "Give it one.")
    if len(text) > MOST_CHARACTERS:
        raise Refused("invalid", f"The name has {len(text)} characters; it may have {MOST_CHARACTERS}.")
    return text


def _seen(name: str) -> Iterable[str]:
    spaced = (" " if one.isspace() else one for one in name)
    return (one for one in spaced if unicodedata.category(one) not in _UNSEEN)


def _must_be_of(playlist: Playlist, user_id: UserId) -> None:
    """Raise Refused unless it is there and this listener's; whoever else asks learns no more than its being there."""
    if playlist.created is None or playlist.deleted:
        raise Refused("not_found", "There is no such playlist.", "Look for its id in the list of your playlists.")
    if not _is_of(playlist, user_id):
        raise Refused("conflict", "The playlist is somebody else's.", "Make one of your own.")


def _is_of(playlist: Playlist, user_id: UserId) -> bool:
    return playlist.created is not None and playlist.created.user_id == user_id
