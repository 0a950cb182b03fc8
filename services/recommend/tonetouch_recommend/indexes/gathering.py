"""Playlists, as recommend knows them: whose they are, and what is in them; their index follows them.

Keeps `PlaylistRow` and `PlaylistTrackRow` from LIBRARY. The vector of a playlist is the mean of its tracks' vectors,
so it lies where its music lies, whatever it is called.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import BigInteger, Connection, RowMapping, select
from sqlmodel import Field, SQLModel

from tonetouch_contracts.playlist import PlaylistCreated, PlaylistDeleted, PlaylistTracksAdded, PlaylistTracksRemoved
from tonetouch_recommend.indexes.index import Collections, playlist_point
from tonetouch_recommend.indexes.pointing import Change, vectors_by
from tonetouch_recommend.learning import ShelfRow
from tonetouch_recommend.vectors.collection import Point, UnfitPointError, Vector
from tonetouch_runtime import Floor, Recorded, Router, Writer

router = Router()


class PlaylistRow(SQLModel, table=True):
    """A playlist that is there, and its owner."""

    __tablename__ = "recommend_playlists"

    playlist_id: str = Field(primary_key=True)
    user_id: str | None = Field(default=None, index=True)


class PlaylistTrackRow(SQLModel, table=True):
    """A track that is, or was, in a playlist that is there. `added` is the place on LIBRARY; null: taken out again."""

    __tablename__ = "recommend_playlist_tracks"

    playlist_id: str = Field(primary_key=True)
    track_id: str = Field(primary_key=True, index=True)
    user_id: str | None = Field(default=None, index=True)
    added: int | None = Field(default=None, sa_type=BigInteger)
    added_at: str | None = None


@router.keeps(
    PlaylistRow,
    PlaylistTrackRow,
    hears=(PlaylistCreated, PlaylistTracksAdded, PlaylistTracksRemoved, PlaylistDeleted),
)
def keep_playlists(facts: Sequence[Recorded[Any]], playlists: Writer, tracks: Writer) -> None:
    """In the order of the log; of a deleted playlist nothing stays."""
    for fact in facts:
        match fact.event:
            case PlaylistCreated():
                playlists.upsert([{"playlist_id": fact.event.playlist_id, "user_id": fact.event.user_id}])
            case PlaylistTracksAdded():
                tracks.upsert(_rows(fact.event, added=fact.sequence, added_at=fact.event.at or fact.time))
            case PlaylistTracksRemoved():
                tracks.upsert(_rows(fact.event, added=None, added_at=None))
            case PlaylistDeleted():
                playlists.delete([fact.event.playlist_id])
                tracks.delete([fact.event.playlist_id])


def _rows(event: PlaylistTracksAdded | PlaylistTracksRemoved, **said: Any) -> list[dict[str, Any]]:
    same = {"playlist_id": event.playlist_id, "user_id": event.user_id, **said}
    return [{**same, "track_id": track_id} for track_id in event.track_ids]


async def pointing_playlists(ids: Sequence[str], collections: Collections, floor: Floor) -> list[Change]:
    """The playlists' vectors; one without a published track that has a vector has none."""
    points, refused = list[Point](), dict[str, str]()
    table = floor.tables.live(PlaylistRow)
    for playlist in await floor.tables.all(select(table).where(table.c.playlist_id.in_(ids))):
        # In one go beside the event loop: 10,000 tracks take about a quarter of a second.
        shelf, mean = await floor.read.read(partial(_inside, playlist["playlist_id"], collections, floor))
        if mean is None:
            continue
        try:
            points.append(collections.playlists.admit(playlist_point(playlist, shelf, mean)))
        except UnfitPointError as error:
            refused[playlist["playlist_id"]] = str(error)
    return [Change(collections.playlists, ids, points, refused)]


def _inside(
    playlist_id: str, collections: Collections, floor: Floor, connection: Connection
) -> tuple[Sequence[RowMapping], Vector | None]:
    """What the shelf says of the playlist's published tracks, and the mean of the vectors they have."""
    shelf, kept = floor.tables.live(ShelfRow), floor.tables.live(PlaylistTrackRow)
    inside = select(kept.c.track_id).where(kept.c.playlist_id == playlist_id, kept.c.added.is_not(None))
    said = select(shelf.c.track_id, shelf.c.region, shelf.c.explicit).where(shelf.c.track_id.in_(inside))
    rows = connection.execute(said).mappings().all()
    vectors = vectors_by([row["track_id"] for row in rows], collections.tracks, floor, connection)
    if not vectors:
        return rows, None
    # In the order of the ids: the same bytes whatever order the rows came in.
    wide = np.stack([vectors[track_id] for track_id in sorted(vectors)])
    return rows, np.asarray(wide.mean(axis=0, dtype=np.float64), dtype=np.float32)
