"""Rebuilding: takes up what operators asked for, one read model after the other, and goes on after a kill.

What is asked for is a row beside the tables, so it does not matter which replica is asked, or is killed.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tonetouch_runtime._clock import stamp
from tonetouch_runtime._projecting import Projection
from tonetouch_runtime._router import Keeping
from tonetouch_runtime._standing import copy_of
from tonetouch_runtime._tables import Database, is_passing, positions, table_of
from tonetouch_runtime.errors import Unavailable
from tonetouch_runtime.rebuilding.alone import alone
from tonetouch_runtime.rebuilding.comparing import positions_of
from tonetouch_runtime.rebuilding.making import Ground, Making, OverError, drop
from tonetouch_runtime.rebuilding.rebuild import UNFINISHED, Rebuild, change, find, oldest_unfinished, rebuilds

log = structlog.get_logger()

LOOK_SECONDS = 2.0
"""How often a process looks whether another replica exchanged tables, or left a rebuild behind."""

_AGAIN_SECONDS = 1.0


class Rebuilding:
    """The activity of one process. `entries` are the read models that may be made anew."""

    def __init__(self, entries: Sequence[Keeping], ground: Ground) -> None:
        self.ground = ground
        self.entries: Mapping[str, Keeping] = {str(table_of(entry.model).name): entry for entry in entries}
        self._scratch: Database | None = None
        self._opening = asyncio.Lock()
        self._woken = asyncio.Event()
        ground.read.create(rebuilds)

    def wake(self) -> None:
        """Look now: something was asked for, or cancelled."""
        self._woken.set()

    async def scratch(self) -> Database:
        """The database of tables as they were."""
        async with self._opening:
            if self._scratch is None:
                opened = await asyncio.to_thread(Database.open, self.ground.settings, self.ground.service, "scratch")
                await asyncio.to_thread(opened.create, positions)
                self._scratch = opened
            return self._scratch

    async def database_of(self, rebuild: Rebuild) -> Database:
        """Where a rebuild makes its tables."""
        return await self.scratch() if rebuild.kind == "recall" else self.ground.read

    def projection_of(self, rebuild: Rebuild) -> Projection:
        """The tables that a rebuild makes."""
        return self._named(rebuild.table_name, rebuild.stands_as)

    async def run(self) -> None:
        """Work for as long as the process lives."""
        try:
            while True:
                try:
                    await self._follow_others()
                    await self._work()
                except Exception as error:
                    if not is_passing(error):
                        log.exception("rebuilding_failed")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), LOOK_SECONDS)
                self._woken.clear()
        finally:
            if self._scratch is not None:
                self._scratch.close()

    async def drop(self, rebuild: Rebuild, names: Sequence[str]) -> None:
        """Drop tables of this read model that do not answer: those a rebuild replaced, or its own."""
        await drop(self.ground, await self.database_of(rebuild), self._named(rebuild.table_name, names[0]))

    async def _work(self) -> None:
        if await self._next() is None:
            return
        async with alone(self.ground.read) as is_ours:
            while is_ours and (rebuild := await self._next()):
                await self._make(rebuild)

    async def _next(self) -> Rebuild | None:
        return await self.ground.read.read(oldest_unfinished)

    async def _make(self, rebuild: Rebuild) -> None:
        """Make it, until it is over, is cancelled by somebody, or this process ends."""
        making = asyncio.create_task(self._made(rebuild))
        try:
            while not making.done():
                woken = asyncio.create_task(self._woken.wait())
                await asyncio.wait({making, woken}, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                woken.cancel()
                self._woken.clear()
                if not making.done() and await self._is_cancelled(rebuild):
                    making.cancel()
                    await asyncio.wait({making})
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)

    async def _made(self, rebuild: Rebuild) -> None:
        entry = self.entries.get(rebuild.table_name)
        if entry is None:
            await self._end(rebuild, "the service keeps no such read model any more")
            return
        try:
            await self._take_up(rebuild)
            await Making(rebuild, entry, self.ground, await self.database_of(rebuild)).run()
        except OverError:
            log.info("rebuild_cancelled", table=rebuild.table_name, id=rebuild.id)
        except Exception as error:
            if isinstance(error, Unavailable) or is_passing(error):
                log.warning("rebuild_put_off", table=rebuild.table_name, id=rebuild.id, error=repr(error))
                with contextlib.suppress(DBAPIError):
                    await self._change(rebuild, problem=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                return
            log.exception("rebuild_failed", table=rebuild.table_name, id=rebuild.id)
            await self._end(rebuild, str(error) or repr(error))

    async def _take_up(self, rebuild: Rebuild) -> None:
        """Note from where and when on its speed is measured."""
        into = await self.database_of(rebuild)
        at = await into.read(lambda connection: positions_of(connection, rebuild.stands_as))
        began = {"began_at": time.time(), "began_with": sum(at.values())}
        await self._change(rebuild, **began)

    async def _end(self, rebuild: Rebuild, problem: str) -> None:
        await self._change(rebuild, phase="failed", problem=problem, ended_at=stamp(self.ground.clock.now()))

    async def _change(self, rebuild: Rebuild, **columns: Any) -> None:
        await self.ground.read.write(lambda to: change(to, rebuild.id, among=UNFINISHED, **columns))

    async def _is_cancelled(self, rebuild: Rebuild) -> bool:
        found = await self.ground.read.read(lambda connection: find(connection, rebuild.id))
        return found is None or found.phase == "cancelled"

    async def _follow_others(self) -> None:
        """Adopt the tables that another replica let stand."""
        tables, keepers = self.ground.tables, self.ground.keepers
        if not await asyncio.to_thread(tables.are_others):
            return
        async with contextlib.AsyncExitStack() as stack:
            for keeper in keepers.values():
                await stack.enter_async_context(keeper.turn)
            before = {name: tables.standing_for(table_of(entry.model)).name for name, entry in self.entries.items()}
            await asyncio.to_thread(tables.refresh)
            for name, old in before.items():
                if (new := tables.standing_for(table_of(self.entries[name].model)).name) != old:
                    await self._exchange(old, self._named(name, new))

    async def _exchange(self, old: str, successor: Projection) -> None:
        def at(connection: Connection) -> dict[str, int]:
            return positions_of(connection, successor.name)

        found = await self.ground.read.read(at)
        for stream in successor.streams:
            self.ground.keepers[stream].exchange(old, successor, found.get(stream, 0))
        log.info("tables_switched_elsewhere", table=old, stands_as=successor.name)

    def _named(self, declared: str, first: str) -> Projection:
        entry, ending = self.entries[declared], first.removeprefix(declared)
        tables = [table_of(model) for model in (entry.model, *entry.beside)]
        return entry.projection([copy_of(table, f"{table.name}{ending}") for table in tables])
