"""One call through the AI client beside what it is made of, bare, in the same run.

    TONETOUCH_BENCH_CALLS=500 pytest -m bench tests/bench/bench_client.py -s

A call that nobody has asked before is two appends (its start and its end), a look for its answer (a GET), the request
itself, and keeping the answer (a PUT). The floor makes each of these by itself with the libraries alone: httpx,
nats-py, boto3 in a thread. The client takes a lease as well; its start overlaps the request, and its end is appended
when the answer is kept and given: how long until that is on the disk too is told beside it, and the next turn begins
only then. Cloud, log and store are processes of their own on this machine.
"""

import asyncio
import os
import re
import statistics
import time
from collections.abc import Awaitable, Callable
from importlib import resources
from pathlib import Path
from typing import Any

import boto3
import httpx
import msgspec
import nats
import pytest
from botocore.config import Config

from tests.cloud import CloudProcess, launched
from tests.cloud.models import LLAMA
from tests.runtime.ai.clients import connected, in_the_cloud_of
from tests.runtime.installation import provision
from tonetouch_contracts.envelope import Envelope
from tonetouch_runtime import Settings
from tonetouch_runtime._memory import settle_memory
from tonetouch_runtime.ai import Whose
from tonetouch_runtime.ai.composing import providers_of
from tonetouch_runtime.ai.tasks import Chat, Message

CALLS = int(os.environ.get("TONETOUCH_BENCH_CALLS", "300"))
WARM_UP = 30
MOST_OVERHEAD_MS = 0.5
BODY = b"x" * 1500
WHOSE = Whose(feature="bench", subject="bench", keep_input=False)


@pytest.mark.bench
@pytest.mark.timeout(900)
async def test_a_call_costs_little_more_than_its_parts(settings: Settings, tmp_path: Path) -> None:
    """At the median, at most half a millisecond beyond the sum of the medians of its bare parts."""
    await provision(settings)
    with launched(tmp_path) as cloud:
        cloud.change("limits", model=LLAMA, per_minute=None)
        parts, hit = await measure(with_a_high_limit(settings, tmp_path / "routing.toml"), cloud)
    p50 = {name: statistics.median(seconds[WARM_UP:]) * 1000 for name, seconds in parts.items()}
    floor = p50["request"] + 2 * p50["append"] + p50["put"] + p50["get"]
    for name, value in p50.items():
        print(f"\n{name:<8} p50 {value:6.2f} ms", end="")
    print(f"\nfloor    p50 {floor:6.2f} ms, overhead {p50['client'] - floor:+.2f} ms; asked again {hit:.2f} ms")
    assert p50["client"] <= floor + MOST_OVERHEAD_MS


def with_a_high_limit(settings: Settings, file: Path) -> Settings:
    """The packaged routes with limits that nobody waits for, but that are kept all the same."""
    packaged = resources.files("tonetouch_runtime.ai").joinpath("routing.toml").read_text("utf-8")
    file.write_text(re.sub(r"per_minute = [\d_]+", "per_minute = 60_000", packaged))
    return settings.model_copy(update={"ai_routes": file})


async def measure(settings: Settings, cloud: CloudProcess) -> tuple[dict[str, list[float]], float]:
    """Each part once in every turn, so that whatever disturbs the machine disturbs them alike."""
    account = cloud.account
    in_the_cloud = in_the_cloud_of(settings, account)
    store = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key.get_secret_value(),
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"),
    )
    url = f"{account['api_url']}/accounts/{account['id']}/ai/run/{LLAMA}"
    log = await nats.connect(settings.nats_url)
    jetstream = log.jetstream()
    async with (
        httpx.AsyncClient(headers={"authorization": f"Bearer {account['token']}"}) as bare,
        connected(in_the_cloud, providers=providers_of(in_the_cloud)) as client,
    ):

        async def request(turn: int) -> object:
            return (await bare.post(url, json={"messages": _messages(f"bare {turn}"), "max_tokens": 50})).json()

        async def append(turn: int) -> object:
            headers = Envelope(
                id=f"b-{turn}", type="job.started", source="/b", subject=f"b-{turn}", time="t"
            ).to_headers()
            return await jetstream.publish(f"job.started.b-{turn}", b"x" * 900, headers=headers)

        async def put(turn: int) -> object:
            key = f"ai/bare-{turn}"
            return await asyncio.to_thread(lambda: store.put_object(Bucket=settings.s3_bucket, Key=key, Body=BODY))

        async def get(turn: int) -> object:
            return await asyncio.to_thread(_missing, store, settings.s3_bucket, f"ai/missing-{turn}")

        async def ask(turn: int) -> object:
            return await client.ai.ask(_chat(f"ours {turn}"), WHOSE)

        ways: dict[str, Callable[[int], Awaitable[object]]] = {
            "request": request,
            "append": append,
            "put": put,
            "get": get,
            "client": ask,
        }
        parts: dict[str, list[float]] = {name: [] for name in (*ways, "recorded")}
        settle_memory()
        for turn in range(WARM_UP + CALLS):
            for name, way in ways.items():
                began = time.perf_counter()
                await way(turn)
                parts[name].append(time.perf_counter() - began)
            await client.ai.settled()
            parts["recorded"].append(time.perf_counter() - began)
        hits = []
        for turn in range(CALLS):
            began = time.perf_counter()
            await ask(turn)
            hits.append(time.perf_counter() - began)
    await log.close()
    return parts, statistics.median(hits) * 1000


def _chat(words: str) -> Chat:
    return Chat(messages=(Message("user", words),), max_tokens=50)


def _messages(words: str) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(message) for message in _chat(words).messages]


def _missing(store: Any, bucket: str, key: str) -> None:
    try:
        store.get_object(Bucket=bucket, Key=key)
    except store.exceptions.NoSuchKey:
        return
    raise AssertionError(f"{key} is there")
