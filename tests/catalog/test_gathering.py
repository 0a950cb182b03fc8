"""Playlists on real servers: what is kept of them, and how they are listed and shown."""

from typing import Any

import pytest
from sqlalchemy import func, select

from tests.catalog.music import publishing, uploading
from tonetouch_catalog.gathering import MOST_AT_ONCE, PlaylistRow, PlaylistTrackRow
from tonetouch_contracts.identity import PlaylistId, TrackId, UserId
from tonetouch_contracts.message import Command, Positions, same_positions
from tonetouch_contracts.playlist import (
    AddToPlaylist,
    CreatePlaylist,
    DeletePlaylist,
    ListPlaylists,
    PlaylistShown,
    RemoveFromPlaylist,
    RenamePlaylist,
    ShowPlaylist,
)
from tonetouch_runtime import Floor, Refused

ME, YOU = UserId("me"), UserId("you")


def creating(playlist: str, name: str = "Morning", user: UserId = ME) -> CreatePlaylist:
    return CreatePlaylist(playlist_id=PlaylistId(playlist), user_id=user, name=name)


def adding(playlist: str, *tracks: str) -> AddToPlaylist:
    return AddToPlaylist(playlist_id=PlaylistId(playlist), user_id=ME, track_ids=tuple(map(TrackId, tracks)))


def removing(playlist: str, *tracks: str) -> RemoveFromPlaylist:
    return RemoveFromPlaylist(playlist_id=PlaylistId(playlist), user_id=ME, track_ids=tuple(map(TrackId, tracks)))


async def done(floor: Floor, *commands: Command[Any]) -> None:
    """Do all of it; returns when the tables show it."""
    positions: Positions = {}
    for command in commands:
        positions = same_positions(positions, (await floor.ask(command)).positions)
    await floor.seen(positions)


async def shown(floor: Floor, playlist: str, **how: Any) -> PlaylistShown:
    return (await floor.ask(ShowPlaylist(playlist_id=PlaylistId(playlist), **how))).value


@pytest.fixture(name="shelf")
async def _shelf(floor: Floor) -> Floor:
    """A catalog with four published tracks, and one that is not published."""
    for track in ("a", "b", "c", "d"):
        await floor.ask(uploading(track))
        await floor.ask(publishing(track))
    await floor.ask(uploading("unheard"))
    return floor


async def test_a_playlist_is_shown_in_the_order_it_was_filled(shelf: Floor) -> None:
    """Page by page, with its name and the number of its tracks; what comes back comes back at the end."""
    await done(
        shelf,
        creating("p1", " Søndag  morgen"),
        adding("p1", "c", "a"),
        adding("p1", "a", "b"),
        removing("p1", "c"),
        adding("p1", "d", "c"),
        RenamePlaylist(playlist_id=PlaylistId("p1"), user_id=ME, name="Formiddag"),
    )
    whole = await shown(shelf, "p1")
    assert whole.track_ids == ("a", "b", "d", "c")
    assert (whole.playlist.name, whole.playlist.tracks, whole.playlist.user_id) == ("Formiddag", 4, "me")
    first = await shown(shelf, "p1", limit=3)
    second = await shown(shelf, "p1", limit=3, cursor=first.next_cursor)
    assert (*first.track_ids, *second.track_ids) == whole.track_ids
    assert (whole.next_cursor, second.next_cursor) == (None, None)


async def test_playlists_are_listed_page_by_page(shelf: Floor) -> None:
    """The newest first, each listener's their own; a deleted one is nowhere, and leaves no rows."""
    await done(shelf, *(creating(f"p{number}", f"No. {number}") for number in range(4)), creating("theirs", user=YOU))
    await done(shelf, adding("p2", "a", "b"), DeletePlaylist(playlist_id=PlaylistId("p2"), user_id=ME))
    first = (await shelf.ask(ListPlaylists(user_id=ME, limit=2))).value
    second = (await shelf.ask(ListPlaylists(user_id=ME, limit=2, cursor=first.next_cursor))).value
    assert [view.name for page in (first, second) for view in page.items] == ["No. 3", "No. 1", "No. 0"]
    assert second.next_cursor is None
    with pytest.raises(Refused, match="no such playlist"):
        await shown(shelf, "p2")
    counted = [
        select(func.count().label("n")).select_from(shelf.tables.live(row)) for row in (PlaylistRow, PlaylistTrackRow)
    ]
    assert [(await shelf.tables.all(one))[0]["n"] for one in counted] == [4, 0]


async def test_only_published_tracks_are_gathered(shelf: Floor) -> None:
    """One that is not keeps all of the request out; and a request names a thousand tracks at most, and one at least."""
    await done(shelf, creating("p1"))
    wrong = (
        (adding("p1", "a", "unheard"), "conflict"),
        (adding("p1", "a", "nobody"), "not_found"),
        (adding("p1", "a", "a.b"), "not_found"),
        (adding("p1"), "invalid"),
        (adding("p1", *(str(number) for number in range(MOST_AT_ONCE + 1))), "invalid"),
        (removing("p1"), "invalid"),
        (adding("p2", "a"), "not_found"),
        (adding("a.b", "a"), "not_found"),
        (creating("a.b"), "invalid"),
        (creating("p2", user=UserId("\0")), "invalid"),
        (creating("p2", name=" "), "invalid"),
    )
    for command, code in wrong:
        with pytest.raises(Refused) as refused:
            await shelf.ask(command)
        assert refused.value.problem.code == code, command
    assert (await shown(shelf, "p1")).track_ids == ()
    with pytest.raises(Refused):
        await shown(shelf, "p1", cursor="nonsense")
