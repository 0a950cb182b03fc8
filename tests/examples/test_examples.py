"""The examples for other teams, each run as another team would: a program of its own, as the user who may only read."""

import ast
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.contracts.golden import CONTRACTS
from tests.deploy.tenants import furnish, visiting
from tests.javascript import EXAMPLE, installed, node
from tests.servers import NatsServer, Tenant
from tonetouch_contracts.envelope import Envelope
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.subjects import event_subject
from tonetouch_contracts.track import TrackPublished
from tonetouch_runtime import SystemClock

EXAMPLES = Path(__file__).parents[2] / "examples"
PYTHON = (sys.executable, str(EXAMPLES / "python/subscribe.py"))
JAVASCRIPT = ("node", str(EXAMPLE / "subscribe.mjs"))
SECONDS = 30.0


@pytest.fixture(name="home")
async def _home(nats_server: NatsServer) -> Tenant:
    home = nats_server.fresh_installation(readable=True)
    await furnish(home)
    return home


async def publish(home: Tenant, *titles: str) -> None:
    """Tracks of these titles come onto the shelf, as catalog says it."""
    clock = SystemClock()
    async with visiting(home, "catalog") as catalog:
        for title in titles:
            event = msgspec.structs.replace(published(), track_id=TrackId(clock.new_id()), title=title)
            headers = Envelope(
                id=clock.new_id(),
                type=event.wire_name(),
                source="/catalog/track",
                subject=event.track_id,
                time=clock.now().isoformat(),
            ).to_headers()
            await catalog.client.jetstream().publish(event_subject(event), msgspec.json.encode(event), headers=headers)


@dataclass
class Program:
    """A running example."""

    process: asyncio.subprocess.Process

    async def lines(self, count: int) -> list[Any]:
        """The next lines it prints, as JSON."""
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            return [msgspec.json.decode(await self.process.stdout.readline()) for _ in range(count)]


@asynccontextmanager
async def example(home: Tenant, *command: str) -> AsyncIterator[Program]:
    """An example that runs until the end of the block; it has nothing to complain about."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "TONETOUCH_READER": home.reader_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.terminate()
        complaints = (await process.communicate())[1].decode()
    assert complaints == ""


async def follows_and_goes_on(home: Tenant, *command: str, after: tuple[str, ...]) -> None:
    """What was said before and what is said now, in order; started again, from the place it is told."""
    await publish(home, "One", "Two")
    async with example(home, *command, "CATALOG", "track.published") as program:
        seen = await program.lines(2)
        await publish(home, "Three “quoted”")
        seen += await program.lines(1)
    titles = [(event["place"], event["data"]["title"]) for event in seen]
    assert titles == [(1, "One"), (2, "Two"), (3, "Three “quoted”")]
    assert {event["type"] for event in seen} == {"track.published"}
    assert all(event["subject"] == event["data"]["track_id"] and event["id"] and event["time"] for event in seen)
    async with example(home, *command, "CATALOG", "*.*", *after) as program:
        assert [event["place"] for event in await program.lines(1)] == [3]


async def test_a_subscriber_in_python(home: Tenant) -> None:
    """Plain nats-py, and nothing of ours."""
    await follows_and_goes_on(home, *PYTHON, after=("--after", "2"))


async def test_a_subscriber_in_javascript(home: Tenant) -> None:
    """The official client, in the version of the lock file."""
    if node() is None:
        pytest.skip("Node.js is not on this machine's path")
    await asyncio.to_thread(installed, EXAMPLE)
    await follows_and_goes_on(home, *JAVASCRIPT, after=("2",))


async def test_a_program_that_knows_only_the_contracts(home: Tenant) -> None:
    """It has typed events, and passes over what is said in a later form than it knows."""
    await publish(home, "Zither", "Alpha")
    async with visiting(home, "catalog") as catalog:
        headers = {
            "ce-specversion": "1.0",
            "ce-id": "x",
            "ce-type": "track.published-v9",
            "ce-source": "/catalog/track",
        }
        headers |= {"ce-subject": "x", "ce-time": "2026-01-01T00%3A00%3A00Z"}
        await catalog.client.jetstream().publish("track.published.x", b"{}", headers=headers)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / "contracts/tracks.py"),
        env={**os.environ, "TONETOUCH_READER": home.reader_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await asyncio.wait_for(process.communicate(), SECONDS)
    assert [line.split(" (")[0] for line in said.decode().splitlines()] == ["Alpha", "Zither"]
    assert complaints.decode().count("passed over") == complaints.decode().count("\n") == 1


@pytest.mark.parametrize(
    ("file", "ours"), [("python/subscribe.py", set()), ("contracts/tracks.py", {"tonetouch_contracts"})]
)
def test_an_example_needs_nothing_else_of_ours(file: str, ours: set[str]) -> None:
    """So that another team needs no checkout, or only the package of contracts."""
    tree = ast.walk(ast.parse((EXAMPLES / file).read_text(encoding="utf-8")))
    imported = {name for node in tree for name in _packages(node)}
    assert imported - set(sys.stdlib_module_names) == {"nats", *ours}


def _packages(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [(node.module or "").partition(".")[0]]
    return [alias.name.partition(".")[0] for alias in node.names] if isinstance(node, ast.Import) else []


def published() -> TrackPublished:
    """The sample of the event that is released with the contracts."""
    return msgspec.json.decode((CONTRACTS / "samples/events/track.published.json").read_bytes(), type=TrackPublished)
