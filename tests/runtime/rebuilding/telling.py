"""A small service that keeps what is said about tracks, and how often: a sum shows every event applied twice."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from sqlalchemy import inspect, select
from sqlmodel import Field, SQLModel

from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Command
from tonetouch_contracts.operating import ListRebuilds, TablesRebuild
from tonetouch_contracts.track import TrackDescribed
from tonetouch_runtime import App, Decision, Floor, Recorded, Router, Writer
from tonetouch_runtime.rebuilding.making import Making

Running = Callable[[], AbstractAsyncContextManager[Floor]]

SLOW = "TONETOUCH_TESTS_SECONDS_AN_EVENT"
"""How long an event takes that goes into a table made anew, so that somebody can be killed meanwhile."""


class ToldRow(SQLModel, table=True):
    """What was last said about a track, and how often anything was."""

    __tablename__ = "test_told"
    id: str = Field(primary_key=True)
    about: str | None = Field(default=None, index=True)


class CountRow(SQLModel, table=True):
    """How often each text was said: a sum, which shows every event that is applied twice or not at all."""

    __tablename__ = "test_told_counts"
    about: str = Field(primary_key=True)
    times: int | None = None


router = Router()


@router.keeps(ToldRow, CountRow, hears=(TrackDescribed,))
def keep(facts: Sequence[Recorded[Any]], told: Writer, counts: Writer) -> None:
    for fact in facts:
        if told.table.name != "test_told":
            time.sleep(float(os.environ.get(SLOW, "0")))
        if fact.event.about in broken:
            raise ValueError("a bug")
        told.upsert([{"id": fact.event.track_id, "about": fact.event.about}])
        counts.add([{"about": fact.event.about, "times": 1}])


broken: set[str] = set()
"""Texts that the projection cannot take just now."""

APP = App(name="catalog", routers=(router,))


async def describe(floor: Floor, *said: tuple[str, str]) -> None:
    """Say something about tracks, and wait until the tables show it."""
    for track, about in said:
        event = TrackDescribed(track_id=TrackId(track), about=about, job_id="j")
        positions = await floor.log.append(Decision(entity_id=track, events=(event,), expected=None))
    await floor.seen(positions)


async def ask(floor: Floor, command: Command[Any]) -> Any:
    return (await floor.bus.ask(command, service="catalog")).value


async def the_last(floor: Floor) -> TablesRebuild:
    return (await ask(floor, ListRebuilds())).rebuilds[0]  # type: ignore[no-any-return]


async def over(floor: Floor, *phases: str) -> TablesRebuild:
    """The last rebuild, once it is in one of these phases."""
    async with asyncio.timeout(60):
        while (found := await the_last(floor)).phase not in phases:
            assert found.phase not in ("failed", "cancelled"), found.problem
            await asyncio.sleep(0.02)
    return found


async def rows(floor: Floor, model: type[SQLModel] = ToldRow) -> list[tuple[Any, ...]]:
    table = floor.tables.live(model)
    return [tuple(row.values()) for row in await floor.tables.all(select(table).order_by(*table.primary_key))]


def there(floor: Floor, name: str) -> bool:
    return inspect(floor.read.engine).has_table(name, schema=floor.read.schema)


class Holding:
    """A rebuild that is held at a step until it is released."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._go = asyncio.Event()

    async def is_reached(self, floor: Floor) -> None:
        """Wait until the rebuild is there."""
        try:
            await asyncio.wait_for(self.reached.wait(), 30)
        except TimeoutError:
            raise AssertionError(f"it is {await the_last(floor)}") from None

    def release(self) -> None:
        self._go.set()

    async def here(self) -> None:
        self.reached.set()
        await self._go.wait()


def hold(floor: Floor, monkeypatch: pytest.MonkeyPatch, phase: str = "filling") -> Holding:
    """Hold the next rebuild as it enters a phase."""
    holding, enter = Holding(), Making._enter

    async def held(making: Making, entered: str, **columns: Any) -> None:
        await enter(making, entered, **columns)
        if entered == phase and not holding.reached.is_set():
            await holding.here()

    monkeypatch.setattr(Making, "_enter", held)
    return holding
