"""The vector indexes of an account: what is written is seen later, in the order it was written."""

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tests.cloud.clock import Clock
from tests.cloud.faults import Refused

Metric = Literal["cosine", "euclidean", "dot-product"]
REFUSED = 40_000
"""Vectorize documents no numbers for its refusals; this one is the simulator's own."""
TOO_MANY_IDS = 40_007
METADATA_INDEXES_AT_MOST = 10
WRITE_DELAY_SECONDS = 0.2


def no(message: str, status: int = 400) -> Refused:
    """A refusal of Vectorize."""
    return Refused(status, REFUSED, message)


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A vector and what is known beside it. `indexed` are the properties that can be filtered by."""

    id: str
    values: npt.NDArray[np.float32]
    namespace: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    indexed: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Index:
    """One index. `pending` holds writes that nobody sees yet, with the moment they will be seen."""

    name: str
    dimensions: int
    metric: Metric
    description: str
    created: str
    vectors: dict[str, Vector] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    pending: list[tuple[float, str, Callable[[], None]]] = field(default_factory=list)
    seen_mutation: str | None = None
    seen_at: float = 0.0

    def write(self, change: Callable[[], None], due: float) -> str:
        """Notes a change; gives the id it will be known by."""
        mutation = str(uuid.uuid4())
        self.pending.append((due, mutation, change))
        return mutation

    def settle(self, now: float) -> None:
        """Lets every change be seen whose time has come."""
        while self.pending and self.pending[0][0] <= now:
            due, mutation, change = self.pending.pop(0)
            change()
            self.seen_mutation, self.seen_at = mutation, due

    def put(self, vectors: list[Vector], *, replace: bool) -> None:
        """Insert keeps what is there; upsert replaces values and metadata as a whole."""
        for vector in vectors:
            if replace or vector.id not in self.vectors:
                indexed = frozenset(self.properties)
                self.vectors[vector.id] = Vector(
                    id=vector.id,
                    values=vector.values,
                    namespace=vector.namespace,
                    metadata=vector.metadata,
                    indexed=indexed,
                )

    def remove(self, ids: list[str]) -> None:
        for one in ids:
            self.vectors.pop(one, None)

    def scores(self, query: npt.NDArray[np.float32], found: list[Vector]) -> list[tuple[float, Vector]]:
        """The nearest first. Cosine grows with nearness, the other two fall."""
        if not found:
            return []
        rows = np.stack([vector.values for vector in found]).astype(np.float64)
        if self.metric == "cosine":
            norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
            scores = rows @ query / np.where(norms == 0, 1.0, norms)
        elif self.metric == "euclidean":
            scores = np.linalg.norm(rows - query, axis=1)
        else:
            scores = -(rows @ query)
        order = np.argsort(-scores if self.metric == "cosine" else scores, kind="stable")
        return [(float(scores[at]), found[at]) for at in order]


class Indexes:
    """All indexes of one account. The name of a deleted one is never free again.

    `absent_is_unequal`: whether `$ne` and `$nin` hold for a vector without the property, which nobody documents.
    `requests`: how often each endpoint was asked, by its last word (``query``, ``upsert``, ``info``, ...).
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.write_delay_seconds = WRITE_DELAY_SECONDS
        self.absent_is_unequal = True
        self.requests: Counter[str] = Counter()
        self._indexes: dict[str, Index] = {}
        self._gone: set[str] = set()

    def create(self, name: str, dimensions: int, metric: Metric, description: str) -> Index:
        if name in self._indexes or name in self._gone:
            raise no(f"the name {name} is taken, or was", 409)
        created = Index(
            name=name, dimensions=dimensions, metric=metric, description=description, created=self.clock.text()
        )
        self._indexes[name] = created
        return created

    def delete(self, name: str) -> None:
        self.named(name)
        del self._indexes[name]
        self._gone.add(name)

    def named(self, name: str) -> Index:
        """The index as it is seen now."""
        index = self._indexes.get(name)
        if index is None:
            raise no(f"no index {name}", 404)
        index.settle(self.clock.now())
        return index

    def all(self) -> list[Index]:
        return list(self._indexes.values())

    def write(self, index: Index, change: Callable[[], None]) -> str:
        """Notes a change that is seen a little later."""
        return index.write(change, self.clock.now() + self.write_delay_seconds)
