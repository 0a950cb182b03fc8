"""A listener gathers tracks in playlists.

Asks `CreatePlaylist`, `RenamePlaylist`, `AddToPlaylist`, `RemoveFromPlaylist`, `DeletePlaylist`, `ListPlaylists` and
`ShowPlaylist`, then `ListTracks` for what there is to see of the tracks.
"""

from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from tonetouch_contracts.identity import PlaylistId, TrackId, derived
from tonetouch_contracts.playlist import (
    AddToPlaylist,
    CreatePlaylist,
    DeletePlaylist,
    ListPlaylists,
    PlaylistView,
    RemoveFromPlaylist,
    RenamePlaylist,
    ShowPlaylist,
)
from tonetouch_gateway.asking import Ask, Asking, OnFloor
from tonetouch_gateway.browsing import tracks_by_id
from tonetouch_gateway.identifying import Identified
from tonetouch_gateway.judging import IdempotencyKey
from tonetouch_gateway.listing import ID_PATTERN, Cursor, Limit, Listing
from tonetouch_gateway.problems import documented
from tonetouch_gateway.track import Track

router = APIRouter(tags=["gathering"])

MOST_ADDED = 1_000
MOST_TAKEN_OUT = 100
"""They stand in the query, and not every program on the way takes a longer one."""

PlaylistInPath = Annotated[PlaylistId, Path(pattern=ID_PATTERN, description="The id of a playlist.")]
TrackInList = Annotated[TrackId, Field(pattern=ID_PATTERN)]


class PlaylistName(BaseModel):
    """What a playlist is to be called."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=1_000, description="200 characters at most that can be seen.")


class TracksToAdd(BaseModel):
    """Tracks for the end of a playlist."""

    model_config = ConfigDict(extra="forbid")

    track_ids: list[TrackInList] = Field(min_length=1, max_length=MOST_ADDED)


class Playlist(BaseModel):
    """A playlist as it is listed."""

    id: str
    name: str
    tracks: int = Field(description="How many are in it.")
    created_at: str = Field(description="RFC 3339, UTC.")

    @classmethod
    def of(cls, view: PlaylistView) -> Self:
        """A playlist as catalog shows it."""
        return cls.model_validate({name: getattr(view, name) for name in Playlist.model_fields})


class PlaylistShown(Playlist):
    """A playlist with a page of its tracks, in its order."""

    items: list[Track]
    next_cursor: str | None = Field(description="Asks for the next page; null on the last one.")


@router.get("/playlists")
async def list_playlists(ask: Ask, user: Identified, limit: Limit = 50, cursor: Cursor = None) -> Listing[Playlist]:
    """Your own playlists, the newest first."""
    page = await ask(ListPlaylists(user_id=user.id, limit=limit, cursor=cursor))
    return Listing(items=[Playlist.of(view) for view in page.items], next_cursor=page.next_cursor)


@router.post("/playlists", status_code=201, responses=documented("conflict"))
async def create_playlist(
    named: PlaylistName,
    response: Response,
    ask: Ask,
    floor: OnFloor,
    user: Identified,
    idempotency_key: IdempotencyKey = None,
) -> Playlist:
    """Begin a playlist; nothing is in it yet."""
    new_id = derived("playlist", user.id, idempotency_key) if idempotency_key else floor.clock.new_id()
    playlist_id = PlaylistId(new_id)
    await ask(CreatePlaylist(playlist_id=playlist_id, user_id=user.id, name=named.name))
    response.headers["Location"] = f"/api/v1/playlists/{playlist_id}"
    return await _as_it_is(playlist_id, ask)


@router.get("/playlists/{playlist_id}", responses=documented("not_found"))
async def show_playlist(
    playlist_id: PlaylistInPath, ask: Ask, limit: Limit = 50, cursor: Cursor = None
) -> PlaylistShown:
    """One playlist with its tracks, in the order they were added."""
    shown = await ask(ShowPlaylist(playlist_id=playlist_id, limit=limit, cursor=cursor))
    tracks = await tracks_by_id(ask, shown.track_ids)
    return PlaylistShown(
        **Playlist.of(shown.playlist).model_dump(),
        items=[tracks[track_id] for track_id in shown.track_ids if track_id in tracks],
        next_cursor=shown.next_cursor,
    )


@router.patch("/playlists/{playlist_id}", responses=documented("not_found", "conflict"))
async def rename_playlist(playlist_id: PlaylistInPath, named: PlaylistName, ask: Ask, user: Identified) -> Playlist:
    """Give it another name."""
    await ask(RenamePlaylist(playlist_id=playlist_id, user_id=user.id, name=named.name))
    return await _as_it_is(playlist_id, ask)


@router.delete("/playlists/{playlist_id}", status_code=204, responses=documented("not_found", "conflict"))
async def delete_playlist(playlist_id: PlaylistInPath, ask: Ask, user: Identified) -> None:
    """Let it go for good."""
    await ask(DeletePlaylist(playlist_id=playlist_id, user_id=user.id))


@router.post("/playlists/{playlist_id}/tracks", responses=documented("not_found", "conflict", "too_large"))
async def add_to_playlist(playlist_id: PlaylistInPath, added: TracksToAdd, ask: Ask, user: Identified) -> Playlist:
    """Put published tracks at its end. A track stands in it once: one that is there stays where it is."""
    await ask(AddToPlaylist(playlist_id=playlist_id, user_id=user.id, track_ids=tuple(added.track_ids)))
    return await _as_it_is(playlist_id, ask)


@router.delete("/playlists/{playlist_id}/tracks", responses=documented("not_found", "conflict"))
async def remove_from_playlist(
    playlist_id: PlaylistInPath,
    ask: Ask,
    user: Identified,
    track_id: Annotated[
        list[TrackInList],
        Query(min_length=1, max_length=MOST_TAKEN_OUT, description="Which tracks: once for each of them."),
    ],
) -> Playlist:
    """Take tracks out of it. One that is not in it is nothing."""
    await ask(RemoveFromPlaylist(playlist_id=playlist_id, user_id=user.id, track_ids=tuple(track_id)))
    return await _as_it_is(playlist_id, ask)


async def _as_it_is(playlist_id: PlaylistId, ask: Asking) -> Playlist:
    """After what was asked before: it waits for what that has written."""
    return Playlist.of((await ask(ShowPlaylist(playlist_id=playlist_id, limit=1))).playlist)
