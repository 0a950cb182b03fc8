"""The ledger on real servers, with each kind of tables."""

from collections.abc import AsyncIterator

import pytest

from tests.postgresql import _any_settings, _postgresql
from tests.runtime.installation import provision
from tonetouch_ai_ledger.app import app
from tonetouch_runtime import Floor, Settings, running

__all__ = ["_any_settings", "_postgresql"]


@pytest.fixture(name="floor")
async def _floor(any_settings: Settings) -> AsyncIterator[Floor]:
    """A running ledger."""
    await provision(any_settings)
    async with running(app, any_settings) as floor:
        yield floor
