"""The gateway as a process: it starts with one clear sentence or not at all, and goes when it is told to."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tonetouch_runtime import Settings

from tests.gateway.standins import AUTHORIZED, TOKEN, Installation
from tests.gateway.test_watching import started
from tests.gateway.wire import request_head
from tests.runtime.installation import provision
from tests.servers import free_port


def environment(settings: Settings, **other: str) -> dict[str, str]:
    said = {
        "DATA": str(settings.data),
        "NATS_URL": settings.nats_url,
        "S3_ENDPOINT": settings.s3_endpoint,
        "S3_BUCKET": settings.s3_bucket,
        "S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "ADMIN_TOKEN": TOKEN,
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TONETOUCH_")}
    return inherited | {f"TONETOUCH_{name}": value for name, value in (said | other).items()}


@asynccontextmanager
async def gateway(settings: Settings, **other: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m tonetouch_gateway`, killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tonetouch_gateway",
        env=environment(settings, **other),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"ADMIN_TOKEN": ""}, "TONETOUCH_ADMIN_TOKEN is missing"),
        ({"HTTP_PORT": "{taken}"}, "set TONETOUCH_HTTP_PORT"),
        ({"HTTP_PORT": "many"}, "TONETOUCH_HTTP_PORT"),
    ],
)
async def test_it_refuses_to_start_with_one_clear_sentence(
    settings: Settings, other: dict[str, str], word: str
) -> None:
    """No token, a port that somebody else has, a setting that is none."""
    await provision(settings)
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = str(somebody.getsockname()[1])
        said = {name: value.format(taken=taken) for name, value in other.items()}
        async with gateway(settings, **said) as process, asyncio.timeout(60):
            _, errors = await process.communicate()
    last = errors.decode().strip().splitlines()[-1]
    assert last.startswith("gateway cannot start: ")
    assert word in last
    assert process.returncode != 0


@pytest.mark.asyncio(loop_scope="package")
async def test_told_to_stop_it_ends_its_streams_and_goes(installed: Installation) -> None:
    """A client that watches is let go at once; nobody has to wait for it."""
    settings, port = installed.gateway.settings, free_port()
    await installed.say(started("watched"))
    async with gateway(settings, HTTP_PORT=str(port)) as process, asyncio.timeout(60):
        reader, writer = await connected(port)
        writer.write(request_head("GET", "/api/v1/ingest/watched/events", AUTHORIZED))
        assert b" 200 " in await reader.readline()
        await reader.readuntil(b"ingest.started")
        told_at = asyncio.get_running_loop().time()
        process.send_signal(signal.SIGTERM)
        await reader.read()
        assert await process.wait() == 0
        assert asyncio.get_running_loop().time() - told_at < 10
        writer.close()


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection, as soon as somebody listens."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0.05)
