"""From an append to the rows that show it, at a steady thousand events a second.

    TONETOUCH_BENCH_RATE=1000 pytest -m bench tests/bench/bench_latency.py -s

Another process appends ends of jobs one by one, at the times a clock prescribes, whether or not those before are
through: who comes late because something stalled counts as late (no coordinated omission). Measured is from the time an
append was due until the ledger's three tables have committed it. The floor in the same run is the same publishing
without the log's headers, until an ordered consumer of nats-py has it in hand: no tables, nothing decoded.
"""

import asyncio
import multiprocessing
import os
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
import nats
import numpy as np
import pytest
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from tests.bench.bench_projection import job
from tests.runtime.installation import provision
from tonetouch_ai_ledger.app import app
from tonetouch_runtime import Bus, Decision, Log, Settings, SystemClock, running
from tonetouch_runtime._memory import settle_memory

RATE = int(os.environ.get("TONETOUCH_BENCH_RATE", "1000"))
SECONDS = 30
WARM_UP_SECONDS = 3
MOST_MS = 100.0

Due = dict[int, float]
"""When each sequence of the stream was due, by the machine's monotonic clock."""
Seen = list[tuple[int, float]]
"""The sequences up to which something was there, and when."""


def appending(settings: Settings, first: int) -> Due:
    """Append through the log, in a process of its own."""

    async def run() -> Due:
        bus = await Bus.connect(settings.nats_url, "bench")
        log = Log(bus, SystemClock(), service="bench")

        async def append(number: int) -> int:
            event = job(number)
            found = await log.append(Decision(entity_id=event.job_id, events=(event,), expected=None))
            return found["AI"]

        due = await steadily(append, first)
        await bus.close()
        return due

    return asyncio.run(run())


def publishing(settings: Settings, first: int) -> Due:
    """The same events by the client alone."""

    async def run() -> Due:
        client = await nats.connect(settings.nats_url)
        jetstream = client.jetstream()

        async def publish(number: int) -> int:
            event = job(number)
            return (await jetstream.publish(f"job.recorded.{event.job_id}", msgspec.json.encode(event))).seq

        due = await steadily(publish, first)
        await client.close()
        return due

    return asyncio.run(run())


async def steadily(call: Callable[[int], Awaitable[int]], first: int) -> Due:
    """Call when each is due; those under way hold up nobody."""
    due, began = Due(), time.monotonic()

    async def one(number: int, at: float) -> None:
        due[await call(number)] = at

    async with asyncio.TaskGroup() as calls:
        for number in range((WARM_UP_SECONDS + SECONDS) * RATE):
            at = began + number / RATE
            if (early := at - time.monotonic()) > 0:
                await asyncio.sleep(early)
            calls.create_task(one(first + number, at))
    return due


def told(name: str, due: Due, seen: Seen) -> float:
    """Print how late what was due was there, and return the 99th percentile in milliseconds."""
    reached, times = [up_to for up_to, _ in seen], [at for _, at in seen]
    late = [times[bisect_left(reached, sequence)] - at for sequence, at in sorted(due.items())]
    p50, p99, p999 = np.percentile(late[WARM_UP_SECONDS * RATE :], [50, 99, 99.9]) * 1000
    print(f"\n{name:<28} {p50:6.1f} ms p50, {p99:6.1f} ms p99, {p999:6.1f} ms p99.9 of {SECONDS * RATE:,}", end="")
    return float(p99)


@pytest.mark.bench
@pytest.mark.timeout(600)
async def test_what_was_appended_is_shown_within_a_tenth_of_a_second(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """99 of 100 events are in the tables 100 ms after their append was due, at a thousand a second."""
    await provision(settings)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))  # a spawned process looks where its parent does
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        await asyncio.wrap_future(other.submit(os.getpid))  # it has started before anybody counts
        shown = await kept(settings, other)
        bare = await received(settings, other, first=len(shown[0]))
    told("received, bare", *bare)
    assert told("appended, shown in tables", *shown) < MOST_MS


async def kept(settings: Settings, other: ProcessPoolExecutor) -> tuple[Due, Seen]:
    """What was appended, and when the ledger's tables had it."""
    seen = Seen()
    async with running(app, settings.model_copy(update={"nats_user": ""})) as floor:
        keeper = floor.keepers["AI"]
        keeper.after_commit.append(lambda: seen.append((keeper.position, time.monotonic())))
        settle_memory()
        due = await asyncio.wrap_future(other.submit(appending, settings, 0))
        await floor.seen({"AI": max(due)}, 60.0)
    return due, seen


async def received(settings: Settings, other: ProcessPoolExecutor, first: int) -> tuple[Due, Seen]:
    """What was published, and when a consumer had it."""
    client, seen = await nats.connect(settings.nats_url), Seen()

    async def take(message: Msg) -> None:
        seen.append((message.metadata.sequence.stream, time.monotonic()))

    config = ConsumerConfig(deliver_policy=DeliverPolicy.NEW)
    subscription = await client.jetstream().subscribe(
        "job.recorded.*", stream="AI", ordered_consumer=True, cb=take, config=config
    )
    due = await asyncio.wrap_future(other.submit(publishing, settings, first))
    while len(seen) < len(due):
        await asyncio.sleep(0.01)
    await subscription.unsubscribe()
    await client.close()
    return due, seen
