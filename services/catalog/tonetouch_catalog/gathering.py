"""A listener gathers tracks in playlists.

Answers `CreatePlaylist`, `RenamePlaylist`, `AddToPlaylist`, `RemoveFromPlaylist` and `DeletePlaylist`, `ListPlaylists`
and `ShowPlaylist`; says `PlaylistCreated`, `PlaylistRenamed`, `PlaylistTracksAdded`, `PlaylistTracksRemoved` and
`PlaylistDeleted`; keeps `PlaylistRow` and `PlaylistTrackRow` from LIBRARY.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import BigInteger, RowMapping, select, tuple_
from sqlmodel import Field, SQLModel

from tonetouch_catalog.playlist import Playlist, add, create, delete, remove, rename
from tonetouch_catalog.shelving import published
from tonetouch_contracts.identity import TrackId, is_entity_id
from tonetouch_contracts.message import Done, Event, Page
from tonetouch_contracts.playlist import (
    AddToPlaylist,
    CreatePlaylist,
    DeletePlaylist,
    ListPlaylists,
    PlaylistCreated,
    PlaylistDeleted,
    PlaylistRenamed,
    PlaylistShown,
    PlaylistTracksAdded,
    PlaylistTracksRemoved,
    PlaylistView,
    RemoveFromPlaylist,
    RenamePlaylist,
    ShowPlaylist,
)
from tonetouch_runtime import (
    Answered,
    Floor,
    Recorded,
    Refused,
    Router,
    Writer,
    decode_cursor,
    encode_cursor,
    page_size,
    stamp,
)

router = Router()

MOST_AT_ONCE = 1_000
"""Tracks in one request, and so in one event."""


class PlaylistRow(SQLModel, table=True):
    """A playlist that is there, and how many tracks are in it."""

    __tablename__ = "catalog_playlists"

    id: str = Field(primary_key=True)
    user_id: str | None = Field(default=None, index=True)
    name: str | None = None
    tracks: int | None = None
    created_at: str | None = None


class PlaylistTrackRow(SQLModel, table=True):
    """A track that is, or was, in a playlist. It stands by its place on LIBRARY, then in the event; null: taken out."""

    __tablename__ = "catalog_playlist_tracks"

    playlist_id: str = Field(primary_key=True)
    track_id: str = Field(primary_key=True)
    added: int | None = Field(default=None, sa_type=BigInteger)
    place: int | None = None


@router.answers(CreatePlaylist)
async def create_playlist(command: CreatePlaylist, floor: Floor) -> Answered[Done]:
    """Begin one; asking twice with one id is one playlist."""
    for name in ("playlist_id", "user_id"):
        if not is_entity_id(getattr(command, name)):
            raise Refused("invalid", f"{name} has letters, digits, '-' and '_' only, 64 at most.")
    created = PlaylistCreated(**msgspec.structs.asdict(command), at=stamp(floor.clock.now()))
    return await _decide(command.playlist_id, partial(create, created=created), floor)


@router.answers(RenamePlaylist)
async def rename_playlist(command: RenamePlaylist, floor: Floor) -> Answered[Done]:
    """Another name for what is in it."""
    return await _decide(command.playlist_id, partial(rename, command=command), floor)


@router.answers(AddToPlaylist)
async def add_to_playlist(command: AddToPlaylist, floor: Floor) -> Answered[Done]:
    """All of these tracks that are not in it yet, or none where one of them is not published."""
    _few_enough(command.track_ids)
    await published(command.track_ids, floor)
    return await _decide(command.playlist_id, partial(add, command=command, at=stamp(floor.clock.now())), floor)


@router.answers(RemoveFromPlaylist)
async def remove_from_playlist(command: RemoveFromPlaylist, floor: Floor) -> Answered[Done]:
    """Those of these tracks that are in it."""
    _few_enough(command.track_ids)
    return await _decide(command.playlist_id, partial(remove, command=command), floor)


@router.answers(DeletePlaylist)
async def delete_playlist(command: DeletePlaylist, floor: Floor) -> Answered[Done]:
    """For good."""
    return await _decide(command.playlist_id, partial(delete, command=command), floor)


@router.keeps(
    PlaylistRow,
    PlaylistTrackRow,
    hears=(PlaylistCreated, PlaylistRenamed, PlaylistTracksAdded, PlaylistTracksRemoved, PlaylistDeleted),
)
def keep_playlists(facts: Sequence[Recorded[Any]], playlists: Writer, tracks: Writer) -> None:
    """In the order of the log; of a deleted playlist nothing stays."""
    for fact in facts:
        event = fact.event
        match event:
            case PlaylistCreated():
                playlists.upsert([_begun(event)])
            case PlaylistRenamed():
                playlists.upsert([{"id": event.playlist_id, "name": event.name}])
            case PlaylistTracksAdded():
                tracks.upsert(_added(event, fact.sequence))
                playlists.add([{"id": event.playlist_id, "tracks": len(event.track_ids)}])
            case PlaylistTracksRemoved():
                tracks.upsert(_removed(event))
                playlists.add([{"id": event.playlist_id, "tracks": -len(event.track_ids)}])
            case PlaylistDeleted():
                playlists.delete([event.playlist_id])
                tracks.delete([event.playlist_id])


@router.answers(ListPlaylists)
async def list_playlists(command: ListPlaylists, floor: Floor) -> Page[PlaylistView]:
    """The listener's own, the newest first."""
    size, playlists = page_size(command.limit), floor.tables.live(PlaylistRow)
    key = (playlists.c.created_at, playlists.c.id)
    query = select(playlists).where(playlists.c.user_id == command.user_id)
    if command.cursor:
        query = query.where(tuple_(*key) < tuple_(*decode_cursor(command.cursor, str, str)))
    rows = await floor.tables.all(query.order_by(*(column.desc() for column in key)).limit(size + 1))
    more = encode_cursor(rows[size - 1]["created_at"], rows[size - 1]["id"]) if len(rows) > size else None
    return Page(items=tuple(_view(row) for row in rows[:size]), next_cursor=more)


@router.answers(ShowPlaylist)
async def show_playlist(command: ShowPlaylist, floor: Floor) -> PlaylistShown:
    """One playlist with a page of its tracks in their order, or Refused where there is none under this id."""
    size, playlists = page_size(command.limit), floor.tables.live(PlaylistRow)
    asked = select(playlists).where(playlists.c.id == command.playlist_id)
    row = await floor.tables.one(asked) if is_entity_id(command.playlist_id) else None
    if row is None:
        raise Refused("not_found", "There is no such playlist.", "Look for its id in the list of your playlists.")
    tracks = floor.tables.live(PlaylistTrackRow)
    key = (tracks.c.added, tracks.c.place)
    query = select(tracks).where(tracks.c.playlist_id == command.playlist_id, tracks.c.added.is_not(None))
    if command.cursor:
        query = query.where(tuple_(*key) > tuple_(*decode_cursor(command.cursor, int, int)))
    rows = await floor.tables.all(query.order_by(*key).limit(size + 1))
    more = encode_cursor(rows[size - 1]["added"], rows[size - 1]["place"]) if len(rows) > size else None
    ids = tuple(TrackId(one["track_id"]) for one in rows[:size])
    return PlaylistShown(playlist=_view(row), track_ids=ids, next_cursor=more)


async def _decide(playlist_id: str, decide: Callable[[Playlist], Sequence[Event]], floor: Floor) -> Answered[Done]:
    if not is_entity_id(playlist_id):
        raise Refused("not_found", "There is no such playlist.", "Look for its id in the list of your playlists.")
    outcome = await floor.log.transact("LIBRARY", playlist_id, Playlist(), decide)
    return Answered(value=Done(), positions=outcome.positions)


def _few_enough(track_ids: Sequence[TrackId]) -> None:
    if not 1 <= len(track_ids) <= MOST_AT_ONCE:
        raise Refused("invalid", f"Name 1 to {MOST_AT_ONCE:,} tracks at once, not {len(track_ids):,}.")


def _begun(event: PlaylistCreated) -> dict[str, Any]:
    same = {"id": event.playlist_id, "user_id": event.user_id, "name": event.name}
    return {**same, "tracks": 0, "created_at": event.at}


def _added(event: PlaylistTracksAdded, sequence: int) -> list[dict[str, Any]]:
    return [
        {"playlist_id": event.playlist_id, "track_id": track_id, "added": sequence, "place": place}
        for place, track_id in enumerate(event.track_ids)
    ]


def _removed(event: PlaylistTracksRemoved) -> list[dict[str, Any]]:
    same = {"playlist_id": event.playlist_id, "added": None, "place": None}
    return [{**same, "track_id": track_id} for track_id in event.track_ids]


def _view(row: RowMapping) -> PlaylistView:
    return PlaylistView(**{name: row[name] for name in PlaylistView.__struct_fields__})
