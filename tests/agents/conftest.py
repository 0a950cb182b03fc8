"""Agents on real servers: with the embedded writer alone, and with a model whose answers are planned."""

from collections.abc import AsyncIterator

import pytest

from tests.agents.planned import Model, planned_model
from tests.agents.texts import until
from tests.postgresql import _any_settings, _postgresql
from tests.runtime.installation import provision
from tonetouch_agents.app import app
from tonetouch_agents.refresh import Refresh, night_of
from tonetouch_runtime import Floor, Settings, running

__all__ = ["_any_settings", "_postgresql"]


async def night_is_over(floor: Floor) -> None:
    """Wait for the refresh that is due when a service starts: on an empty catalogue it has nothing to do."""
    night = night_of(floor.clock.now())

    async def completed() -> bool:
        return (await floor.log.load("AGENTS", night, Refresh())).state.completed is not None

    await until(completed)


@pytest.fixture(name="floor")
async def _floor(settings: Settings) -> AsyncIterator[Floor]:
    """Agents without an account: the embedded writer writes."""
    await provision(settings)
    async with running(app, settings) as floor:
        await night_is_over(floor)
        yield floor


@pytest.fixture(name="model")
async def _model() -> AsyncIterator[Model]:
    """A model whose answers are planned."""
    async with planned_model() as model:
        yield model


@pytest.fixture(name="modelled")
async def _modelled(settings: Settings, model: Model) -> AsyncIterator[Floor]:
    """Agents with that model as the only account."""
    settings.openai_base_url = model.address
    await provision(settings)
    async with running(app, settings) as floor:
        await night_is_over(floor)
        yield floor
