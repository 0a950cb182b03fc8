"""Steps that call no model are accounted like calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from tests.runtime.ai.clients import Connected, connected, provision_ai
from tonetouch_runtime import Settings
from tonetouch_runtime.ai.accounting import MOST_ERROR_CHARACTERS, Step, in_words


@pytest.fixture(name="client")
async def _client(settings: Settings) -> AsyncIterator[Connected]:
    await provision_ai(settings)
    async with connected(settings) as client:
        yield client


def stepping(client: Connected, job_id: str | None = None) -> AbstractAsyncContextManager[Step]:
    return client.ai.step(
        type="analyse",
        feature="ingest.analyse",
        subject="track:1",
        model="listener@1",
        input_hash="0" * 64,
        job_id=job_id,
    )


async def test_a_step_is_started_before_and_recorded_after(client: Connected) -> None:
    """Both under the identity the caller gave; on this machine it costs nothing, and there are no tokens to know of."""
    async with stepping(client, "j-1") as step:
        during, ended = await client.rows()
        step.output_ref = "audio/1"
    assert (step.job_id, step.attempt) == ("j-1", 1)
    assert ([start.job_id for start in during], ended) == (["j-1"], [])
    _, [row] = await client.rows()
    assert (row.type, row.model, row.provider, row.gateway) == ("analyse", "listener@1", "local", None)
    assert (row.outcome, row.cache, row.output_ref, row.error) == ("succeeded", "miss", "audio/1", None)
    assert (row.cost_pico_usd, row.prompt_tokens, row.usage_source) == (0, None, "none")
    assert row.latency_ms is not None and row.latency_ms > 0
    assert row.started_at == during[0].started_at <= row.recorded_at


async def test_a_failing_step_is_recorded_and_its_error_passes_through(client: Connected) -> None:
    """The caller gets what was raised; the row says it in words."""
    broken = ValueError("a broken file")
    with pytest.raises(ValueError) as raised:
        async with stepping(client):
            raise broken
    assert raised.value is broken
    [start], [row] = await client.rows()
    assert (row.job_id, row.outcome, row.error) == (start.job_id, "failed", "ValueError: a broken file")


async def test_a_step_without_an_id_is_a_job_of_its_own(client: Connected) -> None:
    """Two steps have two ids."""
    for _ in range(2):
        async with stepping(client):
            pass
    _, recorded = await client.rows()
    assert len({row.job_id for row in recorded}) == 2


async def test_a_step_that_is_cancelled_has_no_end(client: Connected) -> None:
    """Nobody knows how it would have ended: the sweeper closes it."""
    inside = asyncio.Event()

    async def work() -> None:
        async with stepping(client):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    await asyncio.wait([task])
    started, recorded = await client.rows()
    assert (len(started), recorded) == (1, [])


def test_an_error_is_kept_short_and_a_private_one_by_its_kind() -> None:
    """A library may put a whole file into its message; a private input has no place in the ledger."""
    assert len(in_words(ValueError("x" * 100_000))) == MOST_ERROR_CHARACTERS
    assert in_words(ValueError("what I asked"), private=True) == "ValueError"
