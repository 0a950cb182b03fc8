"""Vectors in Qdrant Edge, in this process, on this machine's disk.

- One process at a time: a lock file in the folder says who.
- Measured with 0.9.0: every call of the library holds the interpreter lock from beginning to end, in whatever thread.
  Queries are therefore made in place; what is longer runs on one worker thread, cut into pieces (writes), or in
  another process (the index), so the event loop waits for one piece at most: 2 ms for 64 points of 1024 numbers,
  1-2 ms for a query.
- New points are found at once, by comparing with each of them (20,000: 4 ms). When enough of them have gathered, a copy
  of the shard is indexed in a process of its own, catches up, and takes the place of the first; queries go on all the
  while, writes wait while files are copied. Only opening the copy holds all up: some 7 ms of CPU per 1,000 points.
- After `kill -9` everything written is there again (write-ahead log), after a loss of power everything up to the last
  `flush`.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from .collection import Collection, Hit, Info, NotOpenError, Page, Point, Term, Vector, check_id, check_limit
from .folder import CollectionFolder, FolderLock, Stored
from .indexing import index_copy
from .qdrant_shard import QdrantShard

P = ParamSpec("P")
T = TypeVar("T")

WRITTEN_AT_ONCE = 64
FEWEST_TO_INDEX = 5_000
MOST_UNINDEXED = 20_000

log = logging.getLogger(__name__)


class QdrantEdgeEngine:
    """A `VectorEngine` over a folder. Use it from one event loop; `close` it, or the next start replays the log.

    `index_after`: how many points may wait outside the index before it is built again; by default a quarter of
    what is indexed, between 5,000 and 20,000. `on_disk`: collections that are made from now on leave whole vectors and
    payloads on the disk. Raises `HeldElsewhereError` when another process has the folder.
    """

    def __init__(self, root: Path, *, index_after: int | None = None, on_disk: bool = False) -> None:
        self._root = root
        self._on_disk = on_disk
        self._index_after = index_after
        self._lock: FolderLock | None = FolderLock(root)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qdrant-edge")
        self._open: dict[str, _Open] = {}
        self._opening = asyncio.Lock()

    async def open(self, collection: Collection) -> None:
        """See `VectorEngine.open`."""
        async with self._opening:
            opened = self._open.get(collection.name)
            if opened is None:
                opened = self._open[collection.name] = await self._run(
                    _opened_from, self._root, collection, self._on_disk
                )
            opened.collection.check_same(collection)
            if opened.collection != collection:
                await self._add_fields(opened, collection)
        await self._consider_indexing(opened)

    async def upsert(self, collection: Collection, points: Sequence[Point]) -> None:
        """See `VectorEngine.upsert`."""
        opened = self._opened(collection)
        ready = iter({point.id: collection.admit(point) for point in points}.values())
        async with opened.writing:
            self._opened(collection)  # it may have been closed in the meantime
            while batch := list(islice(ready, WRITTEN_AT_ONCE)):
                opened.note(point.id for point in batch)
                opened.unflushed = True
                await self._run(opened.shard.upsert, batch)
                opened.unindexed += len(batch)
        await self._consider_indexing(opened)

    async def delete(self, collection: Collection, ids: Sequence[str]) -> None:
        """See `VectorEngine.delete`."""
        opened = self._opened(collection)
        ready = iter([check_id(point_id) for point_id in ids])
        async with opened.writing:
            self._opened(collection)
            while batch := list(islice(ready, WRITTEN_AT_ONCE)):
                opened.note(batch)
                opened.unflushed = True
                await self._run(opened.shard.delete, batch)

    async def query(
        self,
        collection: Collection,
        vector: Vector,
        *,
        limit: int,
        where: Sequence[Term] = (),
        exclude: Iterable[str] = (),
        with_vectors: bool = False,
        with_payload: bool = True,
    ) -> list[Hit]:
        """See `VectorEngine.query`; approximate once the index is built. Excluded ids are left out while searching."""
        # In place: the library holds the interpreter lock for the millisecond it takes, in whatever thread it runs, and
        # the way to another thread and back costs half as much again.
        conditions = collection.conditions(where)
        return self._opened(collection).shard.query(
            collection.unit(vector),
            limit=check_limit(limit),
            conditions=conditions,
            exclude=exclude,
            with_vectors=with_vectors,
            with_payload=with_payload,
            past=collection.cuts_off(conditions),
        )

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Point]:
        """See `VectorEngine.get`."""
        return self._opened(collection).shard.get(ids)

    async def scroll(
        self, collection: Collection, *, where: Sequence[Term] = (), limit: int = 100, cursor: str | None = None
    ) -> Page:
        """See `VectorEngine.scroll`."""
        shard, conditions = self._opened(collection).shard, collection.conditions(where)
        return await self._run(shard.scroll, conditions=conditions, limit=check_limit(limit), cursor=cursor)

    async def count(self, collection: Collection, *, where: Sequence[Term] = ()) -> int:
        """See `VectorEngine.count`."""
        return await self._run(self._opened(collection).shard.count, collection.conditions(where))

    async def flush(self) -> None:
        """See `VectorEngine.flush`."""
        for opened in [opened for opened in self._open.values() if opened.unflushed]:
            async with opened.writing:
                # A failed flush must be tried again, a write that follows is noted anew.
                await self._run(opened.shard.flush)
                opened.unflushed = False

    async def info(self, collection: Collection) -> Info:
        """See `VectorEngine.info`."""
        points, indexed = await self._run(self._opened(collection).shard.sizes)
        return Info(points=points, indexed=indexed, dimension=collection.dimension, model=collection.model)

    async def drop(self, name: str) -> None:
        """See `VectorEngine.drop`."""
        async with self._opening:
            if opened := self._open.pop(name, None):
                await self._let_go(opened)
            await asyncio.to_thread(CollectionFolder(self._root, name).remove)

    async def close(self) -> None:
        """Flush, end what is being indexed (it begins again another time), and let the next process in."""
        async with self._opening:
            try:
                while self._open:
                    await self._let_go(self._open.popitem()[1])
            finally:
                await asyncio.to_thread(self._worker.shutdown)
                if self._lock is not None:
                    self._lock.release()
                    self._lock = None

    async def index(self, collection: Collection) -> None:
        """Build the index over every point there is now, and return when queries use it."""
        opened = self._opened(collection)
        while opened.indexing is not None:
            await asyncio.wait([opened.indexing])
        await self._start_indexing(opened)

    def folder(self, name: str) -> Path:
        """Where a collection lies on the disk."""
        return self._root / name

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._lock is None:
            raise NotOpenError(f"the engine over {self._root} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._worker, lambda: call(*args, **kwargs))

    def _opened(self, collection: Collection) -> "_Open":
        opened = self._open.get(collection.name)
        if opened is None:
            raise NotOpenError(f"the collection {collection.name} is not open")
        opened.collection.check_open(collection)
        return opened

    async def _add_fields(self, opened: "_Open", collection: Collection) -> None:
        added = {field: kind for field, kind in collection.fields.items() if field not in opened.collection.fields}
        async with opened.writing:
            await self._run(opened.shard.index_fields, added)
            await self._run(opened.shard.flush)
            live = opened.folder.live(opened.stored())
            await asyncio.to_thread(opened.folder.make_live, live, collection)
            opened.collection = collection

    async def _let_go(self, opened: "_Open") -> None:
        if opened.indexing is not None:
            opened.indexing.cancel()
            await asyncio.wait([opened.indexing])
        async with opened.writing:
            await self._run(opened.shard.flush)
            await self._run(opened.shard.close)

    async def _consider_indexing(self, opened: "_Open") -> None:
        after = self._index_after or opened.patience()
        if opened.indexing is None and opened.unindexed >= after:
            # Counted were writes; the same few points written again and again are no growth.
            opened.indexed, opened.unindexed = await self._run(_reach, opened.shard)
            if opened.unindexed >= after and opened.indexing is None:
                self._start_indexing(opened).add_done_callback(_report)

    def _start_indexing(self, opened: "_Open") -> "asyncio.Task[None]":
        opened.indexing = asyncio.create_task(self._index(opened), name=f"index {opened.collection.name}")
        return opened.indexing

    async def _index(self, opened: "_Open") -> None:
        copy = opened.folder.new_copy()
        before = opened.unindexed
        try:
            async with opened.writing:
                await self._run(opened.shard.flush)  # and so every write that was given up waiting for has ended
                await _to_the_end(asyncio.to_thread(opened.folder.copy_live, opened.stored(), copy))
                opened.written = set()
            await index_copy(copy)
            await _to_the_end(self._change_over(opened, copy))
        except BaseException:
            opened.unindexed -= before  # tried again after as many new points, not at once
            raise
        finally:
            opened.written = None
            await _to_the_end(asyncio.to_thread(opened.sweep))
            opened.indexing = None

    async def _change_over(self, opened: "_Open", copy: Path) -> None:
        # Written out here, where others can run: the flush below would wait for the disk holding the interpreter lock.
        await asyncio.to_thread(opened.folder.make_durable, copy)
        indexed = await self._run(QdrantShard.load, copy)
        async with opened.writing:
            replaced = indexed
            try:
                written = iter(opened.written or ())
                while batch := list(islice(written, WRITTEN_AT_ONCE)):
                    await self._run(_repeat, batch, opened.shard, indexed)
                await self._run(indexed.index_fields, opened.collection.fields)
                await self._run(indexed.flush)
                await asyncio.to_thread(opened.folder.make_live, copy, opened.collection)
                replaced, opened.shard = opened.shard, indexed
                opened.indexed, opened.unindexed = await self._run(_reach, indexed)
            finally:
                await self._run(replaced.close)


class _Open:
    """A collection open in this process."""

    def __init__(self, collection: Collection, folder: CollectionFolder, shard: QdrantShard) -> None:
        self.collection = collection
        self.folder = folder
        self.shard = shard
        self.indexed, self.unindexed = _reach(shard)
        self.writing = asyncio.Lock()
        self.unflushed = False
        self.written: set[str] | None = None  # ids touched since the copy that is being indexed was taken
        self.indexing: asyncio.Task[None] | None = None

    def note(self, ids: Iterable[str]) -> None:
        """Remember, before they are written, what a copy being indexed does not know."""
        if self.written is not None:
            self.written.update(ids)

    def patience(self) -> int:
        """How many points outside the index are no reason to build it again."""
        return min(max(FEWEST_TO_INDEX, self.indexed // 4), MOST_UNINDEXED)

    def stored(self) -> Stored:
        """What the disk says of it."""
        stored = self.folder.stored()
        if stored is None:
            raise NotOpenError(f"the collection {self.collection.name} was removed from the disk while it was open")
        return stored

    def sweep(self) -> None:
        """Remove every copy but the live one."""
        self.folder.sweep(self.folder.stored())


def _opened_from(root: Path, collection: Collection, on_disk: bool) -> _Open:
    folder = CollectionFolder(root, collection.name)
    stored = folder.stored()
    folder.sweep(stored)
    if stored is not None:
        stored.collection.check_same(collection)
        return _Open(stored.collection, folder, QdrantShard.load(folder.live(stored)))
    copy = folder.new_copy()
    shard = QdrantShard.create(copy, collection, on_disk=on_disk)
    folder.make_live(copy, collection)
    return _Open(collection, folder, shard)


def _reach(shard: QdrantShard) -> tuple[int, int]:
    points, indexed = shard.sizes()
    return indexed, max(0, points - indexed)


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish the work even when the one who waits is cancelled: half a change leaves two copies in use."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _repeat(ids: Sequence[str], source: QdrantShard, target: QdrantShard) -> None:
    """Make these points in `target` what they are in `source`."""
    found = source.get(ids)
    target.upsert(found)
    target.delete(list(set(ids) - {point.id for point in found}))


def _report(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (failure := task.exception()):
        log.error("%s failed; queries go on without it: %s", task.get_name(), failure)
