"""Search and similar over many vectors, through the engine, beside a bare Qdrant Edge query in the same run.

    TONETOUCH_BENCH_VECTORS=20000 pytest -m bench tests/bench/bench_vectors.py -s

The floor is the library's own call on a copy of the same shard: fifty ids and scores, without payload, thread or loop.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pytest
from qdrant_edge import EdgeShard, Query, QueryRequest

from tonetouch_recommend.vectors.collection import Collection, Hit, Is, Point, Vector
from tonetouch_recommend.vectors.qdrant_edge import QdrantEdgeEngine
from tonetouch_recommend.vectors.qdrant_shard import SEARCH

TRACKS = Collection(
    name="tracks", dimension=1024, model="clustered-1024", fields={"region": "keyword", "explicit": "integer"}
)
LIMIT = 50
CLUSTERS = 300
REGIONS = ["DE", "FR", "GB", "JP", "US"]


class Timings(NamedTuple):
    """Seconds per call, in the order measured."""

    name: str
    seconds: list[float]

    def quantile_ms(self, share: float) -> float:
        """Milliseconds that this share of the calls stayed below."""
        return float(np.quantile(self.seconds, share)) * 1000

    def __str__(self) -> str:
        return f"{self.name:<34} p50 {self.quantile_ms(0.5):6.2f} ms   p99 {self.quantile_ms(0.99):6.2f} ms"


def clustered(random: np.random.Generator, count: int) -> Vector:
    """Vectors around the same 300 centres whatever `random` is; shape (count, 1024)."""
    centres = np.random.default_rng(0).standard_normal((CLUSTERS, TRACKS.dimension), dtype=np.float32)
    noise = random.standard_normal((count, TRACKS.dimension), dtype=np.float32)
    return np.asarray(centres[random.integers(0, CLUSTERS, count)] + np.float32(0.8) * noise, dtype=np.float32)


def batches(count: int, *, seed: int = 1, size: int = 1_000) -> Iterator[list[Point]]:
    """`count` points named t0, t1, ...; one in ten explicit, five regions."""
    random = np.random.default_rng(seed)
    for start in range(0, count, size):
        yield [
            Point(f"t{row}", vector, {"region": REGIONS[row % 5], "explicit": int(row % 10 == 0)})
            for row, vector in enumerate(clustered(random, min(size, count - start)), start=start)
        ]


async def run(folder: Path, count: int) -> tuple[list[Timings], float]:
    """Build, measure and let go of `count` vectors (10 KB of disk each); the timings and recall@10."""
    engine = QdrantEdgeEngine(folder / "vectors", index_after=10**9)
    await build(engine, count)
    (live,) = (folder / "vectors" / TRACKS.name).glob("copy-*")
    await asyncio.to_thread(shutil.copytree, live, folder / "bare")
    bare = EdgeShard.load(str(folder / "bare"))
    timings = await measure(engine, bare, rounds=300, count=count)
    share = await recall(engine, count)
    await engine.close()
    bare.close()
    return timings, share


async def build(engine: QdrantEdgeEngine, count: int) -> None:
    """Load and index, and print how long each took and how long the event loop stood still meanwhile."""
    await engine.open(TRACKS)
    started = time.perf_counter()
    for points in batches(count):
        await engine.upsert(TRACKS, points)
    await engine.flush()
    loaded = time.perf_counter()
    still = asyncio.create_task(_longest_standstill())
    await engine.index(TRACKS)
    indexed = time.perf_counter()
    still.cancel()
    reach = (await engine.info(TRACKS)).indexed
    print(f"\n{count} vectors: loaded in {loaded - started:.1f} s, {reach} indexed in {indexed - loaded:.1f} s")
    print(f"longest standstill of the event loop while indexing: {(await still) * 1000:.0f} ms")


async def measure(engine: QdrantEdgeEngine, bare: EdgeShard, *, rounds: int, count: int) -> list[Timings]:
    """Every way of asking once per round, in turn, so that whatever disturbs the machine disturbs them alike."""
    asked = clustered(np.random.default_rng(2), rounds)
    ids = [f"t{row}" for row in np.random.default_rng(3).integers(0, count, rounds)]

    async def floor(turn: int) -> object:
        return bare.query(QueryRequest(LIMIT, query=Query.Nearest(asked[turn].tolist()), params=SEARCH))

    async def query(turn: int) -> object:
        return await engine.query(TRACKS, asked[turn], limit=LIMIT)

    async def filtered(turn: int) -> object:
        where = [Is("region", REGIONS[turn % 5]), Is("explicit", 0)]
        return await engine.query(TRACKS, asked[turn], limit=LIMIT, where=where)

    async def excluding(turn: int) -> object:
        return await engine.query(TRACKS, asked[turn], limit=LIMIT, exclude=ids[:200])

    async def similar(turn: int) -> object:
        return await similar_to(engine, ids[turn])

    ways: list[tuple[str, Callable[[int], Awaitable[object]]]] = [
        ("bare query (floor)", floor),
        ("engine.query", query),
        ("engine.query region+explicit", filtered),
        ("engine.query excluding 200", excluding),
        ("similar: get, query but itself", similar),
    ]
    timings = [Timings(name, []) for name, _ in ways]
    for turn in range(-min(20, rounds), rounds):  # the negative turns warm up
        for (_, way), timing in zip(ways, timings, strict=True):
            started = time.perf_counter()
            await way(turn)
            if turn >= 0:
                timing.seconds.append(time.perf_counter() - started)
    return timings


async def similar_to(engine: QdrantEdgeEngine, track: str) -> list[Hit]:
    """The tracks nearest to one that is known, without itself."""
    (point,) = await engine.get(TRACKS, [track])
    return await engine.query(TRACKS, point.vector, limit=LIMIT, exclude=[track])


async def recall(engine: QdrantEdgeEngine, count: int, *, asked: int = 40) -> float:
    """The share of the true ten nearest among the ten found; the true ones by comparing with all vectors again."""
    questions = np.stack([TRACKS.unit(vector) for vector in clustered(np.random.default_rng(4), asked)])
    scores = np.concatenate(
        [np.stack([TRACKS.unit(point.vector) for point in points]) @ questions.T for points in batches(count)]
    )
    found = 0
    for column, question in enumerate(questions):
        nearest = {f"t{row}" for row in np.argpartition(-scores[:, column], 10)[:10]}
        found += len(nearest & {hit.id for hit in await engine.query(TRACKS, question, limit=10)})
    return found / (10 * asked)


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_a_query_costs_at_most_three_bare_ones() -> None:
    """At the median, asking the engine from an event loop takes at most three times the bare query."""
    count = int(os.environ.get("TONETOUCH_BENCH_VECTORS", "100000"))
    with TemporaryDirectory(prefix="bench-vectors-") as folder:
        timings, share = asyncio.run(run(Path(folder), count))
    floor = timings[0].quantile_ms(0.5)
    for timing in timings:
        print(f"{timing}   ratio of p50 {timing.quantile_ms(0.5) / floor:5.2f}")
    print(f"recall@10 {share:.3f}")
    _, query, _, _, similar = timings
    assert query.quantile_ms(0.5) <= 3 * floor
    assert similar.quantile_ms(0.5) <= 3 * floor
    assert share >= 0.98


async def _longest_standstill() -> float:
    longest, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
    except asyncio.CancelledError:
        return longest
