"""Three NATS nodes, every stream on all of them: what holds on one server holds there, also while a node is dead.

Run by ``just soak tests/cluster``; each stream is a group of three that elects its own leader.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import nats.errors
import nats.js.errors
import pytest

from tests.cluster.nodes import Cluster, Node, cluster, wait_for
from tests.runtime.test_log import Counted, decision, rejected
from tonetouch_contracts import manifest
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import TrackDescribed
from tonetouch_runtime import Bus, ConflictError, Log, SystemClock
from tonetouch_runtime.provisioning import apply, check

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

ROUNDS = 60


@pytest.fixture(scope="module", name="nodes")
def _nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the streams and consumers of the manifest, three of each."""
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        for node in running.nodes.values():
            wait_for(node)
        asyncio.run(provision(running))
        yield running


async def provision(running: Cluster) -> None:
    bus = await Bus.connect(running.urls[0], "operator")
    await until(lambda: applied(bus), 60.0)
    await bus.close()


async def applied(bus: Bus) -> bool:
    """Whether the manifest was applied whole; before the nodes have elected a leader none of it can be."""
    try:
        await apply(bus.jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS, replicas=3)
    except (TimeoutError, nats.errors.Error, nats.js.errors.Error):
        return False
    return True


@pytest.fixture(name="buses")
async def _buses(nodes: Cluster) -> AsyncIterator[list[Bus]]:
    """A connection by way of each node."""
    buses = [await Bus.connect(url, f"writer-{place}") for place, url in enumerate(nodes.urls)]
    yield buses
    for bus in buses:
        await bus.close()


def log_on(bus: Bus) -> Log:
    return Log(bus, SystemClock(), service="test", settle_seconds=60.0)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_every_stream_is_on_three_nodes(buses: list[Bus]) -> None:
    """The manifest applies to a cluster as to one server, and a service would start on it."""
    await check(buses[0].jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
    for stream in manifest.STREAMS:
        info = await buses[0].jetstream.stream_info(stream.name)
        assert info.config.num_replicas == 3
        assert info.cluster is not None
        assert len(info.cluster.replicas or ()) == 2


async def test_two_writers_race_on_one_entity_and_one_wins_each_round(buses: list[Bus]) -> None:
    """Through different nodes, both expecting the entity as it is: no event is lost, and none is let in beside it."""
    logs, version = [log_on(bus) for bus in buses[:2]], 0
    for number in range(ROUNDS):
        appends = (
            log.append(decision(rejected("race", f"{place} {number}"), version)) for place, log in enumerate(logs)
        )
        results = await asyncio.gather(*appends, return_exceptions=True)
        won = [result["CATALOG"] for result in results if isinstance(result, dict)]
        assert len(won) == 1, results
        assert sum(isinstance(result, ConflictError) for result in results) == 1, results
        version = won[0]
    history = await log_on(buses[2]).history("CATALOG", "race")
    assert len(history) == ROUNDS
    assert [str(one.event.reason).split()[1] for one in history] == list(map(str, range(ROUNDS)))  # type: ignore[attr-defined]


async def test_decisions_of_many_through_all_nodes_are_in_one_order(buses: list[Bus]) -> None:
    """Each decides on what all before it have decided, whichever node it went through."""

    def describe(state: Counted) -> Event:
        return TrackDescribed(track_id=TrackId("many"), about=str(len(state.seen)), job_id="j")

    async def decide(log: Log) -> None:
        for _ in range(10):
            await log.transact("CATALOG", "many", Counted(), describe)

    await asyncio.gather(*(decide(log_on(bus)) for bus in buses))
    told = [one.event.about for one in await log_on(buses[0]).history("CATALOG", "many")]  # type: ignore[attr-defined]
    assert told == [str(number) for number in range(30)]


@pytest.mark.parametrize("of", ["the leader", "a follower"])
async def test_a_node_is_killed_and_comes_back(nodes: Cluster, buses: list[Bus], of: str) -> None:
    """Appending goes on meanwhile; nothing acknowledged is lost or there twice, and the node catches up."""
    entity = f"killed-{of.split()[1]}"
    victim = await node_of(nodes, buses[0], is_leader=of == "the leader")
    acknowledged: list[str] = []
    enough = asyncio.Event()

    async def write(place: int) -> None:
        log = log_on(buses[place])
        while not enough.is_set():
            name = f"{place} {len(acknowledged)}"
            await log.append(decision(rejected(f"{entity}-{place}", name), None))
            acknowledged.append(name)

    async def wrote_on(count: int) -> None:
        wanted = len(acknowledged) + count

        async def did() -> bool:
            return len(acknowledged) >= wanted

        await until(did)

    writers = [asyncio.create_task(write(place)) for place in range(3)]
    try:
        await wrote_on(20)
        victim.kill()
        await wrote_on(60)
        victim.start()
        await wrote_on(20)
    finally:
        enough.set()
        await asyncio.gather(*writers)
    log = log_on(buses[0])
    history = [one for place in range(3) for one in await log.history("CATALOG", f"{entity}-{place}")]
    kept = Counter(one.event.reason for one in history)  # type: ignore[attr-defined]
    assert set(acknowledged) == set(kept)
    assert set(kept.values()) == {1}
    await until(lambda: all_are_current(buses))


async def node_of(nodes: Cluster, bus: Bus, *, is_leader: bool) -> Node:
    """The node that leads the catalogue's stream, or one that follows."""
    info: Any = await bus.jetstream.stream_info("CATALOG")
    names = [name for name in nodes.nodes if (name == info.cluster.leader) is is_leader]
    return nodes.nodes[names[0]]


async def all_are_current(buses: list[Bus]) -> bool:
    """Whether every replica of the catalogue's stream has all of it."""
    with suppress(TimeoutError, nats.errors.Error, nats.js.errors.Error):
        info: Any = await buses[0].jetstream.stream_info("CATALOG")
        return len(info.cluster.replicas) == 2 and all(one.current and not one.offline for one in info.cluster.replicas)
    return False
