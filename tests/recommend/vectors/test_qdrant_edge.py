"""Qdrant Edge keeps the promises, survives being killed, and its index agrees with the exact answer."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from tests.recommend.vectors.behaviour import EAST, NORTH, TRACKS, VectorEngineBehaviour
from tonetouch_recommend.vectors.collection import (
    Collection,
    HeldElsewhereError,
    Is,
    NoneOf,
    OtherModelError,
    Point,
    Term,
    UnfitQueryError,
    Vector,
)
from tonetouch_recommend.vectors.memory import MemoryEngine
from tonetouch_recommend.vectors.qdrant_edge import QdrantEdgeEngine

SONGS = Collection(name="songs", dimension=64, model="random-64", fields={"region": "keyword", "explicit": "integer"})
# Wide enough for a graph: below 10 MB of vectors Qdrant compares with each of them.
WIDE = Collection(name="wide", dimension=1024, model="random-1024", fields=SONGS.fields)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[QdrantEdgeEngine]:
    """An engine over an empty folder."""
    opened = QdrantEdgeEngine(tmp_path / "vectors")
    yield opened
    await opened.close()


class TestQdrantEdgeEngine(VectorEngineBehaviour):
    """Every promise of a vector engine, kept on disk."""

    __test__ = True


async def test_everything_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    """Points, payloads and filters survive, and so do fields that were added later."""
    grown = Collection(name="tracks", dimension=8, model="letters-8", fields={**TRACKS.fields, "year": "integer"})
    first = QdrantEdgeEngine(tmp_path)
    await first.open(TRACKS)
    await first.open(grown)
    await first.upsert(grown, [Point("a", EAST, {"year": 1999}), Point("b", NORTH)])
    await first.close()
    second = QdrantEdgeEngine(tmp_path)
    with pytest.raises(OtherModelError, match="year"):
        await second.open(TRACKS)
    await second.open(grown)
    assert [hit.id for hit in await second.query(grown, NORTH, limit=5, where=[Is("year", 1999)])] == ["a"]
    assert await second.count(grown) == 2
    await second.close()


async def test_another_model_is_refused_on_disk_too(tmp_path: Path) -> None:
    """What one run made with one model, the next cannot read with another, until it is dropped."""
    other = Collection(name="tracks", dimension=8, model="numbers-8", fields=TRACKS.fields)
    first = QdrantEdgeEngine(tmp_path)
    await first.open(TRACKS)
    await first.close()
    second = QdrantEdgeEngine(tmp_path)
    with pytest.raises(OtherModelError, match=r"letters-8.*numbers-8"):
        await second.open(other)
    await second.drop("tracks")
    await second.open(other)
    await second.close()


async def test_one_process_at_a_time(engine: QdrantEdgeEngine, tmp_path: Path) -> None:
    """The second to open the folder is told which process has it; after closing, the folder is free."""
    with pytest.raises(HeldElsewhereError, match=rf"process {os.getpid()}\. One process"):
        QdrantEdgeEngine(tmp_path / "vectors")
    await engine.close()
    await QdrantEdgeEngine(tmp_path / "vectors").close()


async def test_a_cursor_of_something_else_is_refused(engine: QdrantEdgeEngine) -> None:
    """A malformed cursor is the asker's mistake."""
    await engine.open(TRACKS)
    with pytest.raises(UnfitQueryError, match="cursor"):
        await engine.scroll(TRACKS, cursor="page-2")


WRITER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from tonetouch_recommend.vectors.collection import Point
from tonetouch_recommend.vectors.qdrant_edge import QdrantEdgeEngine
from tests.recommend.vectors.test_qdrant_edge import SONGS

async def write():
    engine = QdrantEdgeEngine(Path(sys.argv[1]), index_after=int(sys.argv[2]))
    await engine.open(SONGS)
    vectors = np.random.default_rng(7).standard_normal((100, 64)).astype(np.float32)
    for batch in range(10_000):
        await engine.upsert(SONGS, [Point(f"{batch}:{row}", v, {"explicit": row % 2}) for row, v in enumerate(vectors)])
        if batch % 3 == 0:
            await engine.flush()
            print(batch, flush=True)

asyncio.run(write())
"""


@pytest.mark.parametrize(("lines", "index_after"), [(1, 10**9), (5, 10**9), (12, 500)])
async def test_what_was_flushed_survives_a_kill(tmp_path: Path, lines: int, index_after: int) -> None:
    """Killed amid its writes, or while it builds an index, a collection has all it had at its last flush."""
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(index_after)]
    writer = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    flushed = [int(await writer.stdout.readline()) for _ in range(lines)][-1]
    writer.kill()
    await writer.wait()
    engine = QdrantEdgeEngine(tmp_path, index_after=10**9)
    await engine.open(SONGS)
    assert len(list((tmp_path / "songs").glob("copy-*"))) == 1, "what the dead process left behind is swept"
    expected = [f"{batch}:{row}" for batch in range(flushed + 1) for row in range(100)]
    assert [point.id for point in await engine.get(SONGS, expected)] == expected
    assert await engine.count(SONGS, where=[Is("explicit", 1)]) >= len(expected) // 2
    await engine.close()


def clustered(random: np.random.Generator, count: int, centres: Vector) -> Vector:
    """Vectors around the centres, as embeddings of music gather around genres; shape (count, dimension)."""
    noise = random.standard_normal((count, centres.shape[1]))
    return np.asarray(centres[random.integers(0, len(centres), count)] + 0.7 * noise, dtype=np.float32)


def songs(vectors: Vector) -> list[Point]:
    """A song for each vector: nine in ten are not explicit, and one in four is at home in each region."""
    regions = ["DE", "FR", "GB", "JP"]
    return [
        Point(f"s{row}", vector, {"region": regions[row % 4], "explicit": int(row % 10 == 0)})
        for row, vector in enumerate(vectors)
    ]


async def recall(engine: QdrantEdgeEngine, exact: MemoryEngine, asked: Vector, where: list[Term]) -> float:
    """The share of the ten truly nearest that the engine finds, over all vectors asked for."""
    found = 0
    for vector in asked:
        wanted = {hit.id for hit in await exact.query(WIDE, vector, limit=10, where=where)}
        found += len(wanted & {hit.id for hit in await engine.query(WIDE, vector, limit=10, where=where)})
    return found / (10 * len(asked))


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_index_finds_what_is_nearest(engine: QdrantEdgeEngine, seed: int) -> None:
    """Of the ten nearest among 5,000 clustered vectors at least 98 % are found, with and without filters."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((40, 1024)).astype(np.float32)
    points, asked = songs(clustered(random, 5_000, centres)), clustered(random, 60, centres)
    exact = MemoryEngine()
    for each in (engine, exact):
        await each.open(WIDE)
        await each.upsert(WIDE, points)
        await each.flush()
    await engine.index(WIDE)
    assert (await engine.info(WIDE)).indexed == 5_000
    filters: list[list[Term]] = [
        [],
        [Is("region", "DE"), Is("explicit", 0)],
        [Is("explicit", 1)],
        [NoneOf("region", ("JP",))],
    ]
    for where in filters:
        assert await recall(engine, exact, asked, where) >= 0.98, where


async def test_growth_builds_the_index_while_queries_and_writes_go_on(tmp_path: Path) -> None:
    """What is written, changed and deleted while a copy is being indexed is in the collection that takes its place."""
    engine = QdrantEdgeEngine(tmp_path, index_after=3_000)
    await engine.open(SONGS)
    points = songs(np.random.default_rng(3).standard_normal((3_400, 64)).astype(np.float32))
    await engine.upsert(SONGS, points[:3_000])
    deadline, written = time.monotonic() + 60, 3_000
    while (await engine.info(SONGS)).indexed == 0:
        assert time.monotonic() < deadline, "the index is built within a minute"
        await engine.query(SONGS, points[0].vector, limit=5)
        if written < 3_400:
            await engine.upsert(SONGS, points[written : written + 10])
            await engine.upsert(SONGS, [Point(f"s{written - 3_000}", points[0].vector, {"region": "changed"})])
            await engine.delete(SONGS, [f"s{written - 1_500}"])
            written += 10
    changes = (written - 3_000) // 10
    assert changes > 0
    await engine.flush()
    assert await engine.count(SONGS) == written - changes
    assert await engine.count(SONGS, where=[Is("region", "changed")]) == changes
    assert await engine.get(SONGS, [f"s{number - 1_500}" for number in range(3_000, written, 10)]) == []
    await engine.close()
    again = QdrantEdgeEngine(tmp_path, index_after=10**9)
    await again.open(SONGS)
    assert await again.count(SONGS) == written - changes
    await again.close()


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the process in /proc")
async def test_an_index_process_that_dies_harms_nothing(tmp_path: Path) -> None:
    """Its copy is removed, the collection goes on as it was, and the next attempt succeeds."""
    engine = QdrantEdgeEngine(tmp_path, index_after=10**9)
    await engine.open(SONGS)
    await engine.upsert(SONGS, songs(np.random.default_rng(6).standard_normal((2_000, 64)).astype(np.float32)))
    building = asyncio.create_task(engine.index(SONGS))
    # the process this engine started: nothing else has this folder in its arguments
    os.kill(await process_with(f"{tmp_path}/songs/copy-"), signal.SIGKILL)
    with pytest.raises(RuntimeError, match="-9"):
        await building
    assert len(list((tmp_path / "songs").glob("copy-*"))) == 1
    assert (await engine.count(SONGS), (await engine.info(SONGS)).indexed) == (2_000, 0)
    await engine.index(SONGS)
    assert (await engine.info(SONGS)).indexed == 2_000
    await engine.close()


async def process_with(argument: str) -> int:
    """The id of the process started with such an argument, once there is one."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := processes_with(argument):
            return found[0]
        await asyncio.sleep(0.005)
    raise AssertionError(f"no process with {argument} within 30 s")


def processes_with(argument: str) -> list[int]:
    """The processes of this machine that were started with such an argument; those that end meanwhile are left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if argument in (process / "cmdline").read_text(errors="replace"):
                found.append(int(process.name))
    return found


async def test_closing_ends_an_index_being_built(tmp_path: Path) -> None:
    """Nothing of it is left, nothing written is lost, and the next process builds it."""
    engine = QdrantEdgeEngine(tmp_path, index_after=2_000)
    await engine.open(SONGS)
    points = songs(np.random.default_rng(4).standard_normal((2_500, 64)).astype(np.float32))
    await engine.upsert(SONGS, points[:2_000])
    await engine.upsert(SONGS, points[2_000:])
    await engine.close()
    assert len(list((tmp_path / "songs").glob("copy-*"))) == 1
    again = QdrantEdgeEngine(tmp_path, index_after=10**9)
    await again.open(SONGS)
    assert await again.count(SONGS) == 2_500
    await again.index(SONGS)
    assert (await again.info(SONGS)).indexed == 2_500
    await again.close()


async def test_the_same_points_again_and_again_are_no_growth(tmp_path: Path) -> None:
    """A taste that moves with every play does not have its collection indexed over and over."""
    engine = QdrantEdgeEngine(tmp_path, index_after=200)
    await engine.open(SONGS)
    points = songs(np.random.default_rng(4).standard_normal((50, 64)).astype(np.float32))
    for _ in range(10):
        await engine.upsert(SONGS, points)
    assert (await engine.info(SONGS)).indexed == 0
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "index songs"]
    await engine.close()


@pytest.mark.parametrize(("on_disk", "laid"), [(False, "InRamMmap"), (True, "Mmap")])
async def test_whole_vectors_stay_on_the_disk_where_that_is_wanted(tmp_path: Path, on_disk: bool, laid: str) -> None:
    """The index is made of the copy, and lays them as the collection was told; what is found is the same."""
    engine = QdrantEdgeEngine(tmp_path, index_after=10**9, on_disk=on_disk)
    await engine.open(WIDE)
    points = songs(np.random.default_rng(1).standard_normal((1_000, 1024)).astype(np.float32))
    await engine.upsert(WIDE, points)
    await engine.flush()
    await engine.index(WIDE)
    assert [hit.id for hit in await engine.query(WIDE, points[7].vector, limit=1)] == ["s7"]
    await engine.close()
    segments = [json.loads(file.read_text())["config"]["vector_data"][""] for file in tmp_path.rglob("segment.json")]
    assert [one["storage_type"] for one in segments if one["index"]["type"] == "hnsw"] == [laid]
