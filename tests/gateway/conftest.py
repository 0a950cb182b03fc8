"""An installation per test module would share its log; one per test costs a quarter of a second and shares nothing."""

from collections.abc import AsyncIterator

import pytest
from tonetouch_runtime import Settings

from tests.gateway.standins import Installation, installation


@pytest.fixture(name="installed")
async def _installed(settings: Settings) -> AsyncIterator[Installation]:
    """The gateway on a free port, with stand-ins for the services behind it."""
    async with installation(settings) as installed:
        yield installed
