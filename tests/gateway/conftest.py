"""One installation for all tests of the package: starting five services costs seconds, asking them milliseconds."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from tests.gateway.standins import TOKEN, Installation, installation
from tests.servers import NatsServer, ObjectStoreServer
from tonetouch_runtime import Settings


@pytest_asyncio.fixture(scope="package", loop_scope="package", name="shared_installation")
async def _shared(
    s3: ObjectStoreServer, nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    settings = Settings(
        data=tmp_path_factory.mktemp("gateway"),
        nats_url=nats_server.fresh_account(),
        s3_endpoint=s3.endpoint,
        s3_bucket=f"bucket-{uuid.uuid4().hex[:12]}",
        s3_access_key=SecretStr(s3.access_key),
        s3_secret_key=SecretStr(s3.secret_key),
        admin_token=SecretStr(TOKEN),
    )
    async with installation(settings) as shared:
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
