"""Rebuilding: new copies of indexes are made from the tables beside the live ones, and replace them when complete.

The follower of the tables does it page by page between its turns, so that nothing else writes while a page is read and
copied; what changes meanwhile it writes to both. Until the names change over, in one transaction, the live copies are
what they were: a process that is killed removes the unfinished ones at its next start, and begins them again.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Literal

import structlog
from sqlalchemy import Connection, delete, func, select
from sqlmodel import Field, SQLModel

from tonetouch_contracts.identity import derived
from tonetouch_contracts.indexing import IndexName, RebuildPhase
from tonetouch_recommend.indexes.index import Collections
from tonetouch_recommend.indexes.pairing import MADE_OF, filled, made_of, remember_filled
from tonetouch_recommend.indexes.pointing import Change, write
from tonetouch_recommend.indexes.rebuild import Rebuild
from tonetouch_recommend.indexes.reembedding import counted, embed_again
from tonetouch_recommend.indexes.twins import StandingEngine, remember_standing, twin
from tonetouch_recommend.learning import Kind
from tonetouch_runtime import Floor, Refused, Unavailable, Writer, stamp

log = structlog.get_logger()

TEXTS: Final[tuple[IndexName, ...]] = ("tracks", "lyrics", "taste", "playlists")
"""The indexes that are of the embedding model."""

READ_AT_ONCE: Final = 5_000
"""Ids that are read together; a page takes some of them."""

UNINDEXED: Final = 20_000
"""So many points may be compared one by one, which takes some 4 ms, when a copy becomes the live one."""

INDEXED_WITHIN_SECONDS: Final = 300.0
"""An engine that makes no progress with its index for so long is not waited for."""

LINGERING_SECONDS = 5.0
"""How long a copy of another model answers those who began to ask before it was replaced."""

MOST_FAILURES: Final = 5
"""So often a page is tried again; then the copy may be at fault, and is begun anew."""

CANCELLED_WITHIN_SECONDS: Final = 10.0
AGAIN_SECONDS = 5.0
_LOOK_SECONDS: Final = 0.5
_ID: Final = "rebuild"

Pointing = Mapping[Kind, Callable[[Sequence[str], Collections, Floor], Awaitable[list[Change]]]]


class RebuildRow(SQLModel, table=True):
    """The rebuild that was asked for and is not over: after a restart it is begun again."""

    __tablename__ = "recommend_rebuild"

    id: str = Field(primary_key=True)
    rebuild_id: str
    names: str


class Rebuilding:
    """The rebuild that is under way, if there is one; `current` is the last one otherwise.

    `changed` is told the indexes as they are from then on, and which vectors the new copies refused.
    """

    def __init__(
        self,
        floor: Floor,
        live: StandingEngine,
        pointing: Pointing,
        at_once: Mapping[Kind, int],
        wake: Callable[[], None],
        changed: Callable[[Collections, Mapping[str, set[str]]], None],
    ) -> None:
        self.current: Rebuild | None = None
        self._floor = floor
        self._live = live
        self._pointing = pointing
        self._at_once = at_once
        self._wake = wake
        self._changed = changed
        self._collections: Collections | None = None
        self._embedding: set[asyncio.Task[None]] = set()
        self._tidying: asyncio.Task[None] | None = None
        self._asking = asyncio.Lock()
        self._not_before = 0.0
        self._failures = 0
        self._grown = (-1, 0.0)

    async def resume(self, collections: Collections, wanted: Collections) -> None:
        """At the start: remove what is unfinished, and begin again what is to be done.

        That is the change to another model, the rebuild that was asked for, or to embed texts that lack a vector.
        """
        self._collections = collections
        for each in collections.all:
            await self._live.inner.drop(twin(self._live.names.get(each.name, each.name)))
        table = self._floor.tables.live(RebuildRow)
        self._floor.read.create(table)
        row = await self._floor.tables.one(select(table))
        names = _named(row["names"] if row else "")
        if wanted.tracks.model != collections.tracks.model:
            self._begin(
                tuple(dict.fromkeys((*TEXTS, *names))), "model", wanted, derived("rebuild", wanted.tracks.model)
            )
        elif row:
            self._begin(names, "asked", collections, row["rebuild_id"])
        else:
            done, total = await counted(wanted.tracks.model, self._floor)
            if done < total:
                self._begin((), "model", wanted, derived("texts", wanted.tracks.model))

    async def ask(self, names: tuple[IndexName, ...]) -> None:
        """Begin to make these anew; asking for what is under way is asking once. Raises Refused while others are."""
        async with self._asking:
            await self._ask(names)

    async def cancel(self) -> None:
        """Have the follower give up what is under way. Raises Refused where nothing is, or a model changes."""
        current = self.current
        if current is None or current.is_over or not current.names:
            raise Refused("conflict", "No index is being made anew.")
        if current.reason == "model":
            raise Refused(
                "conflict",
                f"The indexes change to {current.collections.tracks.model} because the routing table says so.",
                "Give recommend and ingest the routing table and account of before, and restart them: nothing is lost.",
            )
        current.is_unwanted = True
        self._wake()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(current.ended.wait(), CANCELLED_WITHIN_SECONDS)

    async def page(self) -> bool:
        """Do the next piece of work. True while there is more to be done at once."""
        current = self.current
        if current is None or current.is_over or time.monotonic() < self._not_before:
            return False
        try:
            if current.is_unwanted:
                await self._give_up(current)
            elif current.phase == "filling":
                await self._fill(current)
            elif current.phase == "indexing":
                await self._end(current)
        except Exception as error:
            self._failed(current, error)
            return False
        self._failures = 0
        return current.phase in ("filling", "indexing")

    async def follow(self, kind: Kind, ids: Sequence[str]) -> None:
        """Write to the copies as well what has changed meanwhile. What fails there is no harm to the live ones."""
        current = self.current
        if current is None or current.copies is None or current.is_over:
            return
        try:
            await self._copy(current, current.copies, kind, ids)
        except Unavailable:
            raise  # the marks stay, and it is tried again
        except Exception as error:
            self._start_over(current, error)

    async def tidied(self) -> None:
        """Return when what was replaced last is gone."""
        if self._tidying is not None:
            await asyncio.wait([self._tidying])

    async def close(self) -> None:
        """End what runs beside the follower."""
        running = [*self._embedding, *([self._tidying] if self._tidying else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    @property
    def _as_they_are(self) -> Collections:
        assert self._collections is not None, "resume comes first"
        return self._collections

    async def _ask(self, names: tuple[IndexName, ...]) -> None:
        current = self.current
        if current is not None and not current.is_over and current.names:
            if set(names) <= set(current.names):
                return
            busy = ", ".join(current.names)
            raise Refused(
                "conflict", f"{busy} are being made anew.", "Wait until that is done: `tonetouch indexes` shows it."
            )
        rebuild_id, table = self._floor.clock.new_id(), self._floor.tables.live(RebuildRow)
        row = {"id": _ID, "rebuild_id": rebuild_id, "names": ",".join(names)}
        # Kept first: killed from here on it is begun at the next start.
        await self._floor.read.write(lambda connection: Writer(connection, table).upsert([row]))
        self._begin(names, "asked", self._as_they_are, rebuild_id)

    def _begin(
        self,
        names: tuple[IndexName, ...],
        reason: Literal["asked", "model"],
        collections: Collections,
        rebuild_id: str,
    ) -> Rebuild:
        started_at = stamp(self._floor.clock.now())
        phase: RebuildPhase = "embedding" if reason == "model" else "filling"
        self.current = Rebuild(
            id=rebuild_id,
            names=names,
            reason=reason,
            collections=collections,
            started_at=started_at,
            phase=phase,
        )
        log.info("rebuild_begins", indexes=names, reason=reason, model=collections.tracks.model)
        if phase == "embedding":
            task = asyncio.create_task(self._embed(self.current))
            self._embedding.add(task)
            task.add_done_callback(self._embedding.discard)
        self._wake()
        return self.current

    async def _embed(self, rebuild: Rebuild) -> None:
        while True:
            try:
                await embed_again(rebuild.collections.tracks.model, self._floor, rebuild.reach)
                break
            except Exception as error:
                log.exception("reembedding_failed", again_in_seconds=AGAIN_SECONDS)
                rebuild.waiting = f"{error}"
                await asyncio.sleep(AGAIN_SECONDS)
        rebuild.enter("filling") if rebuild.names else rebuild.end("done")
        self._wake()

    async def _fill(self, rebuild: Rebuild) -> None:
        """Copy the next page; the first time make room for it."""
        if rebuild.copies is None:
            if self._tidying is not None and not self._tidying.done():
                self._pause(_LOOK_SECONDS)  # a copy that was replaced still has the name
                return
            rebuild.copies = await self._make_room(rebuild)
        if not rebuild.ids and rebuild.kinds:
            rebuild.ids = await self._next_ids(rebuild.kinds[0], rebuild.after)
            rebuild.after = rebuild.ids[-1] if rebuild.ids else ""
            if not rebuild.ids:
                rebuild.kinds.pop(0)
        if rebuild.ids:
            kind = rebuild.kinds[0]
            page = rebuild.ids[: self._at_once[kind]]
            await self._copy(rebuild, rebuild.copies, kind, page)
            del rebuild.ids[: len(page)]
            rebuild.reach(rebuild.done + len(page), max(rebuild.total, rebuild.done + len(page)))
        elif not rebuild.kinds:
            await rebuild.copies.flush()
            rebuild.enter("indexing")

    async def _make_room(self, rebuild: Rebuild) -> StandingEngine:
        names = {each.name: twin(self._live.names.get(each.name, each.name)) for each in rebuild.made}
        copies = StandingEngine(self._live.inner, names)
        for each in rebuild.made:
            await copies.drop(each.name)
            await copies.open(each)
        kinds = {MADE_OF[each.name] for each in rebuild.made}
        rebuild.kinds, rebuild.ids, rebuild.after = [kind for kind in self._at_once if kind in kinds], [], ""
        rebuild.refused = {each.name: set() for each in rebuild.made}
        rebuild.enter("filling", total=await self._rows(rebuild.kinds))
        rebuild.reach(0, rebuild.total)
        return copies

    async def _copy(self, rebuild: Rebuild, copies: StandingEngine, kind: Kind, ids: Sequence[str]) -> None:
        for change in await self._pointing[kind](ids, rebuild.collections, self._floor):
            if (name := change.collection.name) in rebuild.names:
                rebuild.refused[name].difference_update(change.ids)
                rebuild.refused[name].update(change.refused)
                await write(change, copies)

    async def _end(self, rebuild: Rebuild) -> None:
        """Change over once the copies are as well indexed as the live ones; until then look again soon."""
        assert rebuild.copies is not None, "they were filled"
        if await self._are_indexed(rebuild, rebuild.copies):
            await self._change_over(rebuild, rebuild.copies)
        else:
            self._pause(_LOOK_SECONDS)

    async def _are_indexed(self, rebuild: Rebuild, copies: StandingEngine) -> bool:
        points, indexed, enough = 0, 0, True
        live = {each.name: each for each in self._as_they_are.all}
        for each in rebuild.made:
            await copies.open(each)  # an engine may look then whether its index is to be built
            now, before = await copies.info(each), await self._live.info(live[each.name])
            points, indexed = points + now.points, indexed + now.indexed
            enough = enough and now.points - now.indexed <= max(UNINDEXED, before.points - before.indexed)
        rebuild.reach(indexed, points)
        if indexed != self._grown[0]:
            self._grown = (indexed, time.monotonic())
        return enough or time.monotonic() - self._grown[1] > INDEXED_WITHIN_SECONDS

    async def _change_over(self, rebuild: Rebuild, copies: StandingEngine) -> None:
        """From one transaction on the copies are the indexes, whatever happens after it."""
        names = {**self._live.names, **copies.names}
        replaced: dict[str, str] = {name: self._live.names.get(name, name) for name in rebuild.names}
        await copies.flush()
        held = await filled(StandingEngine(self._live.inner, names), rebuild.collections)

        def keep(connection: Connection) -> None:
            remember_standing(connection, self._floor, rebuild.collections, names)
            remember_filled(connection, self._floor, held)
            connection.execute(delete(self._floor.tables.live(RebuildRow)))

        await self._floor.read.write(keep)
        others = [each for each in self._as_they_are.all if each.name in rebuild.names and each not in rebuild.made]
        self._live.retired = {(each.name, each.model): replaced[each.name] for each in others}
        self._live.names.update(names)
        self._collections = rebuild.collections
        self._changed(rebuild.collections, rebuild.refused)
        rebuild.end("done")
        log.info("indexes_changed_over", indexes=rebuild.names, model=rebuild.collections.tracks.model)
        self._tidying = asyncio.create_task(self._remove(list(replaced.values())))

    async def _remove(self, stand_as: Sequence[str]) -> None:
        """Drop what was replaced, once nobody asks it any more. What stays is dropped at the next start."""
        if self._live.retired:
            await asyncio.sleep(LINGERING_SECONDS)
            self._live.retired = {}
        for name in stand_as:
            try:
                await self._live.left(name)
                await self._live.inner.drop(name)
            except Exception as error:
                log.warning("replaced_index_stays", index=name, error=repr(error))

    async def _give_up(self, rebuild: Rebuild) -> None:
        for each in rebuild.made if rebuild.copies else ():
            await self._live.inner.drop(twin(self._live.names.get(each.name, each.name)))
        table = self._floor.tables.live(RebuildRow)
        await self._floor.read.write(lambda connection: connection.execute(delete(table)))
        rebuild.end("cancelled")

    def _failed(self, rebuild: Rebuild, error: Exception) -> None:
        """The same page again, a few times: an engine may only be away."""
        self._failures += 1
        if self._failures > MOST_FAILURES:
            self._failures = 0
            self._start_over(rebuild, error)
            return
        log.warning("rebuild_waits", indexes=rebuild.names, again_in_seconds=AGAIN_SECONDS, error=repr(error))
        rebuild.waiting = f"a page failed and is tried again: {error!r}"
        self._pause(AGAIN_SECONDS)

    def _start_over(self, rebuild: Rebuild, error: Exception) -> None:
        log.error("rebuild_begins_again", indexes=rebuild.names, again_in_seconds=AGAIN_SECONDS, exc_info=error)
        rebuild.copies = None
        rebuild.enter("filling")
        rebuild.waiting = f"it begins again, for it failed: {error!r}"
        self._pause(AGAIN_SECONDS)

    def _pause(self, seconds: float) -> None:
        self._not_before = time.monotonic() + seconds
        asyncio.get_running_loop().call_later(seconds + 0.01, self._wake)

    async def _next_ids(self, kind: Kind, after: str) -> list[str]:
        key = made_of(self._floor)[kind]
        rows = select(key.label("id")).where(key > after).distinct().order_by(key).limit(READ_AT_ONCE)
        return [row["id"] for row in await self._floor.tables.all(rows)]

    async def _rows(self, kinds: Sequence[Kind]) -> int:
        keys = made_of(self._floor)
        counts = [await self._floor.tables.one(select(func.count(keys[kind].distinct()).label("n"))) for kind in kinds]
        return sum(int(row["n"]) for row in counts if row is not None)


def _named(names: str) -> tuple[IndexName, ...]:
    wanted = names.split(",")
    return tuple(name for name in (*TEXTS, "fingerprints") if name in wanted)
