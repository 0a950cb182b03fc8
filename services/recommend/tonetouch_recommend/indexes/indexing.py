"""The indexes follow the tables.

A projection marks what it changed as dirty in the transaction that changes it. Woken after each commit, the follower
makes the points of what is dirty anew from the tables, flushes the engine, and only then forgets the marks: a killed
process does again what was not flushed, and doing it again changes nothing. Between two turns it goes on with the
rebuild that is under way.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection, and_, delete, select

from tonetouch_contracts.message import Positions
from tonetouch_recommend.indexes.gathering import PlaylistTrackRow, pointing_playlists
from tonetouch_recommend.indexes.index import EMBEDDED_FOR, Collections
from tonetouch_recommend.indexes.pairing import filled, pair, remember_filled
from tonetouch_recommend.indexes.pointing import Change, pointing_sounds, pointing_tracks, renewed, write
from tonetouch_recommend.indexes.rebuilding import Rebuilding
from tonetouch_recommend.indexes.twins import StandingEngine, remember_standing, standing
from tonetouch_recommend.learning import DirtyRow, Kind
from tonetouch_recommend.taste.signalling import listeners
from tonetouch_recommend.taste.tasting import pointing_users
from tonetouch_recommend.vectors.choosing import chosen_engine
from tonetouch_recommend.vectors.collection import HeldElsewhereError
from tonetouch_recommend.vectors.engine import VectorEngine
from tonetouch_runtime import Floor, Misconfigured, NotNow, Writer
from tonetouch_runtime.ai import AIUnavailable

log = structlog.get_logger()

AT_ONCE: Final[Mapping[Kind, int]] = {"sound": 500, "track": 100, "renewed": 100, "user": 20, "playlist": 3}
"""Marks taken in one turn: sounds first and most, as uploads wait for them; a playlist may hold 10,000 tracks."""

NAMED: Final = 5
"""Refused vectors that a line of the log names."""

_POINTING: Final[Mapping[Kind, Callable[[Sequence[str], Collections, Floor], Awaitable[list[Change]]]]] = {
    "sound": pointing_sounds,
    "track": pointing_tracks,
    "renewed": pointing_tracks,
    "user": pointing_users,
    "playlist": pointing_playlists,
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

    def __init__(self, floor: Floor, engine: StandingEngine, collections: Collections) -> None:
        self.engine: VectorEngine = engine
        self.collections = collections
        self.rebuilding = Rebuilding(floor, engine, _POINTING, AT_ONCE, self.wake, self._changed_over)
        self.refused: dict[str, set[str]] = {collection.name: set() for collection in collections.all}
        """The ids of points an index did not take, by its name."""
        self.after_change: list[Callable[[Kind, Sequence[str]], None]] = []
        """Told of what kind, and of what, the indexes show something new."""
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

    def reached(self, kind: Kind) -> Positions:
        """Up to where of each stream the indexes of this kind show everything."""
        return self._reached[kind]

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
                while await self._step():
                    delay = _FIRST_DELAY_SECONDS
                delay = _FIRST_DELAY_SECONDS
            except Exception:
                log.exception("indexing_failed", again_in_seconds=delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY_SECONDS)
            else:
                await self._woken.wait()

    async def _step(self) -> bool:
        """A turn and a page: neither waits for the end of the other. True while there may be more of either."""
        more = await self._turn()
        return await self.rebuilding.page() or more

    def _shows(self, kind: Kind, positions: Positions) -> bool:
        return all(self._reached[kind].get(stream, 0) >= sequence for stream, sequence in positions.items())

    def _tables_at(self) -> Positions:
        return {stream: self._floor.keepers[stream].position for stream in followed(self._floor)}

    async def _turn(self) -> bool:
        """Take some marks of each kind. True while there may be more."""
        tables_at = self._tables_at()  # before the marks are read, which came in the same transactions
        full = dict.fromkeys(AT_ONCE, False)
        for kind in AT_ONCE:
            if kind == "user" and (full["track"] or full["renewed"]):
                # Each track may change a taste and a playlist: after the last of them, once is enough.
                full["user"] = full["playlist"] = True
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
        marked = list(dict.fromkeys(mark.id for mark in marks))
        ids = marked
        if kind == "renewed":  # by another model than that of the indexes it changes nothing in them
            ids = await renewed(marked, self.collections.tracks.model, self._floor)
        for change in await _POINTING[kind](ids, self.collections, self._floor) if ids else ():
            await self._write(change)
        await self.rebuilding.follow(kind, marked)
        await self.engine.flush()
        names = await filled(self.engine, self.collections)
        for told in self.after_change:
            told(kind, ids)
        await self._floor.read.write(lambda connection: self._forget(connection, kind, marks, ids, names))

    async def _write(self, change: Change) -> None:
        self._tell_refused(change)
        self.refused[change.collection.name].difference_update(change.ids)
        self.refused[change.collection.name].update(change.refused)
        await write(change, self.engine)

    def _changed_over(self, collections: Collections, refused: Mapping[str, set[str]]) -> None:
        self.collections = collections
        self.refused.update(refused)
        for told in self.after_change:
            told("track", ())

    def _tell_refused(self, change: Change) -> None:
        """One line for each reason: after a change of the model it is the same for the whole library."""
        name, by_reason = change.collection.name, dict[str, list[str]]()
        for subject, reason in change.refused.items():
            if subject not in self.refused[name]:
                by_reason.setdefault(reason, []).append(subject)
        for reason, subjects in by_reason.items():
            log.error("vectors_refused", collection=name, reason=reason, number=len(subjects), first=subjects[:NAMED])

    def _forget(
        self, connection: Connection, kind: Kind, marks: Sequence[Mark], changed: Sequence[str], names: str
    ) -> None:
        dirty = self._floor.tables.live(DirtyRow)
        for mark in marks:
            same = and_(dirty.c.kind == kind, dirty.c.stream == mark.stream, dirty.c.id == mark.id)
            connection.execute(delete(dirty).where(same, dirty.c.sequence == mark.sequence))
        if kind in ("track", "renewed"):
            told = [mark for mark in marks if mark.id in changed]
            self._mark_listeners(connection, told)
            self._mark_playlists(connection, told)
        remember_filled(connection, self._floor, names)

    def _mark_listeners(self, connection: Connection, marks: Sequence[Mark]) -> None:
        """There is no order across streams: a play may have been read before the vector of what was played."""
        told = [mark for mark in marks if mark.stream == "INGEST"]
        following = connection.execute(listeners(self._floor, [mark.id for mark in told]))
        self._mark(connection, "user", [row.user_id for row in following], told)

    def _mark_playlists(self, connection: Connection, marks: Sequence[Mark]) -> None:
        """Nor may a track have been on the shelf when the playlist that holds it was read."""
        kept = self._floor.tables.live(PlaylistTrackRow)
        for stream in ("CATALOG", "INGEST"):
            told = [mark for mark in marks if mark.stream == stream]
            holding = select(kept.c.playlist_id).where(kept.c.track_id.in_([mark.id for mark in told]))
            rows = connection.execute(holding.where(kept.c.added.is_not(None)).distinct())
            self._mark(connection, "playlist", [row.playlist_id for row in rows], told)

    def _mark(self, connection: Connection, kind: Kind, ids: Sequence[str | None], told: Sequence[Mark]) -> None:
        """Mark what follows from some marks of one stream, by the newest of them."""
        rows = [
            {"stream": told[0].stream, "kind": kind, "id": found, "sequence": max(mark.sequence for mark in told)}
            for found in ids
            if found is not None
        ]
        Writer(connection, self._floor.tables.live(DirtyRow)).upsert(rows)


def followed(floor: Floor) -> list[str]:
    """The streams that may change an index: what recommend says itself, on RECOMMEND, changes none."""
    return [stream for stream in floor.keepers if stream != "RECOMMEND"]


@contextlib.asynccontextmanager
async def opening_indexes(floor: Floor) -> AsyncIterator[Indexes]:
    """Open the engine, pair it with the tables, and follow them for as long as the service runs.

    Raises Misconfigured where another process has the folder, the settings of the engine lack something, or the routing
    table gives no embedding model.
    """
    try:
        wanted = Collections.of(floor.ai.embedding_model(EMBEDDED_FOR))
        inner = await chosen_engine(floor.settings)
    except (AIUnavailable, HeldElsewhereError) as error:
        raise Misconfigured(str(error)) from error
    engine = StandingEngine(inner, {})
    try:
        collections = await _as_they_stand(engine, wanted, floor)
        await pair(engine, collections, floor)
        names = engine.names
        await floor.read.write(lambda connection: remember_standing(connection, floor, collections, names))
        indexes = Indexes(floor, engine, collections)
        await indexes.rebuilding.resume(collections, wanted)
        for stream in followed(floor):
            floor.keepers[stream].after_commit.append(indexes.wake)
        following = asyncio.create_task(indexes.run())
        try:
            yield indexes
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await indexes.rebuilding.close()
    finally:
        await engine.close()


async def _as_they_stand(engine: StandingEngine, wanted: Collections, floor: Floor) -> Collections:
    """The indexes as they were left, which may be of another model than the routing table gives now."""
    rows = await standing(floor)
    engine.names = {name: row.stands_as for name, row in rows.items()}
    model = rows["tracks"].model if "tracks" in rows else None
    return Collections.of(model) if model else wanted
