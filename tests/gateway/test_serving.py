"""The gateway as a process: it starts with one clear sentence or not at all, and goes when it is told to."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.gateway.standins import AUTHORIZED, TOKEN, Installation, installation
from tests.gateway.test_watching import failed, started, watching
from tests.gateway.wire import FORM_TYPE, exchange, form, part, request_head
from tests.runtime.installation import provision
from tests.servers import ObjectStoreServer, free_port, nats_server
from tonetouch_gateway.app import app
from tonetouch_gateway.serving import Door
from tonetouch_runtime import Objects, Settings, running


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


async def test_it_refuses_to_start_where_its_port_is_taken(settings: Settings) -> None:
    """With one clear sentence that names the setting, and the exit status of a configuration error."""
    await provision(settings)
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = str(somebody.getsockname()[1])
        async with gateway(settings, HTTP_PORT=taken) as process, asyncio.timeout(60):
            _, errors = await process.communicate()
    last = errors.decode().strip().splitlines()[-1]
    assert last.startswith(f"gateway cannot start: port {taken}")
    assert last.endswith("set TONETOUCH_HTTP_PORT")
    assert process.returncode == 78


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
        process.send_signal(signal.SIGTERM)
        # The last chunk of a whole answer: one that had to be cut off at the end of the grace has none.
        assert (await reader.read()).endswith(b"0\r\n\r\n")
        assert await process.wait() == 0
        writer.close()


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection, as soon as somebody listens."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0.05)


async def test_stopped_in_the_middle_of_an_upload_it_leaves_nothing(
    settings: Settings, s3: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client has no answer and will send it again; what was stored of it is taken back."""
    monkeypatch.setattr("tonetouch_gateway.serving.GRACE_SECONDS", 1)
    settings.http_port = 0
    await provision(settings)
    async with asyncio.timeout(60):
        async with running(app, settings) as floor:
            _, writer = await connected(floor.get(Door).port)
            headers = {**AUTHORIZED, "content-type": FORM_TYPE, "content-length": str(30 << 20)}
            writer.write(request_head("POST", "/api/v1/tracks", headers))
            writer.write(form(part("file", bytes(20 << 20), filename="a.mp3"))[: 20 << 20])
            await writer.drain()
            while not s3.leftovers():
                await asyncio.sleep(0.01)
        writer.close()
    assert s3.leftovers() == []
    async with Objects(settings.object_store) as objects:
        assert [facts.key async for facts in objects.list()] == []


async def test_a_bus_that_is_away_is_said_and_waited_for(settings: Settings, tmp_path: Path) -> None:
    """Meanwhile every answer is a problem that says when to come back; a stream goes on where it stopped."""
    with nats_server(tmp_path / "nats") as bus:
        settings.nats_url, settings.nats_user = bus.url, ""
        async with installation(settings) as installed, asyncio.timeout(110):
            await installed.say(started("t"))
            async with watching(installed, "t") as told:
                assert (await anext(told)).name == "ingest.started"
                bus.kill()
                while (away := await installed.client.get("/api/v1/tracks")).status_code == 200:
                    await asyncio.sleep(0.05)
                assert (away.status_code, away.json()["code"]) == (503, "unavailable")
                assert away.headers["retry-after"]
                assert (await installed.client.get("/readyz")).status_code == 503
                assert (await installed.client.get("/healthz")).status_code == 200
                bus.restart()
                while (await installed.client.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.1)
                await installed.say(failed("t"))
                assert [event.name async for event in told] == ["ingest.failed"]


@pytest.mark.soak
@pytest.mark.bench
@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
async def test_five_hundred_megabytes_cost_less_than_64_of_memory(installed: Installation) -> None:
    """The whole gateway in a process of its own, from its start to the 202."""
    port = free_port()

    async def body() -> AsyncIterator[bytes]:
        whole = form(part("file", b"", filename="big.wav"))
        end = whole.rindex(b"\r\n--")
        yield whole[:end]
        for _ in range(8000):
            yield bytes(62_500)
        yield whole[end:]

    async with gateway(installed.gateway.settings, HTTP_PORT=str(port)) as process, asyncio.timeout(300):
        (await connected(port))[1].close()
        before = _peak_memory_bytes(process.pid)
        headers = {**AUTHORIZED, "content-type": FORM_TYPE}
        reply = await exchange(port, "POST", "/api/v1/tracks", headers=headers, body=body())
        growth = _peak_memory_bytes(process.pid) - before
    assert reply.status == 202
    print(f"peak memory grew by {growth / 1e6:.1f} MB")
    assert growth < 64_000_000


def _peak_memory_bytes(pid: int) -> int:
    """The most memory a process has held at any time (VmHWM, the high-water mark of its resident set)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024
