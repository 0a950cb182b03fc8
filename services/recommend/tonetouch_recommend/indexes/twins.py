"""Twins: under which name each index stands in the engine, and an engine that is asked by the indexes' own names.

An index stands under its own name or under its twin's, ``tracks`` or ``tracks-2``: whichever is not the live one is
free to be filled beside it. There are never more than the two, so a leftover is known by its name.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final

import msgspec
from sqlalchemy import Connection, select
from sqlmodel import Field, SQLModel

from tonetouch_recommend.indexes.index import Collections
from tonetouch_recommend.vectors.collection import (
    Collection,
    Hit,
    Info,
    OtherModelError,
    Page,
    Point,
    Term,
    UnreachableError,
    Vector,
)
from tonetouch_recommend.vectors.engine import VectorEngine
from tonetouch_runtime import Floor, NotNow, Unavailable, Writer

LEFT_WITHIN_SECONDS: Final = 30.0
"""How long a copy that was replaced waits for questions that are still at it."""


class StandingRow(SQLModel, table=True):
    """An index, the name under which it stands in the engine, and the model of its vectors."""

    __tablename__ = "recommend_standing"

    name: str = Field(primary_key=True)
    stands_as: str
    model: str


def twin(stands_as: str) -> str:
    """The other one of an index's two names.

    >>> twin("tracks"), twin("tracks-2")
    ('tracks-2', 'tracks')
    """
    return stands_as.removesuffix("-2") if stands_as.endswith("-2") else f"{stands_as}-2"


async def standing(floor: Floor) -> dict[str, StandingRow]:
    """What the tables say of each index that has stood before."""
    table = floor.tables.live(StandingRow)
    floor.read.create(table)
    return {row["name"]: StandingRow(**row) for row in await floor.tables.all(select(table))}


def remember_standing(connection: Connection, floor: Floor, collections: Collections, names: Mapping[str, str]) -> None:
    """Keep under which names the indexes stand, and of which model they are."""
    rows = [
        {"name": each.name, "stands_as": names.get(each.name, each.name), "model": each.model}
        for each in collections.all
    ]
    Writer(connection, floor.tables.live(StandingRow)).upsert(rows)


class StandingEngine:
    """A `VectorEngine` that is asked by the indexes' names and asks another by the names they stand under.

    `names` may change between two calls; a call that has begun ends where it began. Who asks with the model of before
    just after a change is told to ask again (`NotNow`); where the engine does not answer, that it is `Unavailable`.
    """

    def __init__(self, engine: VectorEngine, names: Mapping[str, str]) -> None:
        self.inner = engine
        self.names = dict(names)
        self.retired: dict[tuple[str, str], str] = {}
        self._asking = Counter[str]()
        self._leaving: dict[str, asyncio.Event] = {}
        self._made: dict[str, tuple[Collection, Collection]] = {}

    def as_it_stands(self, collection: Collection) -> Collection:
        """The collection by the name it stands under."""
        name = self.names.get(collection.name, collection.name)
        if self.retired:
            name = self.retired.get((collection.name, collection.model), name)
        if name == collection.name:
            return collection
        made = self._made.get(name)
        if made is None or made[0] is not collection:
            made = self._made[name] = (collection, msgspec.structs.replace(collection, name=name))
        return made[1]

    async def left(self, stands_as: str) -> None:
        """Return when nobody asks the collection of this name any more, or after a bound."""
        if self._asking[stands_as]:
            left = self._leaving[stands_as] = asyncio.Event()
            with suppress(TimeoutError):
                await asyncio.wait_for(left.wait(), LEFT_WITHIN_SECONDS)

    async def open(self, collection: Collection) -> None:
        """See `VectorEngine.open`."""
        with _reached():
            await self.inner.open(self.as_it_stands(collection))

    async def upsert(self, collection: Collection, points: Sequence[Point]) -> None:
        """See `VectorEngine.upsert`."""
        with self._asked(collection) as asked:
            await self.inner.upsert(asked, points)

    async def delete(self, collection: Collection, ids: Sequence[str]) -> None:
        """See `VectorEngine.delete`."""
        with self._asked(collection) as asked:
            await self.inner.delete(asked, ids)

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
        """See `VectorEngine.query`."""
        with self._asked(collection) as asked:
            return await self.inner.query(
                asked,
                vector,
                limit=limit,
                where=where,
                exclude=exclude,
                with_vectors=with_vectors,
                with_payload=with_payload,
            )

    async def get(self, collection: Collection, ids: Sequence[str]) -> list[Point]:
        """See `VectorEngine.get`."""
        with self._asked(collection) as asked:
            return await self.inner.get(asked, ids)

    async def scroll(
        self, collection: Collection, *, where: Sequence[Term] = (), limit: int = 100, cursor: str | None = None
    ) -> Page:
        """See `VectorEngine.scroll`; a cursor is of no use after a change of names."""
        with self._asked(collection) as asked:
            return await self.inner.scroll(asked, where=where, limit=limit, cursor=cursor)

    async def count(self, collection: Collection, *, where: Sequence[Term] = ()) -> int:
        """See `VectorEngine.count`."""
        with self._asked(collection) as asked:
            return await self.inner.count(asked, where=where)

    async def flush(self) -> None:
        """See `VectorEngine.flush`; of every collection, under whatever name."""
        with _reached():
            await self.inner.flush()

    async def info(self, collection: Collection) -> Info:
        """See `VectorEngine.info`."""
        with self._asked(collection) as asked:
            return await self.inner.info(asked)

    async def drop(self, name: str) -> None:
        """See `VectorEngine.drop`."""
        with _reached():
            await self.inner.drop(self.names.get(name, name))

    async def close(self) -> None:
        """See `VectorEngine.close`."""
        await self.inner.close()

    def _asked(self, collection: Collection) -> "_Asked":
        return _Asked(collection, self.as_it_stands(collection), self._asking, self._leaving)


class _Asked:
    """A call on a collection, from its beginning to its end. A class: each question enters two, for microseconds."""

    def __init__(
        self, collection: Collection, stands: Collection, asking: Counter[str], leaving: dict[str, asyncio.Event]
    ) -> None:
        self._name = collection.name
        self._stands = stands
        self._asking = asking
        self._leaving = leaving

    def __enter__(self) -> Collection:
        self._asking[self._stands.name] += 1
        return self._stands

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        name = self._stands.name
        self._asking[name] -= 1
        if not self._asking[name] and (left := self._leaving.pop(name, None)):
            left.set()
        if isinstance(error, UnreachableError):
            raise Unavailable(str(error)) from error
        if isinstance(error, OtherModelError):
            raise NotNow(1.0, f"the index {self._name} has just changed to another model ({error})") from error


@contextmanager
def _reached() -> Iterator[None]:
    """An engine beyond this process is a part we stand on."""
    try:
        yield
    except UnreachableError as error:
        raise Unavailable(str(error)) from error
