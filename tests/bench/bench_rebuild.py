"""Making the index of tracks anew beside the live one, and what questions cost meanwhile.

    TONETOUCH_BENCH_VECTORS=20000 pytest -m bench tests/bench/bench_rebuild.py -s

The tables are filled as if they had been learned from the log. Measured are the tracks a second that come into the
copy, the whole way until the names change over (with the index of the copy, which is built in another process), and
similar tracks asked for all the while beside the same before it.
"""

import asyncio
import os
import time
from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import insert

from tests.bench.bench_vectors import REGIONS, clustered
from tests.runtime.installation import provision
from tonetouch_contracts.finding import FindSimilar
from tonetouch_contracts.identity import TrackId, uuid7
from tonetouch_contracts.indexing import RebuildIndexes
from tonetouch_recommend.app import app
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.indexes.inspecting import rebuild_indexes
from tonetouch_recommend.learning import EmbeddingRow, ShelfRow
from tonetouch_recommend.lists.resembling import find_similar
from tonetouch_runtime import Floor, Settings, running

ROUNDS = 200
AT_ONCE = 1_000


def track(number: int) -> TrackId:
    return TrackId(uuid7(number, number.to_bytes(10, "big")))


async def learn(floor: Floor, count: int) -> None:
    """The rows of so many published tracks with their vectors."""
    shelf, embeddings = floor.tables.live(ShelfRow), floor.tables.live(EmbeddingRow)
    model, random = floor.get(Indexes).collections.tracks.model, np.random.default_rng(1)
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        vectors = clustered(random, len(numbers)).astype("<f2")
        names = [{"track_id": track(n), "title": f"{n}", "region": REGIONS[n % 5], "explicit": 0} for n in numbers]
        texts = [
            {"track_id": track(n), "kind": "description", "passage": 0, "model": model, "vector": vector.tobytes()}
            for n, vector in zip(numbers, vectors, strict=True)
        ]
        await floor.read.write(lambda to, rows=names: to.execute(insert(shelf), rows))  # type: ignore[misc]
        await floor.read.write(lambda to, rows=texts: to.execute(insert(embeddings), rows))  # type: ignore[misc]


async def rebuilt(floor: Floor) -> dict[str, float]:
    """Make it anew; the seconds each phase took."""
    await rebuild_indexes(RebuildIndexes(names=("tracks",)), floor)
    current, began, seen = floor.get(Indexes).rebuilding.current, time.perf_counter(), dict[str, float]()
    assert current is not None
    while not current.is_over:
        await asyncio.sleep(0.02)
        seen[current.phase] = time.perf_counter() - began
    return seen


async def asked(floor: Floor, count: int, until: Callable[[int], bool]) -> list[float]:
    """Similar tracks, one after the other with a pause, while `until` goes on; the seconds each took."""
    random, seconds = np.random.default_rng(3), list[float]()
    while not until(len(seconds)):
        began = time.perf_counter()
        await find_similar(FindSimilar(track_id=track(int(random.integers(count)))), floor)
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(0.01)
    return seconds


@pytest.mark.bench
@pytest.mark.timeout(1800)
async def test_questions_go_on_while_an_index_is_made_anew(settings: Settings) -> None:
    """The first copy is filled with nobody asking, the second beside somebody who does."""
    count = int(os.environ.get("TONETOUCH_BENCH_VECTORS", "20000"))
    await provision(settings)
    async with running(app, settings) as floor:
        await learn(floor, count)
        alone = await rebuilt(floor)
        print(f"\n{count} tracks: filled at {count / alone['filling']:,.0f} a second, over in {alone['done']:.1f} s")
        before = await asked(floor, count, lambda done: done >= ROUNDS)
        making = asyncio.create_task(rebuilt(floor))
        meanwhile = await asked(floor, count, lambda _: making.done())
        beside = await making
        print(f"with questions meanwhile: {count / beside['filling']:,.0f} a second, over in {beside['done']:.1f} s")
        for name, seconds in (("before", before), ("meanwhile", meanwhile)):
            p50, p99 = np.percentile(seconds, [50, 99]) * 1000
            print(f"similar {name}: {p50:.2f} ms p50, {p99:.2f} ms p99 of {len(seconds)}")
        info = await floor.get(Indexes).engine.info(floor.get(Indexes).collections.tracks)
        print(f"{info.indexed} of {info.points} points are found by index")
        assert info.points == count
