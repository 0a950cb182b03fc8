"""Making the ledger's tables anew beside the live ones, against a bare loop over the same stream in the same run.

    TONETOUCH_BENCH_JOBS=100000 pytest -m bench tests/bench/bench_tables.py -s

The floor is that of `bench_projection`: an ordered consumer, msgspec, and `executemany` of whole batches into one
table with its indexes; no positions, no sums beside it, nothing checked. The rebuild fills three tables and makes
their indexes. What questions cost is asked over the bus all the while, one after the other with a pause: beside it, and
about as many of them in the half minutes before and after it.
"""

import asyncio
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import nats
import numpy as np
import pytest

from tests.bench.bench_projection import floor as bare_loop
from tests.bench.bench_projection import say
from tests.runtime.installation import provision
from tonetouch_ai_ledger.app import app
from tonetouch_contracts.job import ListJobs
from tonetouch_contracts.operating import ListRebuilds, RebuildTables, TablesRebuild
from tonetouch_runtime import Floor, Settings, running
from tonetouch_runtime._memory import settle_memory

JOBS = int(os.environ.get("TONETOUCH_BENCH_JOBS", "1000000"))
QUESTIONS = 2000
PAUSE_SECONDS = 0.01

RATIO, QUESTION_RATIO = 0.8, 2.0


async def asked(floor: Floor, until: Callable[[int], bool]) -> list[float]:
    """The jobs of tracks, one after the other, while `until` goes on; the seconds each took."""
    random, seconds = np.random.default_rng(3), list[float]()
    while not until(len(seconds)):
        subject = f"track:{random.integers(1, JOBS) // 8:012x}"
        began = time.perf_counter()
        await floor.bus.ask(ListJobs(subject=subject, limit=10))
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_SECONDS)
    return seconds


def cpu_seconds() -> float:
    """Of this process and those it has started and seen ending."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


async def rebuilt(floor: Floor) -> tuple[TablesRebuild, dict[str, float]]:
    """Make the jobs' tables anew; how it ended, and the seconds until each phase was over."""
    await floor.bus.ask(RebuildTables(table="ai_jobs", operator="bench"), service="ai-ledger")
    began, seen = time.perf_counter(), dict[str, float]()
    while True:
        found = (await floor.bus.ask(ListRebuilds(), service="ai-ledger")).value.rebuilds[0]
        if found.ended_at is not None:
            return found, {**seen, "whole": time.perf_counter() - began}
        seen[found.phase] = time.perf_counter() - began
        await asyncio.sleep(0.5)  # as somebody who watches would


def told(name: str, seconds: list[float]) -> float:
    """Print what questions took, and return the 99th percentile in milliseconds."""
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    print(f"a track's jobs, {name}: {p50:.2f} ms p50, {p99:.2f} ms p99 of {len(seconds)}")
    return float(p99)


@pytest.mark.bench
@pytest.mark.timeout(3600)
async def test_a_rebuild_and_the_questions_beside_it(settings: Settings, tmp_path: Path) -> None:
    """It keeps 0.8 of the floor, and the 99th percentile of questions is at most twice that without it."""
    settings = settings.model_copy(update={"nats_user": "", "position_wait_seconds": 3600.0})
    await provision(settings)
    async with running(app, settings) as floor:
        await say(floor.bus, 1, JOBS)
        await floor.seen({"AI": JOBS})
        settle_memory()
        client = await nats.connect(settings.nats_url)
        used = [cpu_seconds()]
        bare = JOBS / await bare_loop(client, tmp_path / "floor", 0, JOBS)
        used.append(cpu_seconds())
        await client.close()
        alone, seconds = await rebuilt(floor)
        used.append(cpu_seconds())
        made = JOBS / seconds["indexing"] if "indexing" in seconds else JOBS / seconds["comparing"]
        print(f"\n{JOBS:,} jobs: floor {bare:,.0f}/s; made {made:,.0f}/s, ratio {made / bare:.2f}")
        print(f"CPU: floor {used[1] - used[0]:.1f} s; made, compared and switched {used[2] - used[1]:.1f} s")
        print(f"seconds until each was over: { {name: round(second, 1) for name, second in seconds.items()} }")
        assert alone.phase == "switched", alone.problem
        assert alone.comparisons[0].rows == JOBS
        before = await asked(floor, lambda done: done >= QUESTIONS)
        making = asyncio.create_task(rebuilt(floor))
        meanwhile = told("meanwhile", await asked(floor, lambda _: making.done()))
        beside, seconds = await making
        without = told("without it", [*before, *await asked(floor, lambda done: done >= QUESTIONS)])
        print(f"with questions meanwhile: { {name: round(second, 1) for name, second in seconds.items()} }")
        assert beside.phase == "switched", beside.problem
        assert made / bare >= RATIO
        assert meanwhile <= QUESTION_RATIO * without
