"""One index of Vectorize, open in this process: what is written to it, read from it, and seen of what was written."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
import numpy as np

from .collection import Collection, NotOpenError, Point, UnreachableError, Vector
from .vectorize_metadata import fields_of, indexes_of, payload_of, space_of
from .vectorize_rest import VectorizeRefusedError, VectorizeRest
from .vectorize_searching import Match

WRITTEN_AT_ONCE: Final = 1_000  # of 5,000 that an upload may hold: some 20 MB of text
DELETED_AT_ONCE: Final = 100
READ_AT_ONCE: Final = 20
READS_AT_A_TIME: Final = 4
LONGEST_LOOK_SECONDS: Final = 1.0
LOOKS_UNTIL_NUDGE: Final = 8
_ENCODED_AT_ONCE: Final = 16  # some 4 ms of the event loop for vectors of 1024 numbers


class VectorizeIndex:
    """A collection in the index `name`. It is `settled` once the mutations of this process have been processed.

    Mutations are processed in the order in which they came, and Vectorize tells the last one that was: everything up to
    it is seen then. Where that is another's, ours may be hidden before it, and we write once more.
    """

    def __init__(
        self, rest: VectorizeRest, name: str, collection: Collection, *, settle_seconds: float, look_seconds: float
    ) -> None:
        self.name = name
        self.collection = collection
        self.closed = False
        self._rest = rest
        self._settle_seconds = settle_seconds
        self._look_seconds = look_seconds
        self._writing = asyncio.Lock()
        self._unseen: deque[str] = deque()
        self._seen: str | None = None
        self._hidden = False  # whether the last processed mutation is another's

    async def declared(self) -> None:
        """Know the fields of the collection by the metadata indexes that are there."""
        fields = fields_of(await self._indexed())
        self.collection = msgspec.structs.replace(self.collection, fields=fields)

    async def declare(self, collection: Collection) -> None:
        """Create the metadata indexes that are missing, and wait for them: vectors have to be written after that."""
        indexed = await self._indexed()
        for name, kind in indexes_of(collection.fields).items():
            if name not in indexed:
                self._note(await self._post("metadata_index/create", {"propertyName": name, "indexType": kind}))
        await self.settled()
        self.collection = collection

    async def upsert(self, points: Iterable[tuple[Point, Mapping[str, Any]]]) -> None:
        """Write points with their metadata."""
        ready = iter(points)
        async with self._writing:
            self._check_open()  # it may have been closed in the meantime
            while batch := list(islice(ready, WRITTEN_AT_ONCE)):
                self._note(await self._rest.write(f"/{self.name}/upsert", await _lines(batch)))

    async def delete(self, ids: Iterable[str]) -> None:
        """Remove the points of these ids."""
        ready = iter(dict.fromkeys(ids))
        async with self._writing:
            self._check_open()
            while batch := list(islice(ready, DELETED_AT_ONCE)):
                self._note(await self._post("delete_by_ids", {"ids": batch}))

    async def query(self, body: Mapping[str, Any]) -> list[Match]:
        """The answer to one query, nearest first."""
        return msgspec.convert((await self._post("query", body))["matches"], list[Match])

    async def read(self, ids: Sequence[str]) -> dict[str, Point]:
        """The points of those ids that are known, in their order."""
        reading = asyncio.Semaphore(READS_AT_A_TIME)

        async def read(some: Sequence[str]) -> list[Match]:
            async with reading:
                return msgspec.convert(await self._post("get_by_ids", {"ids": some}), list[Match])

        batches = [ids[start : start + READ_AT_ONCE] for start in range(0, len(ids), READ_AT_ONCE)]
        answers = await asyncio.gather(*(read(batch) for batch in batches))
        points = {one.id: self._point(one) for answer in answers for one in answer}
        return {point_id: points[point_id] for point_id in ids if point_id in points}

    async def listed(self, count: int, cursor: str | None) -> tuple[list[str], str | None]:
        """One page of all ids, and the cursor of the next one."""
        asked: dict[str, str | int] = {"count": count} | ({} if cursor is None else {"cursor": cursor})
        page = await self._rest.get(f"/{self.name}/list", **asked)
        return [one["id"] for one in page["vectors"]], page["nextCursor"] if page["isTruncated"] else None

    async def points(self) -> int:
        """How many points are seen now."""
        return int((await self._look())["vectorCount"])

    async def settled(self) -> None:
        """Return when what has been written until now is seen. Raises `UnreachableError` after the bound."""
        last, wait, looks = self._unseen[-1] if self._unseen else None, self._look_seconds, 0
        deadline = time.monotonic() + self._settle_seconds
        while last in self._unseen and not self.closed:
            if time.monotonic() > deadline:
                raise UnreachableError(
                    f"{self.name}: what was written is not seen after {self._settle_seconds:g} s. Vectorize has "
                    f"processed up to {self._seen}, not yet {last}."
                )
            try:
                await self._look()
            except VectorizeRefusedError:
                if self.closed:
                    return  # it was dropped while we looked
                raise
            looks += 1
            if last in self._unseen:
                await asyncio.sleep(wait)
                wait = min(1.5 * wait, LONGEST_LOOK_SECONDS)
                if looks >= LOOKS_UNTIL_NUDGE and self._hidden:
                    await self._nudge()
                    wait, looks = self._look_seconds, 0

    async def _nudge(self) -> None:
        """Write something that changes nothing: seen, it says that all before it was processed."""
        async with self._writing:
            self._note(await self._post("delete_by_ids", {"ids": [f"nobody-{secrets.token_hex(8)}"]}))

    async def _look(self) -> Mapping[str, Any]:
        told: Mapping[str, Any] = await self._rest.get(f"/{self.name}/info")
        last = told["processedUpToMutation"]
        if last in self._unseen:
            self._seen, self._hidden = last, False
            while last in self._unseen:
                self._unseen.popleft()
        elif last != self._seen:
            self._seen, self._hidden = last, last is not None
        return told

    async def _indexed(self) -> set[str]:
        listed = await self._rest.get(f"/{self.name}/metadata_index/list")
        return {one["propertyName"] for one in listed["metadataIndexes"]}

    async def _post(self, what: str, body: Mapping[str, Any]) -> Any:
        return await self._rest.post(f"/{self.name}/{what}", body)

    def _note(self, answer: Mapping[str, Any]) -> None:
        self._unseen.append(answer["mutationId"])

    def _check_open(self) -> None:
        if self.closed:
            raise NotOpenError(f"the collection {self.collection.name} is not open")

    def _point(self, match: Match) -> Point:
        return Point(match.id, vector_of(match), payload_of(match.metadata, self.collection.fields))


def vector_of(match: Match) -> Vector:
    """The vector that came with a match; shape (dimension,)."""
    return np.asarray(match.values, dtype=np.float32)


async def _lines(batch: Sequence[tuple[Point, Mapping[str, Any]]]) -> bytes:
    """One vector in each line, without holding up others for long."""
    lines = list[bytes]()
    for number, (point, metadata) in enumerate(batch, 1):
        line = {"id": point.id, "values": point.vector.tolist(), "namespace": space_of(point.id), "metadata": metadata}
        lines.append(msgspec.json.encode(line))
        if number % _ENCODED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return b"\n".join(lines)
