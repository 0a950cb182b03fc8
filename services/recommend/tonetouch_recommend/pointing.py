"""From rows to points: what the indexes have to hold of some sounds, tracks or listeners, read from the tables."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import RowMapping, select

from tonetouch_recommend.indexes import (
    Collections,
    fits,
    halves,
    passage_id,
    passage_point,
    sound_point,
    track_point,
)
from tonetouch_recommend.learning import EmbeddingRow, HeardRow, ShelfRow, SoundRow
from tonetouch_recommend.taste import MOST_PLAYS, Play, taste
from tonetouch_recommend.vectors.collection import Collection, Point, UnfitPointError, Vector
from tonetouch_runtime import Floor


class Change(msgspec.Struct, frozen=True, eq=False):
    """Of these ids the collection holds these points and no others. `refused` says why others have none."""

    collection: Collection
    ids: Sequence[str]
    points: Sequence[Point]
    refused: Mapping[str, str] = {}


async def pointing_sounds(ids: Sequence[str], collections: Collections, floor: Floor) -> list[Change]:
    """Fingerprints that have a vector. A duplicate gives way to its original, which is found in its place."""
    sounds = floor.tables.live(SoundRow)
    rows = await floor.tables.all(select(sounds).where(sounds.c.track_id.in_(ids)))
    found = [row for row in rows if row["vector"] and row["duplicate_of"] is None]
    pairs = [(row, row) for row in found]
    return [await asyncio.to_thread(_change, collections.fingerprints, ids, pairs, _sound)]


async def pointing_tracks(ids: Sequence[str], collections: Collections, floor: Floor) -> list[Change]:
    """Descriptions and passages of tracks that are published; of others nothing."""
    shelf, embeddings = floor.tables.live(ShelfRow), floor.tables.live(EmbeddingRow)
    on_shelf = await floor.tables.all(select(shelf).where(shelf.c.track_id.in_(ids)))
    published = {row["track_id"]: row for row in on_shelf}
    rows = await floor.tables.all(select(embeddings).where(embeddings.c.track_id.in_(ids)))
    described = [row for row in rows if row["kind"] == "description"]
    sung = [row for row in rows if row["kind"] == "lyrics"]
    passages = [passage_id(row["track_id"], row["passage"]) for row in sung]
    return [
        await asyncio.to_thread(_change, collections.tracks, ids, _paired(published, described), track_point),
        await asyncio.to_thread(_change, collections.lyrics, passages, _paired(published, sung), passage_point),
    ]


async def pointing_users(ids: Sequence[str], collections: Collections, floor: Floor) -> list[Change]:
    """The listeners' tastes."""
    points, refused = list[Point](), dict[str, str]()
    tracks, tastes = collections.tracks, collections.taste
    for user_id in ids:
        plays = await plays_of(user_id, floor)
        vectors = await vectors_of({play.track_id for play in plays}, tracks, floor)
        if (vector := await asyncio.to_thread(taste, plays, vectors)) is None:
            continue
        try:
            points.append(tastes.admit(Point(user_id, vector, {"plays": len(plays)})))
        except UnfitPointError as error:
            refused[user_id] = str(error)
    return [Change(tastes, ids, points, refused)]


async def plays_of(user_id: str, floor: Floor) -> list[Play]:
    """A listener's newest 500 plays, newest first."""
    heard = floor.tables.live(HeardRow)
    newest = select(heard).where(heard.c.user_id == user_id).order_by(heard.c.at.desc(), heard.c.play_id.desc())
    names = ("play_id", "track_id", "heard_seconds", "share", "at")
    rows = await floor.tables.all(newest.limit(MOST_PLAYS))
    return [Play(**{name: row[name] for name in names}) for row in rows]


async def vectors_of(track_ids: Iterable[str], tracks: Collection, floor: Floor) -> dict[str, Vector]:
    """The descriptions' vectors of those of the tracks that have one of this model, at length one."""
    embeddings = floor.tables.live(EmbeddingRow)
    described = select(embeddings).where(embeddings.c.track_id.in_(list(track_ids)))
    rows = await floor.tables.all(described.where(embeddings.c.kind == "description"))
    return await asyncio.to_thread(_units, rows, tracks)


def _units(rows: Iterable[RowMapping], tracks: Collection) -> dict[str, Vector]:
    found = {}
    for row in rows:
        if fits(row, tracks):
            try:
                found[str(row["track_id"])] = tracks.unit(halves(row["vector"]))
            except UnfitPointError:  # it was refused and reported when its point was to be made
                continue
    return found


def _paired(
    published: Mapping[str, RowMapping], embeddings: Iterable[RowMapping]
) -> list[tuple[RowMapping, RowMapping]]:
    return [(published[row["track_id"]], row) for row in embeddings if row["track_id"] in published]


def _change(
    collection: Collection, ids: Sequence[str], pairs: Iterable[tuple[RowMapping, RowMapping]], make: Any
) -> Change:
    points, refused = list[Point](), dict[str, str]()
    for described, embedding in pairs:
        try:
            if not fits(embedding, collection):
                raise UnfitPointError(f"made by {embedding['model']}, not by {collection.model}")
            points.append(collection.admit(make(described, embedding)))
        except UnfitPointError as error:
            refused[_id_of(embedding)] = str(error)
    return Change(collection, ids, points, refused)


def _id_of(row: RowMapping) -> str:
    return passage_id(row["track_id"], row["passage"]) if row.get("kind") == "lyrics" else str(row["track_id"])


def _sound(row: RowMapping, _: RowMapping) -> Point:
    return sound_point(row)
