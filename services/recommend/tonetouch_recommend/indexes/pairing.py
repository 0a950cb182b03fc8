"""Whether the tables and the indexes belong together, and starting anew where they do not.

They do when both hold the same token (a row here, a point there) and no index is empty that held something. A read
database that was dropped, a folder that is missing or comes from a backup and another layout of the points all end the
same way: the indexes are dropped, and every row of the tables is marked dirty. Where only the model of some indexes is
another one, as after a change of the routing table or of an account, only those begin anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import structlog
from sqlalchemy import ColumnElement, Connection, delete, insert, literal, select
from sqlmodel import Field, SQLModel

from tonetouch_recommend.indexes.gathering import PlaylistRow
from tonetouch_recommend.indexes.index import Collections
from tonetouch_recommend.learning import DirtyRow, Kind, ShelfRow, SoundRow
from tonetouch_recommend.taste.signalling import listeners
from tonetouch_recommend.vectors.collection import Collection, OtherModelError, Point
from tonetouch_recommend.vectors.engine import VectorEngine
from tonetouch_runtime import Floor, Unavailable, Writer

log = structlog.get_logger()

PAIRING: Final = Collection(name="pairing", dimension=2, model="layout-2", fields={"token": "keyword"})
"""One point with the token. Points of another layout are another model here."""

_ID: Final = "pairing"
_TOKEN_AT: Final = np.array([1.0, 0.0], dtype=np.float32)


_KINDS: Final[Sequence[Kind]] = ("sound", "track", "user", "playlist")
MADE_OF: Final[Mapping[str, Kind]] = {
    "fingerprints": "sound",
    "tracks": "track",
    "lyrics": "track",
    "taste": "user",
    "playlists": "playlist",
}
"""What the points of an index are made of: that is to be marked, or read, where it begins anew."""


class PairingRow(SQLModel, table=True):
    """The token of the indexes that belong to these tables, and the names of those that hold something."""

    __tablename__ = "recommend_pairing"

    id: str = Field(primary_key=True)
    token: str | None = None
    filled: str | None = None


async def pair(engine: VectorEngine, collections: Collections, floor: Floor) -> None:
    """Open the indexes. Drop those that do not belong to the tables, and mark dirty what they are made of.

    Raises Unavailable, and drops nothing, where the engine does not answer: nothing is known of what it holds then.
    """
    floor.read.create(floor.tables.live(PairingRow), floor.tables.live(DirtyRow))
    others = await _of_another_model(engine, collections)
    if others:
        await _begin_some_anew(others, engine, collections, floor)
    reason = await _why_apart(engine, collections, floor)
    if reason:
        await _begin_all_anew(reason, engine, collections, floor)


async def filled(engine: VectorEngine, collections: Collections) -> str:
    """The names of the indexes that hold something."""
    return ",".join([each.name for each in collections.all if (await engine.info(each)).points])


def made_of(floor: Floor) -> Mapping[Kind, ColumnElement[Any]]:
    """The columns with the ids of everything that points are made of."""
    live = floor.tables.live
    return {
        "sound": live(SoundRow).c.track_id,
        "track": live(ShelfRow).c.track_id,
        "user": listeners(floor).subquery().c.user_id,
        "playlist": live(PlaylistRow).c.playlist_id,
    }


def remember_filled(connection: Connection, floor: Floor, names: str) -> None:
    """Keep which indexes hold something, so that an emptied one is noticed."""
    Writer(connection, floor.tables.live(PairingRow)).upsert([{"id": _ID, "filled": names}])


async def _of_another_model(engine: VectorEngine, collections: Collections) -> dict[str, Collection]:
    """The indexes that hold vectors of another model than they should, by what the engine says of it."""
    found = {}
    for collection in collections.all:
        try:
            await engine.open(collection)
        except OtherModelError as error:
            found[str(error)] = collection
        except Unavailable:
            raise
        except Exception:  # a broken file: then everything begins anew, and there it is told
            return {}
    return found


async def _begin_some_anew(
    others: Mapping[str, Collection], engine: VectorEngine, collections: Collections, floor: Floor
) -> None:
    names = [collection.name for collection in others.values()]
    log.info("indexes_begin_anew", indexes=names, reason=next(iter(others)))
    kinds = sorted({MADE_OF[name] for name in names if name in MADE_OF})
    # The marks first: killed before the last index is dropped, it is of another model at the next start too.
    await floor.read.write(lambda connection: _mark(connection, floor, kinds))
    for name in names:
        await engine.drop(name)
    for collection in others.values():
        await engine.open(collection)
    names_filled = await filled(engine, collections)
    await floor.read.write(lambda connection: remember_filled(connection, floor, names_filled))


async def _begin_all_anew(reason: str, engine: VectorEngine, collections: Collections, floor: Floor) -> None:
    log.info("indexes_begin_anew", indexes=[collection.name for collection in collections.all], reason=reason)
    for collection in (*collections.all, PAIRING):
        if not await _is_empty(collection, engine):
            await engine.drop(collection.name)
            await engine.open(collection)
    token = floor.clock.new_id()
    await engine.upsert(PAIRING, [Point(_ID, _TOKEN_AT, {"token": token})])
    await engine.flush()

    def mark(connection: Connection) -> None:
        _mark(connection, floor, _KINDS)
        Writer(connection, floor.tables.live(PairingRow)).upsert([{"id": _ID, "token": token, "filled": ""}])

    # Killed before this, the tokens differ at the next start and it begins anew once more.
    await floor.read.write(mark)


async def _is_empty(collection: Collection, engine: VectorEngine) -> bool:
    try:
        await engine.open(collection)
        return (await engine.info(collection)).points == 0
    except Unavailable:
        raise
    except Exception as error:
        log.warning("index_unusable", collection=collection.name, error=repr(error))
        return False


async def _why_apart(engine: VectorEngine, collections: Collections, floor: Floor) -> str | None:
    try:
        for collection in (*collections.all, PAIRING):
            await engine.open(collection)
        points = await engine.get(PAIRING, [_ID])
    except Unavailable:
        raise
    except Exception as error:  # another layout, a broken file: all of it can be made again
        return f"the indexes cannot be used ({error})"
    row = await floor.tables.one(select(floor.tables.live(PairingRow)))
    if row is None or not points or points[0].payload.get("token") != row["token"]:
        return "the indexes and the tables have not met"
    emptied = set((row["filled"] or "").split(",")) - {"", *(await filled(engine, collections)).split(",")}
    return f"empty, but were not: {', '.join(sorted(emptied))}" if emptied else None


def _mark(connection: Connection, floor: Floor, kinds: Iterable[Kind]) -> None:
    """Mark every row of these kinds dirty, beside what events have marked."""
    dirty, keys = floor.tables.live(DirtyRow), made_of(floor)
    for kind in kinds:
        connection.execute(delete(dirty).where(dirty.c.stream == "", dirty.c.kind == kind))
        rows = select(literal(""), literal(kind), keys[kind], literal(0)).where(keys[kind].is_not(None)).distinct()
        connection.execute(insert(dirty).from_select(["stream", "kind", "id", "sequence"], rows))
