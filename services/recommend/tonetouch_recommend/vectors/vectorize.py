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
from collections.abc import Iterable, Sequence
from typing import Any, Final

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
from .vectorize_index import VectorizeIndex, vector_of
from .vectorize_metadata import metadata_of, payload_of
from .vectorize_rest import VectorizeRefusedError, VectorizeRest
from .vectorize_searching import MOST_MATCHES, MOST_MATCHES_WITH_ALL, Match, Question, nearest

LONGEST_NAME: Final = 64
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
        self._open: dict[str, VectorizeIndex] = {}
        self._opening = asyncio.Lock()
        self._closed = False

    async def open(self, collection: Collection) -> None:
        """See `VectorEngine.open`. Creating one waits until its metadata indexes are there."""
        async with self._opening:
            if self._closed:
                raise NotOpenError("the engine over Vectorize is closed")
            index = self._open.get(collection.name)
            if index is None:
                index = await self._stored(collection.name) or await self._created(collection)
            index.collection.check_same(collection)
            if index.collection != collection:
                await index.declare(collection)
            self._open[collection.name] = index

    async def upsert(self, collection: Collection, points: Sequence[Point]) -> None:
        """See `VectorEngine.upsert`."""
        index = self._opened(collection)
        admitted = {point.id: collection.admit(point) for point in points}.values()
        await index.upsert([(point, metadata_of(point, collection)) for point in admitted])

    async def delete(self, collection: Collection, ids: Sequence[str]) -> None:
        """See `VectorEngine.delete`."""
        await self._opened(collection).delete([check_id(point_id) for point_id in ids])

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
        index, unit = self._opened(collection), collection.unit(vector)
        plan, left_out = planned(collection, collection.conditions(where)), frozenset(exclude)
        with_all = with_vectors or with_payload or bool(plan.rest)
        most = MOST_MATCHES_WITH_ALL if with_all else MOST_MATCHES
        question = Question(
            wanted=check_limit(limit),
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

        found = await nearest(index.query, question, plan.parts, fits)
        return [_hit(match, collection, with_vectors=with_vectors, with_payload=with_payload) for match in found]

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Point]:
        """See `VectorEngine.get`; a request for every 20 of them."""
        points = await self._opened(collection).read(list(dict.fromkeys(ids)))
        return [points[point_id] for point_id in ids if point_id in points]

    async def scroll(
        self, collection: Collection, *, where: Sequence[Term] = (), limit: int = 100, cursor: str | None = None
    ) -> Page:
        """See `VectorEngine.scroll`; reads every point, whatever the terms."""
        index, conditions, most = self._opened(collection), collection.conditions(where), check_limit(limit)
        try:
            ids, following = await index.listed(most, cursor)
        except VectorizeRefusedError as refused:
            if cursor is None or refused.status == _MISSING:
                raise
            raise UnfitQueryError(f"{cursor!r} is not a cursor of this collection") from None
        points = (await index.read(ids)).values()
        return Page([point for point in points if passes(point.payload, conditions)], following)

    async def count(self, collection: Collection, *, where: Sequence[Term] = ()) -> int:
        """See `VectorEngine.count`; with terms it reads every point."""
        if not collection.conditions(where):
            return await self._opened(collection).points()
        counted, cursor = 0, None
        while True:
            page = await self.scroll(collection, where=where, cursor=cursor)
            counted += len(page.points)
            if (cursor := page.next_cursor) is None:
                return counted

    async def flush(self) -> None:
        """See `VectorEngine.flush`. Raises `UnreachableError` where that takes longer than `settle_seconds`."""
        await asyncio.gather(*(index.settled() for index in list(self._open.values())))

    async def info(self, collection: Collection) -> Info:
        """See `VectorEngine.info`; what is seen by queries now, all of it by index."""
        points = await self._opened(collection).points()
        return Info(points=points, indexed=points, dimension=collection.dimension, model=collection.model)

    async def drop(self, name: str) -> None:
        """See `VectorEngine.drop`."""
        async with self._opening:
            if index := self._open.pop(name, None):
                index.closed = True
            for stored in await self._listed(name):
                await self._remove(stored["name"])

    async def close(self) -> None:
        """See `VectorEngine.close`."""
        async with self._opening:
            try:
                await self.flush()
            finally:
                while self._open:
                    self._open.popitem()[1].closed = True
                self._closed = True
                await self._rest.close()

    def _opened(self, collection: Collection) -> VectorizeIndex:
        index = self._open.get(collection.name)
        if index is None:
            raise NotOpenError(f"the collection {collection.name} is not open")
        index.collection.check_open(collection)
        return index

    async def _listed(self, name: str) -> list[dict[str, Any]]:
        """The indexes of a collection, oldest first. There is one, unless two were created at the same moment."""
        ours = re.compile(rf"{re.escape(self._prefix)}-{re.escape(name)}-[0-9a-f]{{12}}")
        found = [index for index in await self._rest.get("") if ours.fullmatch(index["name"])]
        return sorted(found, key=lambda index: (index["created_on"], index["name"]))

    async def _stored(self, name: str) -> VectorizeIndex | None:
        indexes = await self._listed(name)
        if not indexes:
            return None
        told = indexes[0]
        collection = Collection(name=name, dimension=told["config"]["dimensions"], model=told["description"])
        waits = {"settle_seconds": self._settle_seconds, "look_seconds": self._look_seconds}
        index = VectorizeIndex(self._rest, told["name"], collection, **waits)
        await index.declared()
        return index

    async def _created(self, collection: Collection) -> VectorizeIndex:
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

    async def _remove(self, index: str) -> None:
        try:
            await self._rest.delete(f"/{index}")
        except VectorizeRefusedError as refused:
            if refused.status != _MISSING:
                raise


def _hit(match: Match, collection: Collection, *, with_vectors: bool, with_payload: bool) -> Hit:
    payload = payload_of(match.metadata, collection.fields) if with_payload else {}
    return Hit(match.id, min(1.0, max(-1.0, match.score)), payload, vector_of(match) if with_vectors else None)
