"""One installation with one library for all tests of the package; each test has listeners of its own."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from tests.recommend.lists.library import LIBRARY
from tests.recommend.saying import say
from tests.runtime.installation import provision
from tests.servers import NatsServer, ObjectStoreServer
from tonetouch_recommend.app import app
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_runtime import Floor, Settings, running


@pytest_asyncio.fixture(scope="package", loop_scope="package", name="library")
async def _library(
    s3: ObjectStoreServer, nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Floor]:
    """Recommend with the library in its indexes. Its tests run on the loop of the package."""
    settings = Settings(
        data=tmp_path_factory.mktemp("surfaces"),
        nats_url=nats_server.fresh_account(),
        s3_endpoint=s3.endpoint,
        s3_bucket=f"bucket-{uuid.uuid4().hex[:12]}",
        s3_access_key=SecretStr(s3.access_key),
        s3_secret_key=SecretStr(s3.secret_key),
        admin_token=SecretStr("token-of-the-tests"),
    )
    await provision(settings)
    async with running(app, settings) as floor:
        await floor.seen(await say(floor.log, *LIBRARY))
        await floor.get(Indexes).settled("track", 10.0)
        yield floor
