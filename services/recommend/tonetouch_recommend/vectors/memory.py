"""Vectors in memory, searched exactly: for tests, and honest for a few thousand points.

Nothing survives the process. A projection into this engine starts from the beginning of its log at every start.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from .collection import (
    AnyOf,
    Between,
    Collection,
    Condition,
    Hit,
    Info,
    Is,
    NoneOf,
    NotOpenError,
    Page,
    Payload,
    Point,
    Term,
    Vector,
    check_id,
    check_limit,
)


class MemoryEngine:
    """A `VectorEngine` that compares the vector asked for with every point (one matrix product)."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    async def open(self, collection: Collection) -> None:
        """See `VectorEngine.open`."""
        kept = self._kept.setdefault(collection.name, _Kept(collection))
        kept.collection.check_same(collection)
        kept.collection = collection

    async def upsert(self, collection: Collection, points: Sequence[Point]) -> None:
        """See `VectorEngine.upsert`."""
        kept = self._opened(collection)
        kept.put([collection.admit(point) for point in points])

    async def delete(self, collection: Collection, ids: Sequence[str]) -> None:
        """See `VectorEngine.delete`."""
        self._opened(collection).remove([check_id(point_id) for point_id in ids])

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
        """See `VectorEngine.query`; exact."""
        kept = self._opened(collection)
        unit, conditions, most = collection.unit(vector), collection.conditions(where), check_limit(limit)
        left_out, hits = set(exclude), list[Hit]()
        ids, matrix = kept.matrix()
        scores = matrix @ unit
        for row in np.argsort(-scores, kind="stable"):
            point = kept.points[ids[row]]
            if point.id in left_out or not passes(point.payload, conditions):
                continue
            score = min(1.0, max(-1.0, float(scores[row])))
            hits.append(
                Hit(point.id, score, point.payload if with_payload else {}, point.vector if with_vectors else None)
            )
            if len(hits) == most:
                break
        return hits

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Point]:
        """See `VectorEngine.get`."""
        points = self._opened(collection).points
        return [points[point_id] for point_id in ids if point_id in points]

    async def scroll(
        self, collection: Collection, *, where: Sequence[Term] = (), limit: int = 100, cursor: str | None = None
    ) -> Page:
        """See `VectorEngine.scroll`; by id."""
        points = self._opened(collection).points
        conditions, most = collection.conditions(where), check_limit(limit)
        later = sorted(
            point_id
            for point_id, point in points.items()
            if (cursor is None or point_id > cursor) and passes(point.payload, conditions)
        )
        page = [points[point_id] for point_id in later[:most]]
        return Page(page, page[-1].id if len(later) > most else None)

    async def count(self, collection: Collection, *, where: Sequence[Term] = ()) -> int:
        """See `VectorEngine.count`."""
        conditions = collection.conditions(where)
        return sum(passes(point.payload, conditions) for point in self._opened(collection).points.values())

    async def flush(self) -> None:
        """Nothing to do: what is written is visible, and nothing is durable here."""

    async def info(self, collection: Collection) -> Info:
        """See `VectorEngine.info`."""
        points = len(self._opened(collection).points)
        return Info(points=points, indexed=0, dimension=collection.dimension, model=collection.model)

    async def drop(self, name: str) -> None:
        """See `VectorEngine.drop`."""
        self._kept.pop(name, None)

    async def close(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def _opened(self, collection: Collection) -> "_Kept":
        kept = self._kept.get(collection.name)
        if kept is None:
            raise NotOpenError(f"the collection {collection.name} is not open")
        kept.collection.check_open(collection)
        return kept


class _Kept:
    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.points: dict[str, Point] = {}
        self._stacked: tuple[list[str], Vector] | None = None

    def put(self, points: Sequence[Point]) -> None:
        self.points.update((point.id, point) for point in points)
        self._stacked = None

    def remove(self, ids: Sequence[str]) -> None:
        for point_id in ids:
            self.points.pop(point_id, None)
        self._stacked = None

    def matrix(self) -> tuple[list[str], Vector]:
        """Ids and vectors in the same order; shape (points, dimension). Stacked again after a write only."""
        if self._stacked is None:
            stacked = np.zeros((len(self.points), self.collection.dimension), dtype=np.float32)
            for row, point in enumerate(self.points.values()):
                stacked[row] = point.vector
            self._stacked = (list(self.points), stacked)
        return self._stacked


def passes(payload: Payload, conditions: Iterable[Condition]) -> bool:
    """Whether the payload meets every condition."""
    return all(_holds(payload, condition) for condition in conditions)


def _holds(payload: Payload, condition: Condition) -> bool:
    value = payload.get(condition.field)
    if isinstance(condition, NoneOf):
        return value is None or not _overlaps(value, condition.values)
    if value is None:
        return False
    match condition:
        case Is(value=wanted):
            return _overlaps(value, (wanted,))
        case AnyOf(values=wanted_values):
            return _overlaps(value, wanted_values)
        case Between(low=low, high=high):
            number = float(value) if isinstance(value, int | float) else float("nan")
            return (low is None or number >= low) and (high is None or number <= high)


def _overlaps(value: object, wanted: Sequence[object]) -> bool:
    entries = value if isinstance(value, list) else [value]
    return any(entry in wanted for entry in entries)
