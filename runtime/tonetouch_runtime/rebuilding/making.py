"""One rebuild, from its first event to the moment its tables stand: fill, index, follow, compare, switch.

Every step can be killed and done again: what is there already is left as it is. From the moment the new tables follow,
both move in the same transactions, so that they can be compared at leisure and exchanged in one step.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Connection, Table, delete, update
from sqlalchemy.schema import CreateTable

from tonetouch_contracts.message import Positions
from tonetouch_contracts.operating import TableComparison
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._clock import Clock, stamp
from tonetouch_runtime._keeping import Keeper
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._projecting import Projection
from tonetouch_runtime._router import Keeping
from tonetouch_runtime._standing import Tables, copy_of, let_stand
from tonetouch_runtime._tables import Database, insert_into, positions, table_of
from tonetouch_runtime.errors import TonetouchError
from tonetouch_runtime.rebuilding.apart import Filling, fill_apart
from tonetouch_runtime.rebuilding.comparing import compare, positions_of
from tonetouch_runtime.rebuilding.filling import BESIDE, Filler
from tonetouch_runtime.rebuilding.rebuild import UNFINISHED, Rebuild, change
from tonetouch_runtime.settings import Settings

log = structlog.get_logger()

APART_FROM = 20_000
"""Events from which on a process of its own fills: it takes a second to start."""

_LOOKS, _PAUSE_SECONDS = 100, 0.05


class OverError(TonetouchError):
    """Somebody cancelled it."""


class NotComparableError(TonetouchError):
    """The new tables and the live ones were never at one place."""


@dataclass(frozen=True)
class Ground:
    """What a rebuild stands on: the service's own parts."""

    service: str
    settings: Settings
    bus: Bus
    read: Database
    lot: Lot
    tables: Tables
    keepers: Mapping[str, Keeper]
    clock: Clock
    apart_from: int = APART_FROM
    switching: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from when tables are replaced until this process asks their successors."""


class Making:
    """The making of one read model anew. `into` is where its tables are made: among the live ones, or in a scratch."""

    def __init__(self, rebuild: Rebuild, entry: Keeping, ground: Ground, into: Database) -> None:
        self._rebuild = rebuild
        self._entry = entry
        self._ground = ground
        self._into = into
        self._declared = [table_of(model) for model in (entry.model, *entry.beside)]
        self._anew = entry.projection([copy_of(table, rebuild.name_of(table.name)) for table in self._declared])
        self._streams = sorted(self._anew.streams)

    async def run(self) -> None:
        """Do what is left of it. Raises StoppedError for an event that breaks it, OverError where it was cancelled."""
        if await asyncio.to_thread(self._into.drop_if_changed, *tables_of(self._anew)):
            log.warning("rebuild_begins_anew", table=self._anew.name, reason="its columns are not the declared ones")
        await self._into.write(self._begin)
        await self._enter("filling")
        await self._fill(self._rebuild.until or await self._live_positions())
        await self._enter("indexing")
        for index in (index for table in tables_of(self._anew) for index in table.indexes):
            await self._into.write(lambda to, index=index: index.create(to, checkfirst=True))  # type: ignore[misc]
        if self._rebuild.kind == "recall":
            await self._enter("recalled", ended_at=self._now())
            return
        async with self._following():
            await self._enter("comparing")
            found = await self._compare()
            if self._rebuild.kind == "rebuild" and self._is_to_switch(found):
                await self._switch(found)
                return
        if self._rebuild.kind == "verify":
            await drop(self._ground, self._into, self._anew)
        phase = "verified" if self._rebuild.kind == "verify" else "compared"
        kept = self._rebuild.kind != "verify"
        await self._enter(phase, comparisons=found, ended_at=self._now(), kept=kept)

    def _begin(self, connection: Connection) -> None:
        """Tables without their indexes: these are made in one go when the rows are there."""
        for table in tables_of(self._anew):
            connection.execute(CreateTable(table, if_not_exists=True))
        for stream in self._streams:
            row = {"table_name": self._anew.name, "stream": stream, "position": 0}
            connection.execute(insert_into(connection, positions).on_conflict_do_nothing(), row)

    async def _fill(self, goals: Positions) -> None:
        """Read up to these places: here what is little, the rest in a process of its own."""
        at, live = await self._positions(), str(self._live.name)
        left = {stream: goal for stream, goal in goals.items() if at.get(stream, 0) < goal}
        if sum(goal - at.get(stream, 0) for stream, goal in left.items()) >= self._ground.apart_from:
            filling = Filling(
                settings=self._ground.settings,
                service=self._ground.service,
                database="scratch" if self._rebuild.kind == "recall" else "read",
                entry=self._entry,
                names=[str(table.name) for table in tables_of(self._anew)],
                live=live,
                goals=left,
            )
            if await fill_apart(filling):
                return
        for stream, goal in left.items():
            filler = Filler(self._ground.bus, stream, self._anew, self._into, self._ground.lot, live=live)
            await filler.fill(goal, BESIDE)

    @asynccontextmanager
    async def _following(self) -> AsyncIterator[None]:
        """From here on the keepers keep the new tables as well; those that did not go live are left again."""
        try:
            for keeper in self._keepers:
                if self._live.name in keeper.still:
                    raise NotComparableError(f"{self._live.name} is paused, and stays behind: resume it first")
                await self._fill({keeper.stream: keeper.furthest})
                async with keeper.turn:
                    # The few events that came meanwhile.
                    await self._fill({keeper.stream: keeper.furthest})
                    await keeper.adopt(self._anew, (await self._positions())[keeper.stream])
            yield
        finally:
            if self._live.name != self._anew.name:
                for keeper in self._keepers:
                    await keeper.put_out(self._anew.name)

    async def _compare(self) -> tuple[TableComparison, ...]:
        live = [self._ground.tables.standing_for(table) for table in self._declared]
        for _ in range(_LOOKS):
            if (found := await compare(self._ground.read, live, tables_of(self._anew), self._streams)) is not None:
                return found
            await asyncio.sleep(_PAUSE_SECONDS)
        raise NotComparableError(f"{self._live.name} does not come to where {self._anew.name} is: is it paused?")

    def _is_to_switch(self, found: Sequence[TableComparison]) -> bool:
        same = not any(one.missing or one.extra or one.different for one in found)
        return self._rebuild.switch == "always" or (self._rebuild.switch == "same" and same)

    async def _switch(self, found: tuple[TableComparison, ...]) -> None:
        """Let the new tables stand, in one transaction, while no keeper of this process is at work."""
        before = self._live
        for _ in range(_LOOKS):
            async with AsyncExitStack() as stack:
                for keeper in self._keepers:
                    await stack.enter_async_context(keeper.turn)
                # Another replica may have kept the live tables a little further than this one has both.
                await self._fill(await self._live_positions())
                await stack.enter_async_context(self._ground.switching)
                at = await self._ground.read.write(lambda connection: self._let_stand(connection, found))
                if at is not None:
                    await asyncio.to_thread(self._ground.tables.refresh)
                    for keeper in self._keepers:
                        keeper.exchange(before.name, self._anew, at[keeper.stream])
                    log.info("tables_switched", table=before.name, stands_as=self._anew.name)
                    return
            await asyncio.sleep(_PAUSE_SECONDS)
        raise NotComparableError(f"{before.name} is always ahead of {self._anew.name}")

    def _let_stand(self, connection: Connection, found: tuple[TableComparison, ...]) -> Positions | None:
        live, names = self._live, [str(table.name) for table in tables_of(self._anew)]
        both = positions.c.table_name.in_([live.name, self._anew.name])
        # Another replica that keeps the live tables waits here until they are replaced.
        connection.execute(update(positions).where(both).values(position=positions.c.position))
        before, at = positions_of(connection, live.name), positions_of(connection, self._anew.name)
        if any(at[stream] < before[stream] for stream in self._streams):
            return None
        replaced = [str(self._ground.tables.standing_for(table).name) for table in self._declared]
        let_stand(connection, self._declared, names)
        told = {"comparisons": found, "replaced": replaced, "kept": False, "ended_at": self._now()}
        count = sum(at[stream] for stream in self._streams)
        if not change(
            connection, self._rebuild.id, among=UNFINISHED, phase="switched", done=count, total=count, **told
        ):
            raise OverError(self._rebuild.id)
        return at

    @property
    def _keepers(self) -> list[Keeper]:
        return [self._ground.keepers[stream] for stream in self._streams]

    @property
    def _live(self) -> Table:
        return self._ground.tables.standing_for(self._declared[0])

    async def _positions(self) -> Positions:
        return await self._into.read(lambda connection: positions_of(connection, self._anew.name))

    async def _live_positions(self) -> Positions:
        found = await self._ground.read.read(lambda connection: positions_of(connection, self._live.name))
        return {stream: found.get(stream, 0) for stream in self._streams}

    async def _enter(self, phase: str, **columns: Any) -> None:
        """Note where it is, unless it was cancelled."""
        at = await self._positions() if columns.get("kept", True) else {}
        count = sum(at.get(stream, 0) for stream in self._streams)
        told = {"phase": phase, "problem": "", **columns} | ({"done": count} if at else {})
        mine = self._rebuild.id
        if not await self._ground.read.write(lambda to: change(to, mine, among=UNFINISHED, **told)):
            raise OverError(mine)

    def _now(self) -> str:
        return stamp(self._ground.clock.now())


def tables_of(projection: Projection) -> tuple[Table, ...]:
    """All tables of a projection, its own first."""
    return (projection.table, *projection.beside)


async def drop(ground: Ground, database: Database, projection: Projection) -> None:
    """Drop tables that do not answer, with their positions and what was parked for them."""

    def work(connection: Connection) -> None:
        for table in tables_of(projection):
            table.drop(connection, checkfirst=True)
        connection.execute(delete(positions).where(positions.c.table_name == projection.name))

    await database.write(work)
    for stream in projection.streams:
        await asyncio.to_thread(ground.lot.forget, projection.name, stream)
