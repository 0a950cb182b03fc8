"""Parts of a service that stand still because an operator said so, until somebody says that they may go on.

It is written in the `state` database, so it outlives restarts; replicas look there every few seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from sqlalchemy import Column, MetaData, String, Table, Text, delete, select

from tonetouch_contracts.operating import PartKind, Paused
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._tables import Database, insert_into

log = structlog.get_logger()

paused = Table(
    "paused",
    MetaData(),
    Column("part", String(120), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("since", String(40), nullable=False),
    Column("operator", String(120), nullable=False),
    Column("reason", Text, nullable=False),
)
"""The parts that stand still, since when, and who wanted it."""

LOOK_SECONDS = 2.0
"""How soon a replica does what another one was told."""


class Gate:
    """What lets a part go on or holds it. It is open unless it is closed."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    @property
    def is_open(self) -> bool:
        """Whether what comes may pass."""
        return self._open.is_set()

    def close(self) -> None:
        """From now on nothing new passes."""
        self._open.clear()

    def open(self) -> None:
        """Who waits goes on."""
        self._open.set()

    async def passed(self) -> None:
        """Return when it is open."""
        await self._open.wait()


Follow = Callable[[str, bool], Awaitable[None]]
"""Lets a part stand still (True) or go on (False); it returns when that is so."""


class Pauses:
    """Which parts of this service stand still. `follow` makes it so, for one part at a time."""

    def __init__(self, state: Database, clock: Clock, follow: Follow) -> None:
        self._state = state
        self._clock = clock
        self._follow = follow
        self._looking = asyncio.Lock()
        state.create(paused)
        with state.engine.connect() as connection:
            self._found = {row.part: _told(row) for row in connection.execute(select(paused))}
        self._followed = set(self._found)

    @property
    def paused(self) -> dict[str, Paused]:
        """What stands still, by the name of the part."""
        return dict(self._found)

    async def pause(self, part: str, kind: PartKind, operator: str, reason: str) -> Paused:
        """Let a part stand still, here when this returns. One that does so already keeps its first reason."""
        row = {"part": part, "kind": kind, "since": stamp(self._clock.now()), "operator": operator, "reason": reason}
        await self._state.write(lambda made: made.execute(insert_into(made, paused).on_conflict_do_nothing(), row))
        await self._look()
        return self._found.get(part, Paused(part=part, kind=kind))  # by now somebody may have let it go on

    async def resume(self, part: str) -> None:
        """Let it go on."""
        await self._state.write(lambda connection: connection.execute(delete(paused).where(paused.c.part == part)))
        await self._look()

    async def watch(self) -> None:
        """Do as other replicas were told, for as long as the process lives."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
            except Exception as error:
                log.warning("pauses_not_followed", error=repr(error))

    async def _look(self) -> None:
        """Read what was told, to whichever replica, and do it: all of it, in one order, by one of us at a time."""
        async with self._looking:
            found = await self._state.read(lambda connection: connection.execute(select(paused)).all())
            self._found = {row.part: _told(row) for row in found}
            told = set(self._found)
            for part in sorted(told ^ self._followed):
                await self._follow(part, part in told)
                self._followed ^= {part}


def _told(row: Any) -> Paused:
    return Paused(**{name: getattr(row, name) for name in Paused.__struct_fields__})
