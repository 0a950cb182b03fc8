"""The service on real servers, provisioned and empty."""

from collections.abc import AsyncIterator

import pytest

from tests.runtime.installation import provision
from tonetouch_recommend.app import app
from tonetouch_runtime import Floor, Settings, running


@pytest.fixture(name="installed")
async def _installed(settings: Settings) -> Settings:
    await provision(settings)
    return settings


@pytest.fixture(name="floor")
async def _floor(installed: Settings) -> AsyncIterator[Floor]:
    async with running(app, installed) as floor:
        yield floor
