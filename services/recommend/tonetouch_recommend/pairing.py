"""Whether the tables and the indexes belong together, and starting anew where they do not.

They do when both hold the same token (a row here, a point there) and no index is empty that held something. A read
database that was dropped, a folder that is missing or comes from a backup, another model and another layout of the
points all end the same way: the indexes are dropped, and every row of the tables is marked dirty.
"""

from typing import Final

import numpy as np
import structlog
from sqlalchemy import Connection, delete, insert, literal, select
from sqlmodel import Field, SQLModel

from tonetouch_recommend.indexes import COLLECTIONS
from tonetouch_recommend.learning import DirtyRow, HeardRow, ShelfRow, SoundRow
from tonetouch_recommend.vectors.collection import Collection, Point
from tonetouch_recommend.vectors.engine import VectorEngine
from tonetouch_runtime import Floor, Writer

log = structlog.get_logger()

PAIRING: Final = Collection(name="pairing", dimension=2, model="layout-1", fields={"token": "keyword"})
"""One point with the token. Points of another layout are another model here."""

_ID: Final = "pairing"
_TOKEN_AT: Final = np.array([1.0, 0.0], dtype=np.float32)


class PairingRow(SQLModel, table=True):
    """The token of the indexes that belong to these tables, and the names of those that hold something."""

    __tablename__ = "recommend_pairing"

    id: str = Field(primary_key=True)
    token: str | None = None
    filled: str | None = None


async def pair(engine: VectorEngine, floor: Floor) -> None:
    """Open the indexes. Where they do not belong to the tables, drop them and mark every row dirty."""
    floor.read.create(floor.tables.live(PairingRow), floor.tables.live(DirtyRow))
    reason = await _why_apart(engine, floor)
    if reason is None:
        return
    log.info("indexes_begin_anew", reason=reason)
    for collection in (*COLLECTIONS, PAIRING):
        if not await _is_empty(collection, engine):
            await engine.drop(collection.name)
            await engine.open(collection)
    token = floor.clock.new_id()
    await engine.upsert(PAIRING, [Point(_ID, _TOKEN_AT, {"token": token})])
    await engine.flush()
    # Killed before this, the tokens differ at the next start and it begins anew once more.
    await floor.read.write(lambda connection: _mark_everything(connection, floor, token))


async def filled(engine: VectorEngine) -> str:
    """The names of the indexes that hold something."""
    return ",".join([each.name for each in COLLECTIONS if (await engine.info(each)).points])


def remember_filled(connection: Connection, floor: Floor, names: str) -> None:
    """Keep which indexes hold something, so that an emptied one is noticed."""
    Writer(connection, floor.tables.live(PairingRow)).upsert([{"id": _ID, "filled": names}])


async def _is_empty(collection: Collection, engine: VectorEngine) -> bool:
    try:
        await engine.open(collection)
        return (await engine.info(collection)).points == 0
    except Exception as error:
        log.warning("index_unusable", collection=collection.name, error=repr(error))
        return False


async def _why_apart(engine: VectorEngine, floor: Floor) -> str | None:
    try:
        for collection in (*COLLECTIONS, PAIRING):
            await engine.open(collection)
        points = await engine.get(PAIRING, [_ID])
    except Exception as error:  # another model, another layout, a broken file: all of it can be made again
        return f"the indexes cannot be used ({error})"
    row = await floor.tables.one(select(floor.tables.live(PairingRow)))
    if row is None or not points or points[0].payload.get("token") != row["token"]:
        return "the indexes and the tables have not met"
    emptied = set((row["filled"] or "").split(",")) - {"", *(await filled(engine)).split(",")}
    return f"empty, but were not: {', '.join(sorted(emptied))}" if emptied else None


def _mark_everything(connection: Connection, floor: Floor, token: str) -> None:
    live, dirty = floor.tables.live, floor.tables.live(DirtyRow)
    marked = (
        ("sound", live(SoundRow).c.track_id),
        ("track", live(ShelfRow).c.track_id),
        ("user", live(HeardRow).c.user_id),
    )
    connection.execute(delete(dirty))
    for kind, key in marked:
        rows = select(literal(""), literal(kind), key, literal(0)).where(key.is_not(None)).distinct()
        connection.execute(insert(dirty).from_select(["stream", "kind", "id", "sequence"], rows))
    Writer(connection, live(PairingRow)).upsert([{"id": _ID, "token": token, "filled": ""}])
