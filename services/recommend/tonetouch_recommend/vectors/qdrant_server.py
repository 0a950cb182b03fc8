"""Vectors on a Qdrant server or cluster, through its own client. Needs Qdrant 1.16 or newer.

- Model and fields stand in the metadata of each collection, whose name begins with the prefix.
- A write returns when it is in the server's log and applied, so `flush` has nothing left to do. On a cluster with more
  than one replica a query may be answered by one that is a moment behind.
- Vectors lie on the server's disk, one byte for each of their numbers in its memory; the candidates are compared again
  in full. The server builds its graphs by itself.
- A broken connection, a busy server and a 5xx are tried again for at most `patience_seconds`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

import httpx
import numpy as np
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from .collection import (
    AnyOf,
    Between,
    Collection,
    Condition,
    FieldType,
    Hit,
    Info,
    Is,
    NoneOf,
    NotOpenError,
    Page,
    Point,
    Term,
    Vector,
    VectorsError,
    check_id,
    check_limit,
)
from .edge_ids import edge_id
from .qdrant_points import ID_FIELD, cosine, id_in, kept, parsed, payload_in, told
from .retrying import AgainError, retrying

T = TypeVar("T")

WRITTEN_AT_ONCE: Final = 64
READ_AT_ONCE: Final = 1_000

HNSW: Final = models.HnswConfigDiff(m=16, ef_construct=100, payload_m=32)
INT8: Final = models.ScalarQuantization(
    scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=0.99, always_ram=True)
)
RESCORED: Final = models.QuantizationSearchParams(rescore=True, oversampling=2.0)
SEARCH: Final = models.SearchParams(quantization=RESCORED)
# As in the process: under `NoneOf` the walk looks past points that do not pass.
SEARCH_PAST: Final = models.SearchParams(
    quantization=RESCORED, acorn=models.AcornSearchParams(enable=True, max_selectivity=1.0)
)

_SCHEMA_TYPES: Final[dict[FieldType, models.PayloadSchemaType]] = {
    "keyword": models.PayloadSchemaType.KEYWORD,
    "keywords": models.PayloadSchemaType.KEYWORD,
    "integer": models.PayloadSchemaType.INTEGER,
    "float": models.PayloadSchemaType.FLOAT,
}
_CONFLICT = 409
_BUSY = 429
_SERVER_ERRORS = 500


class QdrantRefusedError(VectorsError):
    """Qdrant understood and said no."""

    def __init__(self, status: int | None, message: str) -> None:
        super().__init__(message)
        self.status = status


class QdrantServerEngine:
    """A `VectorEngine` over the collections of a Qdrant whose names begin with `prefix`. Use it from one event loop.

    Raises `UnreachableError` where the server does not answer and `QdrantRefusedError` where it says no. Closes the
    client with itself.
    """

    def __init__(self, client: AsyncQdrantClient, *, prefix: str, patience_seconds: float = 30.0) -> None:
        self._client = client
        self._prefix = prefix
        self._patience = patience_seconds
        self._open: dict[str, Collection] = {}
        self._opening = asyncio.Lock()
        self._closed = False

    async def check(self) -> None:
        """Return when the server has answered one question that needs its key."""
        await self._ask(self._client.get_collections, "the list of collections")

    async def open(self, collection: Collection) -> None:
        """See `VectorEngine.open`."""
        async with self._opening:
            if self._closed:
                raise NotOpenError("the engine over Qdrant is closed")
            name = self._name(collection)
            stored = self._open.get(collection.name) or await self._stored_or_created(collection)
            stored.check_same(collection)
            added = {field: kind for field, kind in collection.fields.items() if field not in stored.fields}
            await self._index_fields(name, added)
            if added:
                about = _about(collection)
                await self._ask(lambda: self._client.update_collection(name, metadata=about), f"widening {name}")
            self._open[collection.name] = collection

    async def upsert(self, collection: Collection, points: Sequence[Point]) -> None:
        """See `VectorEngine.upsert`."""
        name = self._opened(collection)
        ready = iter({point.id: collection.admit(point) for point in points}.values())
        while batch := [_struct(point) for point in islice(ready, WRITTEN_AT_ONCE)]:
            await self._write(name, models.UpsertOperation(upsert=models.PointsList(points=batch)))

    async def delete(self, collection: Collection, ids: Sequence[str]) -> None:
        """See `VectorEngine.delete`."""
        name = self._opened(collection)
        gone: list[models.ExtendedPointId] = [_id(check_id(own)) for own in ids]
        if gone:
            await self._write(name, models.DeleteOperation(delete=models.PointIdsList(points=gone)))

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
        """See `VectorEngine.query`; approximate once the server has built its graph."""
        name, conditions, most = self._opened(collection), collection.conditions(where), check_limit(limit)
        asked, passing = collection.unit(vector).tolist(), _filter(conditions, exclude)
        past = collection.cuts_off(conditions)
        answer = await self._ask(
            lambda: self._client.query_points(
                name,
                query=asked,
                query_filter=passing,
                search_params=SEARCH_PAST if past else SEARCH,
                limit=most,
                with_payload=with_payload,
                with_vectors=with_vectors,
            ),
            f"a query of {name}",
        )
        ids = await self._ids(name, answer.points)
        return [
            Hit(own, cosine(one.score), payload_in(one.payload), _vector(one) if with_vectors else None)
            for one, own in zip(answer.points, ids, strict=True)
        ]

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Point]:
        """See `VectorEngine.get`."""
        records = await self._records(self._opened(collection), [_id(own) for own in ids])
        points = {point.id: point for point in map(_point, records)}
        return [points[own] for own in ids if own in points]

    async def scroll(
        self, collection: Collection, *, where: Sequence[Term] = (), limit: int = 100, cursor: str | None = None
    ) -> Page:
        """See `VectorEngine.scroll`; in the order of the derived ids."""
        name, most, start = self._opened(collection), check_limit(limit), parsed(cursor)
        passing = _filter(collection.conditions(where), ())
        records, following = await self._ask(
            lambda: self._client.scroll(
                name,
                scroll_filter=passing,
                limit=most,
                offset=None if start is None else str(start),
                with_payload=True,
                with_vectors=True,
            ),
            f"reading {name}",
        )
        return Page([_point(record) for record in records], None if following is None else str(following))

    async def count(self, collection: Collection, *, where: Sequence[Term] = ()) -> int:
        """See `VectorEngine.count`."""
        name, passing = self._opened(collection), _filter(collection.conditions(where), ())
        counted = await self._ask(lambda: self._client.count(name, passing, exact=True), f"counting {name}")
        return int(counted.count)

    async def flush(self) -> None:
        """See `VectorEngine.flush`; every write has waited already."""

    async def info(self, collection: Collection) -> Info:
        """See `VectorEngine.info`."""
        name = self._opened(collection)
        state = await self._ask(lambda: self._client.get_collection(name), f"looking at {name}")
        return Info(
            points=state.points_count or 0,
            indexed=state.indexed_vectors_count or 0,
            dimension=collection.dimension,
            model=collection.model,
        )

    async def drop(self, name: str) -> None:
        """See `VectorEngine.drop`."""
        async with self._opening:
            self._open.pop(name, None)
            whole = f"{self._prefix}-{name}"
            await self._ask(lambda: self._client.delete_collection(whole), f"dropping {whole}")

    async def close(self) -> None:
        """See `VectorEngine.close`."""
        async with self._opening:
            self._open.clear()
            if not self._closed:
                self._closed = True
                await self._client.close()

    def _name(self, collection: Collection) -> str:
        return f"{self._prefix}-{collection.name}"

    def _opened(self, collection: Collection) -> str:
        opened = self._open.get(collection.name)
        if opened is None:
            raise NotOpenError(f"the collection {collection.name} is not open")
        opened.check_open(collection)
        return self._name(collection)

    async def _stored_or_created(self, collection: Collection) -> Collection:
        name = self._name(collection)
        if not await self._ask(lambda: self._client.collection_exists(name), f"looking for {name}"):
            await self._create(name, collection)
        state = await self._ask(lambda: self._client.get_collection(name), f"looking at {name}")
        about, vectors = state.config.metadata or {}, state.config.params.vectors
        if "model" not in about or not isinstance(vectors, models.VectorParams):
            raise VectorsError(f"{name} does not say of which model it is: Qdrant 1.16 or newer keeps that for us")
        fields = about.get("fields") or {}
        return Collection(name=collection.name, dimension=vectors.size, model=about["model"], fields=fields)

    async def _create(self, name: str, collection: Collection) -> None:
        """Without fields at first: a field is said to be there once it is indexed."""
        about = {"model": collection.model, "fields": {}}
        try:
            await self._ask(
                lambda: self._client.create_collection(
                    name,
                    vectors_config=models.VectorParams(
                        size=collection.dimension, distance=models.Distance.COSINE, on_disk=True
                    ),
                    hnsw_config=HNSW,
                    quantization_config=INT8,
                    on_disk_payload=True,
                    metadata=about,
                ),
                f"creating {name}",
            )
        except QdrantRefusedError as refused:
            if refused.status != _CONFLICT:  # somebody else was quicker, or an earlier answer was lost
                raise

    async def _index_fields(self, name: str, fields: dict[str, FieldType]) -> None:
        for field, kind in fields.items():
            index = partial(self._client.create_payload_index, name, field, _SCHEMA_TYPES[kind])
            await self._ask(index, f"indexing {name}.{field}")

    async def _write(self, name: str, operation: models.UpsertOperation | models.DeleteOperation) -> None:
        await self._ask(
            lambda: self._client.batch_update_points(name, update_operations=[operation], wait=True),
            f"writing to {name}",
        )

    async def _records(
        self, name: str, ids: Sequence[models.ExtendedPointId], *, whole: bool = True
    ) -> list[models.Record]:
        records, shown = list[models.Record](), True if whole else [ID_FIELD]
        for start in range(0, len(ids), READ_AT_ONCE):
            some = ids[start : start + READ_AT_ONCE]
            read = partial(self._client.retrieve, name, some, with_payload=shown, with_vectors=whole)
            records += await self._ask(read, f"reading {name}")
        return records

    async def _ids(self, name: str, found: Sequence[models.ScoredPoint]) -> list[str]:
        known: dict[Any, str] = {}
        if untold := [one.id for one in found if told(one.id) is None and ID_FIELD not in (one.payload or {})]:
            records = await self._records(name, untold, whole=False)
            known = {record.id: id_in(record.id, record.payload) for record in records}
        return [known.get(one.id) or id_in(one.id, one.payload) for one in found]

    async def _ask(self, call: Callable[[], Awaitable[T]], what: str) -> T:
        async def attempt() -> T:
            try:
                return await call()
            except ResourceExhaustedResponse as busy:
                raise AgainError(str(busy), busy.retry_after_s) from None
            except ResponseHandlingException as failed:
                if not isinstance(failed.source, httpx.TransportError):
                    raise
                raise AgainError(f"{type(failed.source).__name__} {failed.source}".rstrip()) from None
            except UnexpectedResponse as refused:
                status, told = refused.status_code or 0, refused.content.decode(errors="replace")[:300]
                if status >= _SERVER_ERRORS or status == _BUSY:
                    raise AgainError(f"{status} {told}") from None
                raise QdrantRefusedError(status, f"Qdrant refused {what}: {status} {told}") from None

        return await retrying(attempt, seconds=self._patience, what=what)


def _about(collection: Collection) -> dict[str, Any]:
    return {"model": collection.model, "fields": dict(collection.fields)}


def _filter(conditions: Sequence[Condition], exclude: Iterable[str]) -> models.Filter | None:
    must: list[models.Condition] = [_condition(one) for one in conditions if not isinstance(one, NoneOf)]
    must_not: list[models.Condition] = [_condition(one) for one in conditions if isinstance(one, NoneOf) and one.values]
    if left_out := [_id(own) for own in set(exclude)]:
        must_not.append(models.HasIdCondition(has_id=[*left_out]))
    return models.Filter(must=must or None, must_not=must_not or None) if must or must_not else None


def _condition(condition: Condition) -> models.FieldCondition | models.HasIdCondition:
    """A `NoneOf` is said as its opposite here and put under `must_not`."""
    match condition:
        case Is(field=field, value=value):
            return models.FieldCondition(key=field, match=models.MatchValue(value=value))
        case AnyOf(field=field, values=values) | NoneOf(field=field, values=values):
            if not values:
                return models.HasIdCondition(has_id=[])
            return models.FieldCondition(key=field, match=models.MatchAny(any=[*values]))
        case Between(field=field, low=low, high=high):
            return models.FieldCondition(key=field, range=models.Range(gte=low, lte=high))


def _struct(point: Point) -> models.PointStruct:
    own, payload = kept(point)
    return models.PointStruct(id=str(own), vector=point.vector.tolist(), payload=payload)


def _point(record: models.Record) -> Point:
    return Point(id_in(record.id, record.payload), _vector(record), payload_in(record.payload))


def _id(own: str) -> str:
    return str(edge_id(own))


def _vector(record: models.Record | models.ScoredPoint) -> Vector:
    return np.asarray(record.vector, dtype=np.float32)
