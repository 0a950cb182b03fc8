"""The rules of a playlist, as given, when, then."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
import pytest

from tonetouch_catalog.playlist import MOST_TRACKS, Playlist, add, clean_name, create, delete, remove, rename
from tonetouch_contracts.identity import PlaylistId, TrackId, UserId
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
from tonetouch_runtime.testing import given

Decide = Callable[[Playlist], Event | Sequence[Event]]

P, ME, YOU = PlaylistId("p1"), UserId("me"), UserId("you")
AT = "2026-01-01T00:00:00.000000Z"
CREATED = PlaylistCreated(playlist_id=P, user_id=ME, name="Morning", at=AT)
DELETED = PlaylistDeleted(playlist_id=P, user_id=ME)


def ids(*names: str) -> tuple[TrackId, ...]:
    return tuple(map(TrackId, names))


def added(*names: str) -> PlaylistTracksAdded:
    return PlaylistTracksAdded(playlist_id=P, user_id=ME, track_ids=ids(*names), at=AT)


def removed(*names: str) -> PlaylistTracksRemoved:
    return PlaylistTracksRemoved(playlist_id=P, user_id=ME, track_ids=ids(*names))


def creating(**said: Any) -> Decide:
    return partial(create, created=msgspec.structs.replace(CREATED, **said))


def renaming(name: str, user: UserId = ME) -> Decide:
    return partial(rename, command=RenamePlaylist(playlist_id=P, user_id=user, name=name))


def adding(*names: str, user: UserId = ME) -> Decide:
    return partial(add, command=AddToPlaylist(playlist_id=P, user_id=user, track_ids=ids(*names)), at=AT)


def removing(*names: str, user: UserId = ME) -> Decide:
    return partial(remove, command=RemoveFromPlaylist(playlist_id=P, user_id=user, track_ids=ids(*names)))


def deleting(user: UserId = ME) -> Decide:
    return partial(delete, command=DeletePlaylist(playlist_id=P, user_id=user))


CHANGES = (renaming("a"), adding("a"), removing("a"))


def test_it_is_begun_once() -> None:
    """Asking again is asking for the same one, by now perhaps of another name; nobody else gets its id."""
    given(Playlist()).when(creating()).then(CREATED)
    given(Playlist(), CREATED).when(creating()).then()
    given(Playlist(), CREATED).when(creating(name="Evening", at="2026-02-02T00:00:00Z")).then()
    given(Playlist(), CREATED).when(creating(user_id=YOU)).refused("conflict")
    given(Playlist(), CREATED, DELETED).when(creating()).refused("conflict")


def test_its_name_is_one_line_that_can_be_seen() -> None:
    """What a person would not see is left out; what is left has 1 to 200 characters."""
    given(Playlist()).when(creating(name=" Mor\u200bn\x00ing\n ")).then(CREATED)
    assert clean_name("Cafe\u0301  del\tMar") == "Café del Mar"
    assert clean_name("æ" * 200) == "æ" * 200
    for name in ("", " \n", "\u200b", "x" * 201, "\ud800"):
        with pytest.raises(Refused):
            clean_name(name)
        given(Playlist(), CREATED).when(renaming(name)).refused("invalid")


def test_another_name_is_said_once() -> None:
    """The name it has is nothing new, however it is typed."""
    evening = PlaylistRenamed(playlist_id=P, user_id=ME, name="Evening")
    given(Playlist(), CREATED).when(renaming("Evening")).then(evening)
    given(Playlist(), CREATED, evening).when(renaming(" Evening ")).then()
    given(Playlist(), CREATED, evening).when(renaming("Morning")).then(msgspec.structs.replace(evening, name="Morning"))


def test_a_track_stands_in_it_once() -> None:
    """What is in it, or asked for twice, is added once, in the order asked; what was taken out can come back."""
    given(Playlist(), CREATED).when(adding("b", "a", "b")).then(added("b", "a"))
    given(Playlist(), CREATED, added("a")).when(adding("a", "c")).then(added("c"))
    given(Playlist(), CREATED, added("a")).when(adding("a")).then()
    given(Playlist(), CREATED, added("a", "b"), removed("a")).when(adding("a", "b")).then(added("a"))


def test_only_what_is_in_it_is_taken_out() -> None:
    """Asking twice is asking once."""
    given(Playlist(), CREATED, added("a", "b")).when(removing("c", "b", "b")).then(removed("b"))
    given(Playlist(), CREATED, added("a"), removed("a")).when(removing("a")).then()
    given(Playlist(), CREATED).when(removing("a")).then()


def test_it_holds_ten_thousand_tracks() -> None:
    """The last fits, one more does not, and nothing of that request is added; what is in it counts once."""
    full = added(*(str(number) for number in range(MOST_TRACKS - 1)))
    given(Playlist(), CREATED, full).when(adding("last", "0")).then(added("last"))
    given(Playlist(), CREATED, full).when(adding("last", "more")).refused("too_large")
    given(Playlist(), CREATED, full, added("last")).when(adding("last", "0")).then()
    given(Playlist(), CREATED, full, added("last"), removed("0")).when(adding("more")).then(added("more"))


def test_deleted_is_deleted() -> None:
    """Asking twice changes nothing, and there is nothing left to change."""
    given(Playlist(), CREATED, added("a")).when(deleting()).then(DELETED)
    given(Playlist(), CREATED, DELETED).when(deleting()).then()
    for change in CHANGES:
        given(Playlist(), CREATED, added("a"), DELETED).when(change).refused("not_found")


@pytest.mark.parametrize("decide", [*CHANGES, deleting()])
def test_nothing_is_decided_about_a_playlist_that_nobody_made(decide: Decide) -> None:
    """Its id is not known."""
    given(Playlist()).when(decide).refused("not_found")


@pytest.mark.parametrize("decide", [renaming("a", YOU), adding("a", user=YOU), removing("a", user=YOU), deleting(YOU)])
def test_only_its_owner_changes_it(decide: Decide) -> None:
    """Whoever else knows its id; and of a deleted one nobody else learns that it was there."""
    given(Playlist(), CREATED, added("a")).when(decide).refused("conflict")
    given(Playlist(), CREATED, DELETED).when(decide).refused("not_found")
