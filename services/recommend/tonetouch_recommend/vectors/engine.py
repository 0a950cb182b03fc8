"""What recommend asks of whatever keeps its vectors: in process, a server, or a service across the network."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from .collection import Collection, Hit, Info, Page, Point, Term, Vector


class VectorEngine(Protocol):
    """Keeps collections of vectors and finds the nearest.

    Obligations of every engine:
    - A write is visible to queries and durable at the latest when a later `flush` returns. Before that it may be either
      or neither, so a caller who saves a position saves it after `flush`.
    - Writes are idempotent: the last `upsert` of an id replaces vector and payload wholly, deleting an unknown id is
      nothing.
    - An invalid point, filter or limit is refused with a `VectorsError` before anything is written or asked. What a
      disk or a network does to a call is not wrapped.
    - Vectors come back scaled to length one.
    - `collection` is passed to every call and must be what was opened: another model or dimension is refused.
    - Calls may run at the same time from one event loop, which none of them blocks for long.
    """

    async def open(self, collection: Collection) -> None:
        """Open the collection, and create it where it is missing. Opening it twice is nothing.

        New fields are added to a stored one. Raises `OtherModelError` when its model, dimension or the type of a field
        differs.
        """
        ...

    async def upsert(self, collection: Collection, points: Sequence[Point]) -> None:
        """Keep the points; of several with the same id the last counts."""
        ...

    async def delete(self, collection: Collection, ids: Sequence[str]) -> None:
        """Forget the points of these ids."""
        ...

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
        """The `limit` (1-100) points nearest to the vector that pass every term, nearest first.

        `exclude` is a promise: none of these ids is among the hits. An engine that cannot leave them out while
        searching fetches more and leaves them out afterwards; at its own bound it returns fewer than `limit`.
        The search may be approximate; where little passes the filter it is exact.
        """
        ...

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Point]:
        """The points of those of the ids that are known, in the order asked."""
        ...

    async def scroll(
        self, collection: Collection, *, where: Sequence[Term] = (), limit: int = 100, cursor: str | None = None
    ) -> Page:
        """One page of the points that pass, in the engine's own order; `cursor` is the page before's `next_cursor`.

        A page may hold fewer than `limit` and still have a next one. Points that stay untouched during the scroll are
        seen exactly once.
        """
        ...

    async def count(self, collection: Collection, *, where: Sequence[Term] = ()) -> int:
        """How many points pass, exactly."""
        ...

    async def flush(self) -> None:
        """Return when every earlier write to any collection is durable and visible."""
        ...

    async def info(self, collection: Collection) -> Info:
        """How many points there are, of which model and dimension."""
        ...

    async def drop(self, name: str) -> None:
        """Remove a collection and everything in it, open or not, whatever its model. An unknown one is nothing."""
        ...

    async def close(self) -> None:
        """Flush and let go of everything. Closing twice is nothing."""
        ...
