"""The small service, running."""

from collections.abc import AsyncIterator

import pytest

from tests.runtime.installation import provision
from tests.runtime.operating.deeds import Deeds
from tonetouch_runtime import Floor, Settings, running


@pytest.fixture(name="deeds")
def _deeds(monkeypatch: pytest.MonkeyPatch) -> Deeds:
    """Handlers that fail are given up soon."""
    monkeypatch.setattr("tonetouch_runtime._hearing.FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr("tonetouch_runtime._hearing.ATTEMPTS", 2)
    return Deeds()


@pytest.fixture(name="floor")
async def _floor(deeds: Deeds, settings: Settings) -> AsyncIterator[Floor]:
    await provision(settings)
    async with running(deeds.app, settings) as floor:
        yield floor
