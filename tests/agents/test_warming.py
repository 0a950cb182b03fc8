"""The first request with a context goes alone."""

import asyncio

import pytest

from tonetouch_agents.warming import WARM_SECONDS, Warming


class Requests:
    """Requests under way, each ended by hand."""

    def __init__(self, warming: Warming) -> None:
        self.warming = warming
        self.under_way: list[asyncio.Event] = []

    async def make(self, context: str | None, *, fails: bool = False) -> None:
        async with self.warming.turn(context):
            self.under_way.append(ending := asyncio.Event())
            await ending.wait()
            if fails:
                raise ConnectionError

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


async def test_the_others_wait_for_the_first() -> None:
    """Then all of them go at once."""
    requests = Requests(Warming())
    tasks = [asyncio.create_task(requests.make("a")) for _ in range(5)]
    await requests.settle()
    assert len(requests.under_way) == 1
    requests.under_way[0].set()
    await requests.settle()
    assert len(requests.under_way) == 5
    for ending in requests.under_way:
        ending.set()
    await asyncio.gather(*tasks)


async def test_other_contexts_and_none_do_not_wait() -> None:
    """Only what would be written twice waits."""
    requests = Requests(Warming())
    tasks = [asyncio.create_task(requests.make(context)) for context in ("a", "b", None, None)]
    await requests.settle()
    assert len(requests.under_way) == 4
    for ending in requests.under_way:
        ending.set()
    await asyncio.gather(*tasks)


async def test_after_a_failure_the_next_one_goes_alone() -> None:
    """Nothing was kept then."""
    requests = Requests(Warming())
    first = asyncio.create_task(requests.make("a", fails=True))
    others = [asyncio.create_task(requests.make("a")) for _ in range(3)]
    await requests.settle()
    requests.under_way[0].set()
    with pytest.raises(ConnectionError):
        await first
    await requests.settle()
    assert len(requests.under_way) == 2
    requests.under_way[1].set()
    await requests.settle()
    for ending in requests.under_way:
        ending.set()
    await asyncio.gather(*others)


async def test_a_context_grows_cold_before_it_is_forgotten() -> None:
    """Then the next one goes alone again."""
    now = [0.0]
    requests = Requests(Warming(now=lambda: now[0]))
    first = asyncio.create_task(requests.make("a"))
    await requests.settle()
    requests.under_way[0].set()
    await first
    now[0] = WARM_SECONDS
    later = [asyncio.create_task(requests.make("a")) for _ in range(2)]
    await requests.settle()
    assert len(requests.under_way) == 2
    for ending in requests.under_way:
        ending.set()
    await requests.settle()
    for ending in requests.under_way:
        ending.set()
    await asyncio.gather(*later)
