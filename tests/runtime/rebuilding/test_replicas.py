"""Two replicas of a service: whichever is asked, and whichever is killed, there is one rebuild and one outcome."""

import asyncio
from collections.abc import Callable

from tests.runtime.rebuilding.telling import CountRow, Running, ToldRow, ask, describe, over, rows
from tests.runtime.test_app import until
from tonetouch_contracts.operating import RebuildTables
from tonetouch_runtime import Floor


def stands_as(floor: Floor) -> str:
    return str(floor.tables.live(ToldRow).name)


async def test_all_replicas_change_over(running_service: Running) -> None:
    """The one that did not make the tables adopts them, keeps them, and counts nothing twice."""
    async with running_service() as one, running_service() as other:
        await describe(one, ("a", "first"), ("b", "first"))
        await ask(one, RebuildTables(operator="olga", table="test_told"))
        await over(one, "switched")
        await until(lambda: stands_as(one) == stands_as(other) == "test_told__2")
        for number in range(20):
            await describe(one if number % 2 else other, ("c", "later"))
        sequence = one.keepers["CATALOG"].position
        for floor in (one, other):
            await floor.seen({"CATALOG": sequence})
            assert await rows(floor, CountRow) == [("first", 2), ("later", 20)]


async def test_events_come_in_while_replicas_change_over(running_service: Running) -> None:
    """Again and again, under a stream that never rests."""
    async with running_service() as one, running_service() as other:
        said, is_over = 0, asyncio.Event()

        async def say(floor: Floor, track: Callable[[int], str]) -> int:
            number = 0
            while not is_over.is_set():
                number += 1
                await describe(floor, (track(number), "said"))
            return number

        saying = [asyncio.create_task(say(one, lambda n: f"a{n}")), asyncio.create_task(say(other, lambda n: f"b{n}"))]
        for number in range(2, 5):
            await ask(one, RebuildTables(operator="olga", table="test_told"))
            await until(lambda name=f"test_told__{number}": stands_as(one) == stands_as(other) == name)  # type: ignore[misc]
        is_over.set()
        said = sum(await asyncio.gather(*saying))
        for floor in (one, other):
            await floor.seen({"CATALOG": said})
            assert await rows(floor, CountRow) == [("said", said)]
            assert len(await rows(floor)) == said
