"""One call for one question, across connections and processes, whoever dies."""

import asyncio
import os
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.runtime.ai.clients import (
    TEST,
    Connected,
    ask_singly,
    caches,
    connected,
    provision_ai,
    shut,
    the_same,
    until,
    until_started,
)
from tonetouch_contracts.manifest import AI_LEASES
from tonetouch_runtime import ManifestDiffers, Settings, Unavailable
from tonetouch_runtime.ai.leases import Leases
from tonetouch_runtime.provisioning import apply, check

SHORT_SECONDS = 1.5
"""For leases that are to run out while a test waits; the server takes none under a second."""

STEADY_SECONDS = 4.5
"""For a lease that is to be renewed while a test waits, by a process that may stall for three seconds."""


@pytest.fixture(name="client")
async def _client(settings: Settings) -> AsyncIterator[Connected]:
    await provision_ai(settings)
    async with connected(settings) as client:
        yield client


@asynccontextmanager
async def process_asking(
    settings: Settings, number: int, folder: Path, *, lease_seconds: float = 10.0
) -> AsyncIterator[Process]:
    """A client in a process of its own which asks the same question `number` times; killed at the end of the block."""
    environment = os.environ | {
        "TONETOUCH_NATS_URL": settings.nats_url,
        "TONETOUCH_S3_ENDPOINT": settings.s3_endpoint,
        "TONETOUCH_S3_BUCKET": settings.s3_bucket,
        "TONETOUCH_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "TONETOUCH_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.runtime.ai.clients",
        str(number),
        str(folder),
        str(lease_seconds),
        env=environment,
        stdout=PIPE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def line(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        return (await process.stdout.readline()).decode().strip()


async def test_two_clients_with_two_hundred_callers_make_one_call(client: Connected, settings: Settings) -> None:
    """On two connections: one row is a miss, 199 are shared, cost nothing and have the same answer."""
    async with connected(settings) as other:
        gate = threading.Event()
        client.provider.gate = other.provider.gate = shut(gate)
        asking = asyncio.gather(ask_singly(client.ai, 100), ask_singly(other.ai, 100))
        await until(lambda: client.provider.calls or other.provider.calls)
        gate.set()
        answers = [one for half in await asking for one in half]
        started, recorded = await client.rows()
        assert client.provider.calls + other.provider.calls == len(started) == 1
    assert len({row.job_id for row in recorded}) == len(recorded) == 200
    assert caches(recorded)["miss"] == 1
    assert caches(recorded)["miss"] + caches(recorded)["coalesced"] + caches(recorded)["exact_hit"] == 200
    assert {row.cost_pico_usd for row in recorded} == {0}
    assert len({answer.vector.tobytes() for answer in answers}) == 1


async def test_two_processes_with_two_hundred_callers_make_one_call(
    client: Connected, settings: Settings, tmp_path: Path
) -> None:
    """The same across processes: the one that has the lease asks, the other finds the answer."""
    async with process_asking(settings, 100, tmp_path) as one, process_asking(settings, 100, tmp_path) as other:
        assert [await line(one), await line(other)] == ["asking", "asking"]
        await until_started(client.bus)
        (tmp_path / "go").touch()
        said = sorted([await line(one), await line(other)])
    assert said == ["0 1 100", "1 1 100"]
    started, recorded = await client.rows()
    assert len(started) == caches(recorded)["miss"] == 1
    assert len({row.job_id for row in recorded}) == len(recorded) == 200
    assert {row.cost_pico_usd for row in recorded} == {0}


async def test_when_the_holder_is_killed_another_takes_over(
    client: Connected, settings: Settings, tmp_path: Path
) -> None:
    """Its lease runs out, and a waiter asks instead; the killed attempt stays without an end."""
    async with process_asking(settings, 1, tmp_path, lease_seconds=SHORT_SECONDS) as holder:
        assert await line(holder) == "asking"
        await until_started(client.bus)
        waiting = asyncio.create_task(client.ai.embed(the_same(), TEST))
        holder.kill()
        [found] = await waiting
    started, [row] = await client.rows()
    assert (found.cache, client.provider.calls) == ("miss", 1)
    assert len(started) == 2
    assert row.job_id == found.job_id == started[1].job_id


async def test_a_slow_holder_keeps_its_lease(client: Connected, settings: Settings) -> None:
    """It renews the lease for as long as it works: the other does not ask as well, however long that is."""
    async with connected(settings, lease_seconds=STEADY_SECONDS) as holder:
        gate = threading.Event()
        holder.provider.gate = shut(gate)
        slow = asyncio.create_task(holder.ai.embed(the_same(), TEST))
        await until(lambda: holder.provider.calls)
        waiting = asyncio.create_task(client.ai.embed(the_same(), TEST))
        # Each renewal comes a third of its life after the one before: without them it would have run out by the fourth.
        async with asyncio.timeout(20):
            while (await client.bus.jetstream.stream_info(AI_LEASES.name)).state.last_seq < 5:
                await asyncio.sleep(0.05)
        assert not waiting.done()
        gate.set()
        [held], [waited] = await asyncio.gather(slow, waiting)
    assert (held.cache, waited.cache, client.provider.calls) == ("miss", "coalesced", 0)


async def test_when_the_holder_fails_another_asks_at_once(client: Connected, settings: Settings) -> None:
    """A failure is not shared between processes: the lease is given back, and the next one tries for itself."""
    async with connected(settings, lease_seconds=600.0) as failing:
        gate = threading.Event()
        failing.provider.gate = shut(gate)
        failing.provider.failures = [RuntimeError("out of order")]
        first = asyncio.create_task(failing.ai.embed(the_same(), TEST))
        await until(lambda: failing.provider.calls)
        waiting = asyncio.create_task(client.ai.embed(the_same(), TEST))
        gate.set()
        with pytest.raises(RuntimeError):
            await first
        [found] = await waiting
    assert found.cache == "miss"
    _, recorded = await client.rows()
    assert [row.outcome for row in recorded] == ["failed", "succeeded"]


async def test_a_batch_asks_what_is_its_own_before_it_waits(client: Connected, settings: Settings) -> None:
    """Two that overlap never hold what the other waits for: what nobody else asks goes upstream at once."""
    async with connected(settings) as other:
        gate = threading.Event()
        client.provider.gate = shut(gate)
        first = asyncio.create_task(client.ai.embed(the_same(1, "shared"), TEST))
        await until(lambda: client.provider.calls)
        both = [*the_same(1, "shared"), *the_same(1, "its own")]
        second = asyncio.create_task(other.ai.embed(both, TEST))
        await until(lambda: other.provider.calls)
        assert other.provider.batches == [["its own"]]
        gate.set()
        [shared], found = await asyncio.gather(first, second)
    assert [one.cache for one in found] == ["coalesced", "miss"]
    assert found[0].vector.tobytes() == shared.vector.tobytes()
    assert other.provider.calls == 1


async def test_an_answered_question_stays_leased_for_a_while(client: Connected, settings: Settings) -> None:
    """Whoever looked for the answer a moment too early does not get the lease; nobody renews it, and it runs out."""
    async with connected(settings, lease_seconds=STEADY_SECONDS) as other:
        await other.ai.embed(the_same(), TEST)
        [started], _ = await client.rows()
        assert await Leases(client.bus, owner="tests").take(started.input_hash) is None
        async with asyncio.timeout(20):
            while (await client.bus.jetstream.stream_info(AI_LEASES.name)).state.messages:
                await asyncio.sleep(0.05)


async def test_a_lease_is_had_by_one(client: Connected) -> None:
    """While it is held nobody else gets it; given back, it can be taken at once."""
    leases = Leases(client.bus, owner="tests")
    first = await leases.take("a")
    assert first is not None
    assert await leases.take("a") is None
    await first.release()
    second = await leases.take("a")
    assert second is not None
    # Given back twice, it does not take the lease away from the next one.
    await first.release()
    assert await leases.take("a") is None
    second.leave()


async def test_a_lease_that_is_left_runs_out(client: Connected) -> None:
    """It holds on for what is left of its time, and then it is gone."""
    leases = Leases(client.bus, owner="tests", seconds=1.0)
    held = await leases.take("a")
    assert held is not None
    held.leave()
    assert await leases.take("a") is None
    async with asyncio.timeout(20):
        while (again := await leases.take("a")) is None:
            await asyncio.sleep(0.05)
    again.leave()


async def test_applying_twice_changes_nothing(client: Connected) -> None:
    """What the operator made is what the services find."""
    await check(client.bus.jetstream, (), (), ())
    assert await apply(client.bus.jetstream, (), (), ()) == []


async def test_without_the_stream_it_is_unavailable_and_no_service_starts(client: Connected) -> None:
    """Both in words: what is missing, and for the operator what to run."""
    await client.bus.jetstream.delete_stream(AI_LEASES.name)
    with pytest.raises(Unavailable, match="AI_LEASES"):
        await client.ai.embed(the_same(), TEST)
    with pytest.raises(ManifestDiffers, match="AI_LEASES"):
        await check(client.bus.jetstream, (), (), ())
