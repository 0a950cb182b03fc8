"""Ingest running, with its neighbours."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.ingest.installation import Neighbours
from tests.runtime.installation import provision
from tonetouch_agents.app import app as agents
from tonetouch_ingest.app import app
from tonetouch_runtime import Floor, Settings, running


@pytest.fixture(name="neighbours")
def _neighbours() -> Neighbours:
    return Neighbours()


@pytest.fixture(name="provisioned")
async def _provisioned(neighbours: Neighbours, settings: Settings) -> AsyncIterator[Settings]:
    """An installation in which everybody but ingest runs: agents as it is, the others as stand-ins."""
    await provision(settings)
    async with AsyncExitStack() as stack:
        for neighbour in (*neighbours.apps, agents):
            await stack.enter_async_context(running(neighbour, settings))
        yield settings


@pytest.fixture(name="floor")
async def _floor(provisioned: Settings) -> AsyncIterator[Floor]:
    """Ingest as it is."""
    async with running(app, provisioned) as floor:
        yield floor
