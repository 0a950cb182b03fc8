"""From rows to points: what the indexes have to hold of some sounds or tracks, read from the tables.

Listeners have a file of their own, `tasting`, and playlists another, `gathering`.
"""

import asyncio
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import Connection, RowMapping, Select, String, Table, bindparam, select

from tonetouch_recommend.indexes.index import (
    Collections,
    fits,
    halves,
    is_id,
    passage_id,
    passage_point,
    progression_id,
    progression_point,
    sound_point,
    track_point,
)
from tonetouch_recommend.learning import EmbeddingRow, ShelfRow, SoundRow
from tonetouch_recommend.vectors.collection import Collection, Point, UnfitPointError, Vector
from tonetouch_recommend.vectors.engine import VectorEngine
from tonetouch_runtime import Floor


class Change(msgspec.Struct, frozen=True, eq=False):
    """Of these ids the collection holds these points and no others. `refused` says why others have none."""

    collection: Collection
    ids: Sequence[str]
    points: Sequence[Point]
    refused: Mapping[str, str] = {}


async def write(change: Change, engine: VectorEngine) -> None:
    """Make it so in an engine."""
    kept = {point.id for point in change.points}
    if gone := [point_id for point_id in change.ids if point_id not in kept and is_id(point_id)]:
        await engine.delete(change.collection, gone)
    if change.points:
        await engine.upsert(change.collection, change.points)


async def pointing_sounds(ids: Sequence[str], collections: Collections, floor: Floor) -> list[Change]:
    """Fingerprints that have a vector. A duplicate gives way to its original, which is found in its place."""
    sounds = floor.tables.live(SoundRow)
    rows = await floor.tables.all(select(sounds).where(sounds.c.track_id.in_(ids)))
    found = [row for row in rows if row["vector"] and row["duplicate_of"] is None]
    pairs = [(row, row) for row in found]
    going_on = [row for row in rows if row["progression"] and row["duplicate_of"] is None]
    fingerprints = collections.fingerprints
    return [
        await asyncio.to_thread(_change, fingerprints, ids, pairs, _sound),
        await asyncio.to_thread(_progressions, fingerprints, ids, going_on),
    ]


async def pointing_tracks(ids: Sequence[str], collections: Collections, floor: Floor) -> list[Change]:
    """Descriptions and passages of tracks that are published; of others nothing."""
    shelf, embeddings = floor.tables.live(ShelfRow), floor.tables.live(EmbeddingRow)
    on_shelf = await floor.tables.all(select(shelf).where(shelf.c.track_id.in_(ids)))
    published = {row["track_id"]: row for row in on_shelf}
    every = await floor.tables.all(select(embeddings).where(embeddings.c.track_id.in_(ids)))
    rows = _each_text_once(every, collections.tracks.model)
    described = [row for row in rows if row["kind"] == "description"]
    sung = [row for row in rows if row["kind"] == "lyrics"]
    passages = [passage_id(row["track_id"], row["passage"]) for row in sung]
    return [
        await asyncio.to_thread(_change, collections.tracks, ids, _paired(published, described), track_point),
        await asyncio.to_thread(_change, collections.lyrics, passages, _paired(published, sung), passage_point),
    ]


async def renewed(ids: Sequence[str], model: str, floor: Floor) -> list[str]:
    """Those of the tracks that have a vector of this model which came after another model's."""
    embeddings = floor.tables.live(EmbeddingRow)
    later = select(embeddings.c.track_id).where(embeddings.c.track_id.in_(ids), embeddings.c.model == model)
    return [row["track_id"] for row in await floor.tables.all(later.where(embeddings.c.renewed == 1).distinct())]


def _each_text_once(rows: Iterable[RowMapping], model: str) -> list[RowMapping]:
    """Of each text the row of this model; where it has none another one, which will be refused and say why."""
    found: dict[tuple[Any, ...], RowMapping] = {}
    for row in rows:
        key = (row["track_id"], row["kind"], row["passage"])
        if key not in found or row["model"] == model:
            found[key] = row
    return list(found.values())


def vectors_by(track_ids: Iterable[str], tracks: Collection, floor: Floor, connection: Connection) -> dict[str, Vector]:
    """The descriptions' vectors of those of the tracks that have one of this model, at length one."""
    described = _described(floor.tables.live(EmbeddingRow))
    rows = connection.execute(described, {"tracks": list(track_ids), "model": tracks.model})
    return _all_units([(row.track_id, row.vector) for row in rows], tracks)


async def vectors_at_once(track_ids: Iterable[str], tracks: Collection, floor: Floor) -> dict[str, Vector]:
    """`vectors_by`, without a transaction: for the few tracks of an answer."""
    described = _described(floor.tables.live(EmbeddingRow))
    rows = await floor.read.look(described, {"tracks": list(track_ids), "model": tracks.model})
    return _all_units([(track, vector) for track, vector in rows], tracks)


def _all_units(rows: Sequence[tuple[str, bytes | None]], tracks: Collection) -> dict[str, Vector]:
    fitting = [(track, vector) for track, vector in rows if vector and len(vector) == 2 * tracks.dimension]
    if not fitting:
        return {}
    wide = halves(b"".join(vector for _, vector in fitting)).reshape(len(fitting), tracks.dimension)
    lengths = np.linalg.norm(wide, axis=1)
    good = np.isfinite(lengths) & (lengths > 0)
    units = wide / np.where(good, lengths, 1.0)[:, None]
    return {track: vector for (track, _), vector, fine in zip(fitting, units, good, strict=True) if fine}


@functools.cache
def _described(embeddings: Table) -> Select[Any]:
    tracks, model = bindparam("tracks", type_=String, expanding=True), bindparam("model", type_=String)
    query = select(embeddings.c.track_id, embeddings.c.vector).where(embeddings.c.track_id.in_(tracks))
    return query.where(embeddings.c.kind == "description", embeddings.c.passage == 0, embeddings.c.model == model)


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
                refusal = embedding.get("refused") or f"made by {embedding['model']}, not by {collection.model}"
                raise UnfitPointError(refusal)
            points.append(collection.admit(make(described, embedding)))
        except UnfitPointError as error:
            refused[_id_of(embedding)] = str(error)
    return Change(collection, ids, points, refused)


def _id_of(row: RowMapping) -> str:
    return passage_id(row["track_id"], row["passage"]) if row.get("kind") == "lyrics" else str(row["track_id"])


def _sound(row: RowMapping, _: RowMapping) -> Point:
    return sound_point(row)


def _progressions(collection: Collection, ids: Sequence[str], rows: Iterable[RowMapping]) -> Change:
    points, refused = list[Point](), dict[str, str]()
    for row in rows:
        try:
            points.append(collection.admit(progression_point(row)))
        except (UnfitPointError, ValueError) as error:
            refused[progression_id(row["track_id"])] = str(error)
    return Change(collection, [progression_id(track_id) for track_id in ids], points, refused)
