"""Ingest running, with its neighbours."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from tests.ingest.installation import Neighbours
from tests.runtime.installation import provision
from tonetouch_agents.app import app as agents
from tonetouch_ingest.app import app
from tonetouch_runtime import Floor, Settings, running


@pytest.fixture(name="neighbours")
def _neighbours() -> Neighbours:
    return Neighbours()


@asynccontextmanager
async def neighbourhood(settings: Settings, neighbours: Neighbours) -> AsyncIterator[Settings]:
    """An installation in which everybody but ingest runs: agents as it is, the others as stand-ins."""
    await provision(settings)
    async with AsyncExitStack() as stack:
        for neighbour in (*neighbours.apps, agents):
            await stack.enter_async_context(running(neighbour, settings))
        yield settings


@pytest.fixture(name="provisioned")
async def _provisioned(neighbours: Neighbours, settings: Settings) -> AsyncIterator[Settings]:
    """An installation without ingest, for one test."""
    async with neighbourhood(settings, neighbours) as provisioned:
        yield provisioned


@pytest.fixture(name="floor")
async def _floor(provisioned: Settings) -> AsyncIterator[Floor]:
    """Ingest as it is."""
    async with running(app, provisioned) as floor:
        yield floor


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="shared_floor")
async def _shared_floor(
    settings_in: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Floor, Neighbours]]:
    """Ingest and its neighbours for all tests of a module: starting them costs more than what most tests do."""
    neighbours = Neighbours()
    async with (
        neighbourhood(settings_in(tmp_path_factory.mktemp("ingest")), neighbours) as settings,
        running(app, settings) as floor,
    ):
        yield floor, neighbours
