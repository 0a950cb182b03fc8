"""One Qdrant Edge shard in the words of `collection`. Every call blocks and holds the interpreter lock meanwhile."""

import functools
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from qdrant_edge import (
    AcornSearchParams,
    CountRequest,
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeVectorParams,
    FieldCondition,
    Filter,
    HasIdCondition,
    HnswIndexConfig,
    MatchAny,
    MatchValue,
    PayloadSchemaType,
    QuantizationSearchParams,
    Query,
    QueryRequest,
    RangeFloat,
    ScalarQuantizationConfig,
    ScalarType,
    ScrollRequest,
    SearchParams,
    UpdateOperation,
)
from qdrant_edge import Memory as Placement
from qdrant_edge import Point as EdgePoint

from .collection import (
    AnyOf,
    Between,
    Collection,
    Condition,
    FieldType,
    Hit,
    Is,
    NoneOf,
    Page,
    Point,
    Vector,
)
from .edge_ids import edge_id, point_id
from .qdrant_points import ID_FIELD, cosine, id_in, kept, parsed, payload_in

# Qdrant's own defaults. The graph is built by `indexing` only, and then whatever the size: hence 1 KB.
# Twice its links among points that share a value of a field: of 100,000 tracks with nine such fields, 0.93 of the fifty
# nearest in a region were found with as many links as elsewhere, 1.00 with these; building takes longer.
HNSW = HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10_000, payload_m=32)
OPTIMIZERS = EdgeOptimizersConfig(indexing_threshold=1)

# One byte per number inside the index, and the candidates compared again in full. Measured on 20,000 clustered vectors
# of 1024 numbers: building takes 4 s of CPU instead of 17, a query half the time, recall@10 stays 1.00 (0.96 without
# the second comparison, which has to be asked for).
INT8 = ScalarQuantizationConfig(ScalarType.Int8, quantile=0.99, memory=Placement.Cached)
RESCORED = QuantizationSearchParams(rescore=True, oversampling=2.0)
SEARCH = SearchParams(quantization=RESCORED)
# The graph has links of its own among the points that share a value, none among those that lack it. Under `NoneOf` the
# walk therefore also looks past points that do not pass (ACORN): without it one clustered query in a thousand or two
# ended in a part that the filter had cut off. Under region and explicit it costs 4.1 ms instead of 1.2.
ACORN = AcornSearchParams(enable=True, max_selectivity=1.0)

_SCHEMA_TYPES: dict[FieldType, PayloadSchemaType] = {
    "keyword": PayloadSchemaType.Keyword,
    "keywords": PayloadSchemaType.Keyword,
    "integer": PayloadSchemaType.Integer,
    "float": PayloadSchemaType.Float,
}


# Candidates the walk keeps: twice as many as are asked for, of which Qdrant compares so many again in full; more under
# a filter, and more among more points, by the square root of their number. Of clustered vectors the fifty nearest are
# found so (share; without a filter, in a region and nothing explicit):
#
#     candidates             100           150           200           300
#     among 100,000    .999   .972   1.00   .982   1.00   .986   1.00   .992
#     among 1,000,000  .889   .945   .941   .977   .969   .991   .985   .999
#
# And of 21, as a page of a search asks for, 1.00 and .990 with 64: never fewer. A walk past what does not pass (ACORN)
# finds all with twice as many.
FEWEST_CANDIDATES = 64
CANDIDATES = 2.0
CANDIDATES_FILTERED = (25, 50), (64, 160)
"""How many points are asked for, and how many candidates are kept for these under a filter; of more twice as many."""
GROWING_FROM = 100_000
_NOTHING: Mapping[str, Any] = {}


class QdrantShard:
    """A shard open in this process. Points must have been admitted and conditions flattened by their collection."""

    def __init__(self, shard: EdgeShard) -> None:
        self._shard = shard
        self._growth = self._grown()

    @classmethod
    def create(cls, path: Path, collection: Collection, *, on_disk: bool = False) -> "QdrantShard":
        """A new, durable shard with an index on every field of the collection.

        `on_disk`: whole vectors and payloads are read from the disk when they are needed; the index and the quantised
        vectors are in memory all the same.
        """
        path.mkdir(parents=True)
        vectors = EdgeVectorParams(collection.dimension, Distance.Cosine, memory=Placement.Cold if on_disk else None)
        config = EdgeConfig(
            vectors,
            hnsw_config=HNSW,
            optimizers=OPTIMIZERS,
            quantization_config=INT8,
            payload_memory=Placement.Cold if on_disk else Placement.Cached,
        )
        shard = cls(EdgeShard.create(str(path), config))
        shard.index_fields(collection.fields)
        shard.flush()
        return shard

    @classmethod
    def load(cls, path: Path) -> "QdrantShard":
        """An existing shard; what was written after its last flush comes back from its write-ahead log."""
        return cls(EdgeShard.load(str(path)))

    def index_fields(self, fields: Mapping[str, FieldType]) -> None:
        """Make these fields filterable by index; the points there already are included."""
        for field, kind in fields.items():
            self._shard.update(UpdateOperation.create_field_index(field, _SCHEMA_TYPES[kind]))

    def upsert(self, points: Sequence[Point]) -> None:
        """Write the points, whose ids differ."""
        self._shard.update(UpdateOperation.upsert_points([_edge_point(point) for point in points]))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the points of these ids."""
        self._shard.update(UpdateOperation.delete_points([edge_id(own) for own in ids]))

    def query(
        self,
        vector: Vector,
        *,
        limit: int,
        conditions: Sequence[Condition],
        exclude: Iterable[str],
        with_vectors: bool,
        with_payload: bool,
        past: bool = False,
    ) -> list[Hit]:
        """The nearest points, nearest first. Excluded ids are left out while searching.

        `past`: walk past points that do not pass (ACORN).
        """
        request = QueryRequest(
            limit,
            query=_nearest_to(vector.tobytes()),
            filter=_filter(conditions, exclude),
            with_payload=with_payload,
            with_vector=with_vectors,
            params=_params(candidates(limit, self._growth, filtered=bool(conditions) and not past), past=past),
        )
        found = self._shard.query(request)
        if with_payload:
            return [_hit(one, id_in(one.id, one.payload)) for one in found]
        ids = self._ids([one.id for one in found])
        if with_vectors:
            return [_hit(one, own) for one, own in zip(found, ids, strict=True)]
        return list(map(Hit, ids, [cosine(one.score) for one in found], repeat(_NOTHING)))

    def get(self, ids: Sequence[str]) -> list[Point]:
        """The points of those ids that are known, in the order asked."""
        records = self._shard.retrieve([edge_id(own) for own in ids], with_payload=True, with_vector=True)
        points = {point.id: point for point in map(_point, records)}
        return [points[own] for own in ids if own in points]

    def scroll(self, *, conditions: Sequence[Condition], limit: int, cursor: str | None) -> Page:
        """One page in the order of the derived ids."""
        request = ScrollRequest(
            offset=parsed(cursor), limit=limit, filter=_filter(conditions, ()), with_payload=True, with_vector=True
        )
        records, following = self._shard.scroll(request)
        return Page([_point(record) for record in records], None if following is None else str(following))

    def count(self, conditions: Sequence[Condition]) -> int:
        """How many points pass, exactly."""
        return int(self._shard.count(CountRequest(exact=True, filter=_filter(conditions, ()))))

    def sizes(self) -> tuple[int, int]:
        """About how many points there are, and how many of them the graph reaches."""
        info = self._shard.info()
        return int(info.points_count), int(info.indexed_vectors_count)

    def build_index(self) -> bool:
        """Build the graph over every point, and say whether there was anything to do. Minutes for 100,000 points."""
        built = bool(self._shard.optimize())
        self._growth = self._grown()
        return built

    def flush(self) -> None:
        """Everything written so far is on disk."""
        self._shard.flush()

    def close(self) -> None:
        """Let go of the files."""
        self._shard.close()

    def _grown(self) -> float:
        # What is not in the graph is compared one by one: only what it reaches counts.
        return math.sqrt(self.sizes()[1] / GROWING_FROM)

    def _ids(self, found: Sequence[Any]) -> list[str]:
        own = list(map(point_id, found))
        told = [one for one in own if one]
        if len(told) == len(own):
            return told
        untold = [edge for edge, one in zip(found, own, strict=True) if one is None]
        records = self._shard.retrieve(untold, with_payload=[ID_FIELD], with_vector=False)
        known = {record.id: id_in(record.id, record.payload) for record in records}
        return [one or known[edge] for edge, one in zip(found, own, strict=True)]


@functools.lru_cache(maxsize=1024)
def candidates(limit: int, growth: float, *, filtered: bool) -> int:
    """How many candidates the walk keeps; `growth` is 1 for a graph of 100,000 points, 2 for one of 400,000.

    >>> candidates(50, 1.0, filtered=False), candidates(50, 1.0, filtered=True), candidates(50, 3.16, filtered=True)
    (100, 160, 316)
    """
    narrowed = float(np.interp(limit, *CANDIDATES_FILTERED)) if filtered else 0.0
    return max(FEWEST_CANDIDATES, round(max(narrowed, CANDIDATES * limit, CANDIDATES * growth * limit)))


@functools.lru_cache(maxsize=1024)
def _params(kept: int, *, past: bool) -> SearchParams:
    return SearchParams(hnsw_ef=kept, quantization=RESCORED, acorn=ACORN if past else None)


@functools.lru_cache(maxsize=16)  # a search asks two collections for the same
def _nearest_to(vector: bytes) -> Query:
    return Query.Nearest(np.frombuffer(vector, dtype=np.float32).tolist())


def _filter(conditions: Sequence[Condition], exclude: Iterable[str]) -> Filter | None:
    must: list[Any] = [_condition(condition) for condition in conditions if not isinstance(condition, NoneOf)]
    must_not: list[Any] = [_condition(condition) for condition in conditions if isinstance(condition, NoneOf)]
    if left_out := set[int | uuid.UUID | str](map(edge_id, exclude)):
        must_not.append(HasIdCondition(left_out))
    return Filter(must=must or None, must_not=must_not or None) if must or must_not else None


def _condition(condition: Condition) -> FieldCondition:
    """A `NoneOf` is said as its opposite here and put under `must_not`."""
    match condition:
        case Is(field=field, value=value):
            return FieldCondition(field, match=MatchValue(value))
        case AnyOf(field=field, values=values) | NoneOf(field=field, values=values):
            return FieldCondition(field, match=MatchAny([*values]))
        case Between(field=field, low=low, high=high):
            return FieldCondition(field, range=RangeFloat(gte=low, lte=high))


def _edge_point(point: Point) -> EdgePoint:
    own, payload = kept(point)
    return EdgePoint(own, point.vector.tolist(), payload)


def _hit(found: Any, own: str) -> Hit:
    vector = None if found.vector is None else np.asarray(found.vector, dtype=np.float32)
    return Hit(own, cosine(found.score), payload_in(found.payload), vector)


def _point(record: Any) -> Point:
    own = id_in(record.id, record.payload)
    return Point(own, np.asarray(record.vector, dtype=np.float32), payload_in(record.payload))
