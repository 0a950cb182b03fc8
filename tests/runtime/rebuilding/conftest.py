"""The small service in installations of its own, once with each kind of tables."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.postgresql import _any_settings, _postgresql  # noqa: F401
from tests.runtime.installation import provision
from tests.runtime.rebuilding.telling import APP, Running, broken
from tonetouch_runtime import Floor, Settings, running


@pytest.fixture(name="running_service")
async def _running_service(any_settings: Settings) -> AsyncIterator[Running]:
    """Runs the service in an installation of its own, as often as one likes."""
    await provision(any_settings)

    @asynccontextmanager
    async def service() -> AsyncIterator[Floor]:
        async with running(APP, any_settings) as floor:
            yield floor

    yield service
    broken.clear()


@pytest.fixture(name="floor")
async def _floor(running_service: Running) -> AsyncIterator[Floor]:
    async with running_service() as floor:
        yield floor
