"""One installation for all tests of the package: starting five services costs seconds, asking them milliseconds."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.gateway.standins import Installation, installation
from tonetouch_runtime import Settings


@pytest_asyncio.fixture(scope="package", loop_scope="package", name="shared_installation")
async def _shared(
    settings_in: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    async with installation(settings_in(tmp_path_factory.mktemp("gateway"))) as shared:
        yield shared


@pytest_asyncio.fixture(loop_scope="package", name="installed")
async def _installed(shared_installation: Installation) -> AsyncIterator[Installation]:
    """The gateway on a free port, with stand-ins behind it that know nothing yet, and an empty store.

    Its tests run on the loop of the package: ``pytestmark = pytest.mark.asyncio(loop_scope="package")``.
    """
    yield shared_installation
    shared_installation.services.forget()
    objects = shared_installation.gateway.objects
    for key in [facts.key async for facts in objects.list()]:
        await objects.delete(key)
