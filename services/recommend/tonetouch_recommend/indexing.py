"""The indexes follow the tables.

A projection marks what it changed as dirty in the transaction that changes it. Woken after each commit, the follower
makes the points of what is dirty anew from the tables, flushes the engine, and only then forgets the marks: a killed
process does again what was not flushed, and doing it again changes nothing.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection, and_, delete, select

from tonetouch_contracts.message import Positions
from tonetouch_recommend.indexes import EMBEDDED_FOR, Collections, is_id
from tonetouch_recommend.learning import DirtyRow, HeardRow, Kind
from tonetouch_recommend.pairing import filled, pair, remember_filled
from tonetouch_recommend.pointing import Change, pointing_sounds, pointing_tracks, pointing_users
from tonetouch_recommend.vectors.collection import HeldElsewhereError
from tonetouch_recommend.vectors.engine import VectorEngine
from tonetouch_recommend.vectors.qdrant_edge import QdrantEdgeEngine
from tonetouch_runtime import Floor, Misconfigured, NotNow, Writer
from tonetouch_runtime.ai import AIUnavailable

log = structlog.get_logger()

AT_ONCE: Final[Mapping[Kind, int]] = {"sound": 500, "track": 100, "user": 20}
"""Marks taken in one turn: sounds first and most, as uploads wait for them."""

NAMED: Final = 5
"""Refused vectors that a line of the log names."""

_POINTING: Final[Mapping[Kind, Callable[[Sequence[str], Collections, Floor], Awaitable[list[Change]]]]] = {
    "sound": pointing_sounds,
    "track": pointing_tracks,
    "user": pointing_users,
}
_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 30.0


class Mark(msgspec.Struct, frozen=True):
    """A row of what is dirty, as it was read: if it changes meanwhile it is another mark."""

    stream: str
    id: str
    sequence: int


class Indexes:
    """The engine with the indexes, and the activity that keeps them behind the tables."""

    def __init__(self, floor: Floor, engine: VectorEngine, collections: Collections) -> None:
        self.engine = engine
        self.collections = collections
        self.refused: dict[str, set[str]] = {collection.name: set() for collection in collections.all}
        """The ids of points an index did not take, by its name."""
        self._floor = floor
        self._reached: dict[Kind, Positions] = {kind: {} for kind in AT_ONCE}
        self._moved = asyncio.Condition()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look again: something may be dirty."""
        self._woken.set()

    async def caught_up(self, kind: Kind, positions: Positions, seconds: float) -> None:
        """Return when the indexes show what the events up to these positions say. Raises NotNow after the bound.

        The tables have to be there first (`Floor.seen`).
        """
        if self._shows(kind, positions):
            return
        self.wake()
        try:
            async with self._moved:
                await asyncio.wait_for(self._moved.wait_for(lambda: self._shows(kind, positions)), seconds)
        except TimeoutError:
            raise NotNow(1.0, f"the index of {kind}s is at {self._reached[kind]}, not yet at {positions}") from None

    async def settled(self, kind: Kind, seconds: float = 1.0) -> None:
        """Give the indexes a moment to show what the tables show; after it, what is there has to do."""
        with contextlib.suppress(NotNow):
            await self.caught_up(kind, self._tables_at(), seconds)

    async def run(self) -> None:
        """Follow for ever. What fails is tried again after a growing delay, and nothing is forgotten meanwhile."""
        delay = _FIRST_DELAY_SECONDS
        while True:
            self._woken.clear()
            try:
                while await self._turn():
                    delay = _FIRST_DELAY_SECONDS
                delay = _FIRST_DELAY_SECONDS
            except Exception:
                log.exception("indexing_failed", again_in_seconds=delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY_SECONDS)
            else:
                await self._woken.wait()

    def _shows(self, kind: Kind, positions: Positions) -> bool:
        return all(self._reached[kind].get(stream, 0) >= sequence for stream, sequence in positions.items())

    def _tables_at(self) -> Positions:
        return {stream: keeper.position for stream, keeper in self._floor.keepers.items()}

    async def _turn(self) -> bool:
        """Take some marks of each kind. True while there may be more."""
        tables_at = self._tables_at()  # before the marks are read, which came in the same transactions
        full = dict.fromkeys(AT_ONCE, False)
        for kind in AT_ONCE:
            if kind == "user" and full["track"]:
                full["user"] = True  # each track may change a taste: after the last of them, once is enough
                break
            marks = await self._marks(kind)
            if marks:
                await self._follow(kind, marks)
            full[kind] = len(marks) == AT_ONCE[kind]
            if not full[kind]:
                self._reached[kind] = tables_at
        async with self._moved:
            self._moved.notify_all()
        return any(full.values())

    async def _marks(self, kind: Kind) -> list[Mark]:
        dirty = self._floor.tables.live(DirtyRow)
        oldest = select(dirty).where(dirty.c.kind == kind).order_by(dirty.c.sequence, dirty.c.id).limit(AT_ONCE[kind])
        return [Mark(row["stream"], row["id"], row["sequence"]) for row in await self._floor.tables.all(oldest)]

    async def _follow(self, kind: Kind, marks: Sequence[Mark]) -> None:
        ids = list(dict.fromkeys(mark.id for mark in marks))
        for change in await _POINTING[kind](ids, self.collections, self._floor):
            await self._write(change)
        await self.engine.flush()
        names = await filled(self.engine, self.collections)
        await self._floor.read.write(lambda connection: self._forget(connection, kind, marks, names))

    async def _write(self, change: Change) -> None:
        self._tell_refused(change)
        self.refused[change.collection.name].difference_update(change.ids)
        self.refused[change.collection.name].update(change.refused)
        kept = {point.id for point in change.points}
        if gone := [point_id for point_id in change.ids if point_id not in kept and is_id(point_id)]:
            await self.engine.delete(change.collection, gone)
        if change.points:
            await self.engine.upsert(change.collection, change.points)

    def _tell_refused(self, change: Change) -> None:
        """One line for each reason: after a change of the model it is the same for the whole library."""
        name, by_reason = change.collection.name, dict[str, list[str]]()
        for subject, reason in change.refused.items():
            if subject not in self.refused[name]:
                by_reason.setdefault(reason, []).append(subject)
        for reason, subjects in by_reason.items():
            log.error("vectors_refused", collection=name, reason=reason, number=len(subjects), first=subjects[:NAMED])

    def _forget(self, connection: Connection, kind: Kind, marks: Sequence[Mark], names: str) -> None:
        dirty = self._floor.tables.live(DirtyRow)
        for mark in marks:
            same = and_(dirty.c.kind == kind, dirty.c.stream == mark.stream, dirty.c.id == mark.id)
            connection.execute(delete(dirty).where(same, dirty.c.sequence == mark.sequence))
        if kind == "track":
            self._mark_listeners(connection, marks)
        remember_filled(connection, self._floor, names)

    def _mark_listeners(self, connection: Connection, marks: Sequence[Mark]) -> None:
        """There is no order across streams: a play may have been read before the vector of what was played."""
        heard, told = self._floor.tables.live(HeardRow), [mark for mark in marks if mark.stream == "INGEST"]
        playing = select(heard.c.user_id).where(heard.c.track_id.in_([mark.id for mark in told])).distinct()
        newest = max((mark.sequence for mark in told), default=0)
        rows = [
            {"stream": "INGEST", "kind": "user", "id": row.user_id, "sequence": newest}
            for row in connection.execute(playing)
            if row.user_id is not None
        ]
        Writer(connection, self._floor.tables.live(DirtyRow)).upsert(rows)


@contextlib.asynccontextmanager
async def opening_indexes(floor: Floor) -> AsyncIterator[Indexes]:
    """Open the engine, pair it with the tables, and follow them for as long as the service runs.

    Raises Misconfigured where another process has the folder, or the routing table gives no embedding model.
    """
    try:
        collections = Collections.of(floor.ai.embedding_model(EMBEDDED_FOR))
        engine = QdrantEdgeEngine(floor.settings.data / "vectors")
    except (AIUnavailable, HeldElsewhereError) as error:
        raise Misconfigured(str(error)) from error
    try:
        await pair(engine, collections, floor)
        indexes = Indexes(floor, engine, collections)
        for keeper in floor.keepers.values():
            keeper.after_commit.append(indexes.wake)
        following = asyncio.create_task(indexes.run())
        try:
            yield indexes
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    finally:
        await engine.close()
