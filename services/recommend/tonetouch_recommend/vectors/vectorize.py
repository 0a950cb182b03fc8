"""Vectors in Cloudflare Vectorize, over its REST API.

- A write is answered at once and seen some seconds later. `flush` waits until Vectorize says it has processed the last
  mutation of this engine; `count` without terms and `info` tell what is seen. Nobody else may write to the same
  indexes: Vectorize names the last processed mutation only. One of another hides ours until we write once more.
- The name of a deleted index is never free again. An index is named prefix, collection and a random ending, and found
  by listing; its description is the model. Fields are found in the names of its metadata indexes.
- A query brings 100 matches, or 50 with payloads or vectors. Where excluded ids and terms about lists leave fewer than
  asked for, the collection is asked again in parts: its points lie in 16 namespaces by their ids. At 40 queries, or
  where 100 (50) of one namespace are not enough, fewer come back than there are, or something nearer is missed.
- Equality and ranges are filters. Terms about `keywords` are, as far as the first entry of a list goes; the rest is
  looked at in the payload, so what matters in a list comes first.
- Scores come from Vectorize's compressed vectors unless vectors are asked for too. There is no counting or scrolling
  with terms: every point is read, 20 a request.
- Points written before a field was added may be missed by `NoneOf` of that field until they are written again.
"""

import asyncio
import re
import secrets
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
import numpy as np

from .collection import (
    Collection,
    Hit,
    Info,
    NotOpenError,
    Page,
    Point,
    Term,
    UnfitQueryError,
    UnreachableError,
    Vector,
    VectorsError,
    check_id,
    check_limit,
)
from .memory import passes
from .vectorize_filters import planned
from .vectorize_metadata import fields_of, indexes_of, metadata_of, payload_of, space_of
from .vectorize_rest import VectorizeRefusedError, VectorizeRest
from .vectorize_searching import MOST_MATCHES, MOST_MATCHES_WITH_ALL, Match, Question, nearest

WRITTEN_AT_ONCE: Final = 1_000  # of 5,000 that an upload may hold: some 20 MB of text
DELETED_AT_ONCE: Final = 100
READ_AT_ONCE: Final = 20
READS_AT_A_TIME: Final = 4
LONGEST_NAME: Final = 64
LONGEST_LOOK_SECONDS: Final = 1.0
LOOKS_UNTIL_NUDGE: Final = 8
_ENCODED_AT_ONCE: Final = 64  # some 3 ms of the event loop
_MISSING = 404
_TAKEN = 409


class VectorizeEngine:
    """A `VectorEngine` over the indexes of an account whose names begin with `prefix`. Use it from one event loop.

    `settle_seconds`: how long `flush` waits for what was written. After it, and where Vectorize does not answer, calls
    raise `UnreachableError`; what it refuses raises `VectorizeRefusedError`.
    """

    def __init__(
        self, rest: VectorizeRest, *, prefix: str, settle_seconds: float = 120.0, look_seconds: float = 0.1
    ) -> None:
        self._rest = rest
        self._prefix = prefix
        self._settle_seconds = settle_seconds
        self._look_seconds = look_seconds
        self._open: dict[str, _Open] = {}
        self._opening = asyncio.Lock()
        self._closed = False

    async def open(self, collection: Collection) -> None:
        """See `VectorEngine.open`. Creating one waits until its metadata indexes are there."""
        async with self._opening:
            if self._closed:
                raise NotOpenError("the engine over Vectorize is closed")
            opened = self._open.get(collection.name)
            if opened is None:
                opened = await self._stored(collection.name) or await self._created(collection)
            opened.collection.check_same(collection)
            await self._add_indexes(opened, collection)
            opened.collection = collection
            self._open[collection.name] = opened

    async def upsert(self, collection: Collection, points: Sequence[Point]) -> None:
        """See `VectorEngine.upsert`."""
        opened = self._opened(collection)
        admitted = {point.id: collection.admit(point) for point in points}.values()
        ready = iter([(point, metadata_of(point, collection)) for point in admitted])
        async with opened.writing:
            self._opened(collection)  # it may have been closed in the meantime
            while batch := list(islice(ready, WRITTEN_AT_ONCE)):
                opened.note(await self._rest.write(f"/{opened.index}/upsert", await _lines(batch)))

    async def delete(self, collection: Collection, ids: Sequence[str]) -> None:
        """See `VectorEngine.delete`."""
        opened = self._opened(collection)
        ready = iter(dict.fromkeys(check_id(point_id) for point_id in ids))
        async with opened.writing:
            self._opened(collection)
            while batch := list(islice(ready, DELETED_AT_ONCE)):
                opened.note(await self._rest.post(f"/{opened.index}/delete_by_ids", {"ids": batch}))

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
        """See `VectorEngine.query`; approximate, and the head of this file says where fewer than `limit` come back."""
        opened, unit = self._opened(collection), collection.unit(vector)
        plan, left_out = planned(collection, collection.conditions(where)), frozenset(exclude)
        with_all = with_vectors or with_payload or bool(plan.rest)
        most = MOST_MATCHES_WITH_ALL if with_all else MOST_MATCHES
        question = Question(
            wanted=check_limit(limit),
            needed=limit + len(left_out),
            top=most if plan.rest else min(most, limit + len(left_out)),
            body={
                "vector": unit.tolist(),
                "returnValues": with_vectors,
                "returnMetadata": "all" if with_payload or plan.rest else "none",
            },
        )

        def fits(match: Match) -> bool:
            if match.id in left_out:
                return False
            return not plan.rest or passes(payload_of(match.metadata, collection.fields), plan.rest)

        async def ask(body: Mapping[str, Any]) -> list[Match]:
            return msgspec.convert((await self._rest.post(f"/{opened.index}/query", body))["matches"], list[Match])

        found = await nearest(ask, question, plan.parts, fits)
        return [_hit(match, collection, with_vectors=with_vectors, with_payload=with_payload) for match in found]

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Point]:
        """See `VectorEngine.get`; a request for every 20 of them."""
        points = await self._read(self._opened(collection), list(dict.fromkeys(ids)))
        return [points[point_id] for point_id in ids if point_id in points]

    async def scroll(
        self, collection: Collection, *, where: Sequence[Term] = (), limit: int = 100, cursor: str | None = None
    ) -> Page:
        """See `VectorEngine.scroll`; reads every point, whatever the terms."""
        opened, conditions = self._opened(collection), collection.conditions(where)
        asked: dict[str, str | int] = {"count": check_limit(limit)} | ({} if cursor is None else {"cursor": cursor})
        try:
            listed = await self._rest.get(f"/{opened.index}/list", **asked)
        except VectorizeRefusedError as refused:
            if cursor is None or refused.status == _MISSING:
                raise
            raise UnfitQueryError(f"{cursor!r} is not a cursor of this collection") from None
        points = await self._read(opened, [one["id"] for one in listed["vectors"]])
        page = [point for point in points.values() if passes(point.payload, conditions)]
        return Page(page, listed["nextCursor"] if listed["isTruncated"] else None)

    async def count(self, collection: Collection, *, where: Sequence[Term] = ()) -> int:
        """See `VectorEngine.count`; with terms it reads every point."""
        if not collection.conditions(where):
            return (await self.info(collection)).points
        counted, cursor = 0, None
        while True:
            page = await self.scroll(collection, where=where, cursor=cursor)
            counted += len(page.points)
            if (cursor := page.next_cursor) is None:
                return counted

    async def flush(self) -> None:
        """See `VectorEngine.flush`. Raises `UnreachableError` where that takes longer than `settle_seconds`."""
        await asyncio.gather(*(self._settled(opened) for opened in list(self._open.values()) if opened.unseen))

    async def info(self, collection: Collection) -> Info:
        """See `VectorEngine.info`; what is seen by queries now, all of it by index."""
        told = await self._look(self._opened(collection))
        points = int(told["vectorCount"])
        return Info(points=points, indexed=points, dimension=collection.dimension, model=collection.model)

    async def drop(self, name: str) -> None:
        """See `VectorEngine.drop`."""
        async with self._opening:
            if opened := self._open.pop(name, None):
                opened.dropped = True
            for index in await self._listed(name):
                await self._remove(index["name"])

    async def close(self) -> None:
        """See `VectorEngine.close`."""
        async with self._opening:
            try:
                await self.flush()
            finally:
                self._open.clear()
                self._closed = True
                await self._rest.close()

    def _opened(self, collection: Collection) -> "_Open":
        opened = self._open.get(collection.name)
        if opened is None:
            raise NotOpenError(f"the collection {collection.name} is not open")
        opened.collection.check_open(collection)
        return opened

    async def _listed(self, name: str) -> list[dict[str, Any]]:
        """The indexes of a collection, oldest first. There is one, unless two were created at the same moment."""
        ours = re.compile(rf"{re.escape(self._prefix)}-{re.escape(name)}-[0-9a-f]{{12}}")
        found = [index for index in await self._rest.get("") if ours.fullmatch(index["name"])]
        return sorted(found, key=lambda index: (index["created_on"], index["name"]))

    async def _stored(self, name: str) -> "_Open | None":
        indexes = await self._listed(name)
        if not indexes:
            return None
        oldest = indexes[0]
        collection = Collection(
            name=name,
            dimension=oldest["config"]["dimensions"],
            model=oldest["description"],
            fields=fields_of(await self._indexed(oldest["name"])),
        )
        return _Open(collection, oldest["name"])

    async def _created(self, collection: Collection) -> "_Open":
        index = f"{self._prefix}-{collection.name}-{secrets.token_hex(6)}"
        if len(index) > LONGEST_NAME or index != index.lower():
            raise VectorsError(f"Vectorize takes names of {LONGEST_NAME} small letters at most, unlike {index!r}")
        config = {"dimensions": collection.dimension, "metric": "cosine"}
        try:
            await self._rest.post("", {"name": index, "description": collection.model, "config": config})
        except VectorizeRefusedError as refused:
            if refused.status != _TAKEN:  # tried again after an answer that was lost, it is taken by ourselves
                raise
        first = (await self._listed(collection.name))[0]["name"]
        if first != index:
            await self._remove(index)
        stored = await self._stored(collection.name)
        if stored is None:
            raise UnreachableError(f"Vectorize does not list {index}, which was created just now")
        return stored

    async def _add_indexes(self, opened: "_Open", collection: Collection) -> None:
        """Create the metadata indexes that are missing: vectors have to be written after that."""
        wanted, indexed = indexes_of(collection.fields), await self._indexed(opened.index)
        for name, kind in wanted.items():
            if name not in indexed:
                body = {"propertyName": name, "indexType": kind}
                opened.note(await self._rest.post(f"/{opened.index}/metadata_index/create", body))
        await self._settled(opened)

    async def _indexed(self, index: str) -> set[str]:
        listed = await self._rest.get(f"/{index}/metadata_index/list")
        return {one["propertyName"] for one in listed["metadataIndexes"]}

    async def _remove(self, index: str) -> None:
        try:
            await self._rest.delete(f"/{index}")
        except VectorizeRefusedError as refused:
            if refused.status != _MISSING:
                raise

    async def _read(self, opened: "_Open", ids: Sequence[str]) -> dict[str, Point]:
        """The points of those ids that are known, in their order."""
        reading = asyncio.Semaphore(READS_AT_A_TIME)

        async def read(some: Sequence[str]) -> list[Match]:
            async with reading:
                answer = await self._rest.post(f"/{opened.index}/get_by_ids", {"ids": some})
                return msgspec.convert(answer, list[Match])

        batches = [ids[start : start + READ_AT_ONCE] for start in range(0, len(ids), READ_AT_ONCE)]
        answers = await asyncio.gather(*(read(batch) for batch in batches))
        points = {one.id: _point(one, opened.collection) for answer in answers for one in answer}
        return {point_id: points[point_id] for point_id in ids if point_id in points}

    async def _settled(self, opened: "_Open") -> None:
        """Return when the last mutation there is now has been processed."""
        last, wait, looks = opened.unseen[-1] if opened.unseen else None, self._look_seconds, 0
        deadline = time.monotonic() + self._settle_seconds
        while last in opened.unseen and not opened.dropped:
            if time.monotonic() > deadline:
                raise UnreachableError(
                    f"{opened.index}: what was written is not seen after {self._settle_seconds:g} s. Vectorize has "
                    f"processed up to {opened.seen}, not yet {last}."
                )
            await self._look(opened)
            looks += 1
            if last in opened.unseen:
                await asyncio.sleep(wait)
                wait = min(1.5 * wait, LONGEST_LOOK_SECONDS)
                if looks >= LOOKS_UNTIL_NUDGE and opened.hidden:
                    await self._nudge(opened)
                    wait, looks = self._look_seconds, 0

    async def _nudge(self, opened: "_Open") -> None:
        """Write something that changes nothing: seen, it says that all before it was processed."""
        async with opened.writing:
            nobody = f"nobody-{secrets.token_hex(8)}"
            opened.note(await self._rest.post(f"/{opened.index}/delete_by_ids", {"ids": [nobody]}))

    async def _look(self, opened: "_Open") -> Mapping[str, Any]:
        told: Mapping[str, Any] = await self._rest.get(f"/{opened.index}/info")
        opened.see(told["processedUpToMutation"])
        return told


class _Open:
    """A collection that is open in this process."""

    def __init__(self, collection: Collection, index: str) -> None:
        self.collection = collection
        self.index = index
        self.writing = asyncio.Lock()
        self.unseen: deque[str] = deque()
        self.seen: str | None = None
        self.hidden = False  # whether the last processed mutation is another's
        self.dropped = False

    def note(self, answer: Mapping[str, Any]) -> None:
        """Remember a write, in the order in which they are processed."""
        self.unseen.append(answer["mutationId"])

    def see(self, mutation: str | None) -> None:
        """Forget what was processed: everything up to this one."""
        if mutation in self.unseen:
            self.seen, self.hidden = mutation, False
            while mutation in self.unseen:
                self.unseen.popleft()
        elif mutation != self.seen:
            self.seen, self.hidden = mutation, mutation is not None


async def _lines(batch: Sequence[tuple[Point, Mapping[str, Any]]]) -> bytes:
    """One vector in each line, without holding up others for long."""
    lines = list[bytes]()
    for number, (point, metadata) in enumerate(batch):
        if number % _ENCODED_AT_ONCE == _ENCODED_AT_ONCE - 1:
            await asyncio.sleep(0)
        line = {"id": point.id, "values": point.vector.tolist(), "namespace": space_of(point.id), "metadata": metadata}
        lines.append(msgspec.json.encode(line))
    return b"\n".join(lines)


def _point(match: Match, collection: Collection) -> Point:
    return Point(match.id, _vector(match), payload_of(match.metadata, collection.fields))


def _hit(match: Match, collection: Collection, *, with_vectors: bool, with_payload: bool) -> Hit:
    payload = payload_of(match.metadata, collection.fields) if with_payload else {}
    return Hit(match.id, min(1.0, max(-1.0, match.score)), payload, _vector(match) if with_vectors else None)


def _vector(match: Match) -> Vector:
    return np.asarray(match.values, dtype=np.float32)
