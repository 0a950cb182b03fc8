"""The simulated cloud as pytest fixtures."""

from collections.abc import Iterator

import pytest

from tests.cloud.account import Account
from tests.cloud.serving import Simulator, simulator


@pytest.fixture(scope="session", name="cloud_simulator")
def _cloud_simulator() -> Iterator[Simulator]:
    """The simulator of this run."""
    with simulator() as running:
        yield running


@pytest.fixture(name="cloud")
def _cloud(cloud_simulator: Simulator) -> Account:
    """An account of its own in the simulated cloud."""
    return cloud_simulator.account()
