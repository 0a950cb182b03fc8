"""The engine over a Qdrant server keeps the promises: here against the local mode of Qdrant's own client.

No server can be installed from a package index, so none runs here: the client, its models and how they are answered are
real, the server and its graphs are not.
"""

from collections.abc import AsyncIterator

import pytest
from qdrant_client import AsyncQdrantClient

from tests.recommend.vectors.behaviour import VectorEngineBehaviour
from tonetouch_recommend.vectors.qdrant_server import QdrantServerEngine

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect", "ignore:Local mode performs exact")


@pytest.fixture(name="engine")
async def _engine() -> AsyncIterator[QdrantServerEngine]:
    """An engine over an empty Qdrant in memory."""
    engine = QdrantServerEngine(AsyncQdrantClient(":memory:"), prefix="test")
    yield engine
    await engine.close()


class TestQdrantServerEngine(VectorEngineBehaviour):
    """Every promise of a vector engine, in the words of Qdrant's API."""

    __test__ = True
