"""The engine over a Qdrant server keeps the promises: the client is Qdrant's own, the server is not.

We found the server in no package index, so none runs here. Behind a stand-in for its REST API, which reads all requests
with Qdrant's own models, the local mode of the client answers. Graphs, quantisation and replicas are untried.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from msgspec.structs import replace
from qdrant_client import AsyncQdrantClient, models

from tests.recommend.vectors.behaviour import EAST, NORTH, TRACKS, VectorEngineBehaviour
from tests.recommend.vectors.qdrant_rest import Failure, StandIn
from tonetouch_recommend.vectors.collection import (
    Is,
    NoneOf,
    OtherModelError,
    Point,
    UnfitQueryError,
    UnreachableError,
    VectorsError,
)
from tonetouch_recommend.vectors.qdrant_server import QdrantRefusedError, QdrantServerEngine

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect", "ignore:Local mode performs exact")

Opens = Callable[..., QdrantServerEngine]


@pytest.fixture(name="server")
def _server() -> StandIn:
    """A stand-in without collections."""
    return StandIn()


@pytest.fixture(name="opens")
async def _opens(server: StandIn) -> AsyncIterator[Opens]:
    """Opens engines over the stand-in, and closes them in the end."""
    opened = []

    def opens(*, prefix: str = "test", patience: float = 10.0, **client: str) -> QdrantServerEngine:
        opened.append(QdrantServerEngine(server.client(**client), prefix=prefix, patience_seconds=patience))
        return opened[-1]

    yield opens
    for engine in opened:
        await engine.close()


@pytest.fixture(name="engine")
def _engine(opens: Opens) -> QdrantServerEngine:
    """An engine over an empty server."""
    return opens()


class TestQdrantServerEngine(VectorEngineBehaviour):
    """Every promise of a vector engine, in the words of Qdrant's API."""

    __test__ = True


async def test_what_is_stored_is_found_by_the_next_process(opens: Opens) -> None:
    """Points, fields and model; another model is refused, and another prefix is another's."""
    grown = replace(TRACKS, fields={**TRACKS.fields, "year": "integer"})
    first, second, other = opens(), opens(), opens(prefix="other")
    await first.open(TRACKS)
    await first.upsert(TRACKS, [Point("east", EAST, {"region": "DE"})])
    await first.open(grown)
    with pytest.raises(OtherModelError, match="year"):
        await second.open(TRACKS)
    with pytest.raises(OtherModelError, match=r"letters-8.*numbers-8"):
        await second.open(replace(grown, model="numbers-8"))
    await second.open(grown)
    assert [point.payload for point in await second.get(grown, ["east"])] == [{"region": "DE"}]
    await other.open(TRACKS)
    assert await other.count(TRACKS) == 0


async def test_many_points_are_written_and_read(engine: QdrantServerEngine, server: StandIn) -> None:
    """In requests that a server takes: 64 points each."""
    await engine.open(TRACKS)
    await engine.upsert(TRACKS, [Point(f"p{at}", EAST + NORTH * at, {"explicit": at % 2}) for at in range(150)])
    assert server.requests.count("POST /collections/test-tracks/points/batch") == 3
    hits = await engine.query(TRACKS, EAST, limit=3, where=[NoneOf("explicit", (0,))], exclude=["p1"])
    assert [hit.id for hit in hits] == ["p3", "p5", "p7"]
    assert await engine.count(TRACKS, where=[Is("explicit", 1)]) == 75


@pytest.mark.parametrize(
    "failure", [Failure(503), Failure(500, done=True), Failure(429, retry_after=0)], ids=["away", "lost", "busy"]
)
async def test_what_may_pass_is_tried_again(opens: Opens, server: StandIn, failure: Failure) -> None:
    """Creating, writing and asking; also where the work was done and only the answer was lost."""
    engine = opens()
    server.failures = [None, failure]  # the second request creates it
    await engine.open(TRACKS)
    server.failures = [failure]
    await engine.upsert(TRACKS, [Point("east", EAST)])
    server.failures = [failure]
    assert [hit.id for hit in await engine.query(TRACKS, EAST, limit=5)] == ["east"]
    assert server.failures == []


async def test_four_that_create_the_same_collection_share_it(opens: Opens) -> None:
    """Who is told that it is there already goes on with that one."""
    engines = [opens() for _ in range(4)]
    await asyncio.gather(*(engine.open(TRACKS) for engine in engines))
    await engines[0].upsert(TRACKS, [Point("east", EAST)])
    assert [await engine.count(TRACKS) for engine in engines] == [1, 1, 1, 1]


async def test_patience_has_an_end(opens: Opens, server: StandIn) -> None:
    """And so has that of a server which says when to come again; a wrong key is refused at once."""
    engine = opens(patience=0.2)
    await engine.open(TRACKS)
    for failure, told in ((Failure(503), "503"), (Failure(429, retry_after=60), "planned")):
        server.failures = [failure] * 100
        with pytest.raises(UnreachableError, match=rf"a query of test-tracks was not answered within 0.2 s: .*{told}"):
            await engine.query(TRACKS, EAST, limit=1)
    server.failures = []
    with pytest.raises(QdrantRefusedError, match=r"401 .*Invalid API key") as refused:
        await opens(key="another-key").check()
    assert "another-key" not in repr(refused.value)


async def test_nobody_there_is_told_so() -> None:
    """A server that does not answer at all."""
    client = AsyncQdrantClient(url="http://127.0.0.1:9", check_compatibility=False)
    engine = QdrantServerEngine(client, prefix="test", patience_seconds=0.1)
    with pytest.raises(UnreachableError, match="ConnectError"):
        await engine.open(TRACKS)
    await engine.close()


async def test_a_collection_that_says_no_model_is_nobodys(engine: QdrantServerEngine, server: StandIn) -> None:
    """Made by somebody else, or kept by a server that is too old to say it."""
    vectors = models.VectorParams(size=8, distance=models.Distance.COSINE)
    await server.kept.create_collection("test-tracks", vectors_config=vectors)
    with pytest.raises(VectorsError, match=r"test-tracks does not say of which model.*1\.16"):
        await engine.open(TRACKS)


async def test_a_cursor_of_something_else_is_refused(engine: QdrantServerEngine) -> None:
    """A malformed cursor is the asker's mistake."""
    await engine.open(TRACKS)
    with pytest.raises(UnfitQueryError, match="cursor"):
        await engine.scroll(TRACKS, cursor="page-2")
