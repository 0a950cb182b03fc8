"""Made-for-you inside the service beside bare Qdrant Edge queries, and what a change of taste costs, in the same run.

    TONETOUCH_BENCH_VECTORS=20000 pytest -m bench tests/bench/bench_taste.py -s

A listener of several interests is answered by one query around each, so two floors are shown: one bare query for fifty,
and as many as the listener has interests. A taste is made anew from the listener's signals, by three listeners of whom
one has heard a hundred times as much as another.
"""

import asyncio
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_edge import EdgeShard, FieldCondition, Filter, MatchValue, Query, QueryRequest
from sqlalchemy import Connection

from tests.bench.bench_search import track
from tests.bench.bench_vectors import LIMIT, Timings, clustered
from tests.recommend.saying import published
from tests.runtime.installation import provision
from tonetouch_contracts.finding import MakeForYou
from tonetouch_contracts.identity import ContentHash, JobId, PlayId, UserId
from tonetouch_contracts.play import PlayRecorded
from tonetouch_contracts.upload import EmbeddingDone
from tonetouch_recommend.app import app
from tonetouch_recommend.indexing import Indexes
from tonetouch_recommend.learning import (
    AsideRow,
    EmbeddingRow,
    HeardRow,
    ShelfRow,
    keep_embeddings,
    keep_heard,
    keep_shelf,
)
from tonetouch_recommend.pointing import write
from tonetouch_recommend.recommending import make_for_you
from tonetouch_recommend.tasting import pointing_users, taste_of
from tonetouch_recommend.twins import StandingEngine
from tonetouch_recommend.vectors.collection import Payload, Point, Vector
from tonetouch_recommend.vectors.qdrant_edge import QdrantEdgeEngine
from tonetouch_recommend.vectors.qdrant_shard import SEARCH
from tonetouch_runtime import Floor, Recorded, Settings, Writer, running, stamp
from tonetouch_runtime._app import settle_memory

LISTENERS, ROUNDS = 20, 200
HISTORIES = (500, 5_000, 50_000)
AT_ONCE = 1_000
KINDS = 4
"""Kinds of music that a listener hears: tracks near one another."""


def _fact(stream: str, event: Any) -> Recorded[Any]:
    return Recorded(event=event, stream=stream, sequence=1, id="fact", time="2026-01-01T00:00:00Z")


def _embedded(number: int, vector: Vector, model: str) -> EmbeddingDone:
    return EmbeddingDone(
        track_id=track(number),
        kind="description",
        passage=0,
        text="a description",
        text_hash=ContentHash("0" * 64),
        model=model,
        dimension=len(vector),
        vector=vector.astype(np.dtype("<f2")).tobytes(),
        job_id=JobId("j"),
    )


async def fill(floor: Floor, count: int) -> Vector:
    """Tracks on the shelf and in the index, as if they had been learned from the log; their vectors."""
    engine, tracks, random = floor.get(Indexes).engine, floor.get(Indexes).collections.tracks, np.random.default_rng(1)
    kept = []
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, count))
        vectors = clustered(random, len(numbers))
        kept.append(vectors)
        placed = list(zip(numbers, vectors, strict=True))
        facts = [_fact("INGEST", _embedded(n, vector, tracks.model)) for n, vector in placed]
        titles = [
            _fact("CATALOG", published(f"{n}", track_id=track(n), artist=f"{n % 5000}", bpm=60.0 + n % 120, energy=0.5))
            for n in numbers
        ]

        def learn(connection: Connection, facts: Any = facts, titles: Any = titles) -> None:
            shelf, aside, embeddings = (floor.tables.live(model) for model in (ShelfRow, AsideRow, EmbeddingRow))
            keep_embeddings(facts, Writer(connection, embeddings))
            keep_shelf(titles, Writer(connection, shelf), Writer(connection, aside))

        await floor.read.write(learn)
        offered: Payload = {"region": "GB", "explicit": 0}
        points = [Point(track(n), vector, {**offered, "artist": f"{n % 5000}"}) for n, vector in placed]
        await engine.upsert(tracks, points)
    await engine.flush()
    assert isinstance(engine, StandingEngine)
    assert isinstance(engine.inner, QdrantEdgeEngine)
    await engine.inner.index(tracks)
    return np.concatenate(kept)


async def listen(floor: Floor, user: str, plays: int, vectors: Vector) -> None:
    """So many plays of a listener, the last of them now: of tracks near four others, one kind each sitting."""
    random = np.random.default_rng(int.from_bytes(user.encode(), "little") % 2**32)
    seeds = random.integers(0, len(vectors), KINDS)
    kinds = [np.argsort(-(vectors @ vectors[seed]))[:100] for seed in seeds]
    now = floor.clock.now().timestamp()
    facts = [
        _fact(
            "LIBRARY",
            PlayRecorded(
                play_id=PlayId(f"{user}-{number}"),
                user_id=UserId(user),
                track_id=track(int(kinds[number // 8 % KINDS][random.integers(100)])),
                heard_seconds=200.0,
                duration_seconds=200.0,
                at=stamp(floor.clock.now().fromtimestamp(now - (plays - number) * 3_600, floor.clock.now().tzinfo)),
            ),
        )
        for number in range(plays)
    ]
    heard = floor.tables.live(HeardRow)
    await floor.read.write(lambda connection: keep_heard(facts, Writer(connection, heard)))


async def follow(floor: Floor, user: str) -> float:
    """Make a listener's taste anew and index it; the milliseconds until it can be seen."""
    indexes, started = floor.get(Indexes), time.perf_counter()
    for change in await pointing_users([user], indexes.collections, floor):
        await write(change, indexes.engine)
    await indexes.engine.flush()
    return (time.perf_counter() - started) * 1000


async def costs(floor: Floor, vectors: Vector) -> dict[int, float]:
    """The median of ten changes, by the length of the history."""
    found = {}
    for plays in HISTORIES:
        await listen(floor, f"h{plays}", plays, vectors)
        found[plays] = float(np.median([await follow(floor, f"h{plays}") for _ in range(10)]))
    return found


async def measure(floor: Floor, shard: EdgeShard, interests: dict[str, int]) -> list[Timings]:
    """Every way of asking once per round, in turn."""
    vectors = clustered(np.random.default_rng(2), ROUNDS * (2 + max(interests.values())))
    users = list(interests)
    here = Filter(
        must=[FieldCondition("explicit", match=MatchValue(0)), FieldCondition("region", match=MatchValue("GB"))]
    )

    def bare(row: int) -> None:
        vector = vectors[row % len(vectors)].tolist()
        shard.query(QueryRequest(LIMIT, query=Query.Nearest(vector), filter=here, params=SEARCH))

    timings = [
        Timings(name, []) for name in ("bare query (the floor)", "a bare query for each interest", "made-for-you")
    ]
    for turn in range(-20, ROUNDS):
        user = users[turn % len(users)]
        command = MakeForYou(user_id=UserId(user), region="GB", explicit_allowed=False)
        began = time.perf_counter()
        bare(turn)
        one = time.perf_counter()
        for number in range(interests[user]):
            bare(turn * 7 + number)
        each = time.perf_counter()
        await make_for_you(command, floor)
        made = time.perf_counter()
        if turn >= 0:
            for timing, seconds in zip(timings, (one - began, each - one, made - each), strict=True):
                timing.seconds.append(seconds)
    return timings


@pytest.mark.bench
@pytest.mark.timeout(1800)
async def test_taste_costs_the_same_however_long_the_history(settings: Settings, tmp_path: Path) -> None:
    """And made-for-you costs at most three times the bare queries it needs, at the median."""
    count = int(os.environ.get("TONETOUCH_BENCH_VECTORS", "100000"))
    await provision(settings)
    print()
    async with running(app, settings) as floor:
        vectors = await fill(floor, count)
        changed = await costs(floor, vectors)
        for plays, milliseconds in changed.items():
            print(f"a change of taste after {plays:>6} plays: {milliseconds:6.1f} ms")
        interests = {}
        for number in range(LISTENERS):
            await listen(floor, f"u{number}", 500, vectors)
            await follow(floor, f"u{number}")
            indexes = floor.get(Indexes)
            tastes = await taste_of(f"u{number}", indexes.collections.taste, indexes.engine)
            interests[f"u{number}"] = len(tastes.interests)
        print(f"interests of a listener: {np.mean(list(interests.values())):.1f}")
        (live,) = (settings.data / "vectors" / "tracks").glob("copy-*")
        await asyncio.to_thread(shutil.copytree, live, tmp_path / "tracks")
        settle_memory()
        timings = await measure(floor, EdgeShard.load(str(tmp_path / "tracks")), interests)
    floor_ms = timings[0].quantile_ms(0.5)
    for timing in timings:
        print(f"{timing}   p50 is {timing.quantile_ms(0.5) / floor_ms:5.2f} of the floor")
    assert max(changed.values()) <= 2 * changed[HISTORIES[0]]
    assert timings[2].quantile_ms(0.5) <= 3 * timings[1].quantile_ms(0.5)
