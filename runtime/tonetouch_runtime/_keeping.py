"""`keeps`: read models that follow the log.

One reader per stream and service. A batch of events becomes one transaction in which rows and positions move
together, so a position never claims what the rows do not show. A projection that a single event breaks loses that
event's entity alone: the event is parked, and later events of the entity wait behind it.
"""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Sequence, Set
from typing import TypeVar

import msgspec
import structlog
from nats.aio.msg import Msg
from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, delete, select, update

from tonetouch_contracts.manifest import stream_of
from tonetouch_contracts.message import Event
from tonetouch_contracts.vocabulary import UndecodableError, Unknown
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._pace import Pace
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._reading import Placed, Reader
from tonetouch_runtime._recorded import Recorded, read_message
from tonetouch_runtime._router import Keeping
from tonetouch_runtime._tables import Database, Writer, insert_into, is_passing, positions
from tonetouch_runtime.errors import NotNow
from tonetouch_runtime.telemetry.batches import keeping

log = structlog.get_logger()

R = TypeVar("R")

Project = Callable[..., None]

redriven = Table(
    "redriven",
    MetaData(),
    Column("table_name", String(120), primary_key=True),
    Column("stream", String(60), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
)
"""Parked events that a table shows already, while they are parked still: a killed redrive does not show them twice."""

BATCH = 1000
_TABLES_SECONDS = 0.5


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """One table and how it follows events. `name` is its key in the positions: a new name is a new table.

    Tables `beside` it have no position of their own: they move with it, and each has a writer after its own.
    """

    name: str
    table: Table
    hears: frozenset[type[Event]]
    project: Project
    beside: tuple[Table, ...] = ()

    @property
    def streams(self) -> set[str]:
        return {stream_of(event).name for event in self.hears}


def projection_of(entry: Keeping, tables: Sequence[Table]) -> Projection:
    """A slice's read model, kept in these tables: the first is the model's, the others are those beside it."""
    first, *beside = tables
    return Projection(
        name=str(first.name),
        table=first,
        hears=frozenset(entry.hears),
        project=entry.handler,
        beside=tuple(beside),
    )


class Keeper:
    """Keeps the tables of one service that follow one stream."""

    def __init__(self, bus: Bus, stream: str, projections: Sequence[Projection], read: Database, lot: Lot) -> None:
        self.stream = stream
        self._bus = bus
        self._projections = projections
        self._read = read
        read.create(redriven)
        self._lot = lot
        self._positions: dict[str, int] = {}
        self._is_loaded = False
        self._reader = Reader(bus, stream, start=1)
        self._has_gone_back = False
        self._read_to = 0
        self._still: dict[str, tuple[Projection, int]] = {}
        self._apart: dict[str, tuple[Keeper, asyncio.Task[None]]] = {}
        self._moved = asyncio.Condition()
        self.problem: str | None = None
        self.caught_up_at: float | None = None
        self.after_commit: list[Callable[[], None]] = []
        self.paused: frozenset[str] = frozenset()
        """Tables that stand still from the start."""
        self.pace = Pace()
        self.turn = asyncio.Lock()
        """Held while a batch is kept: whoever has it may change which tables are kept."""

    async def run(self) -> None:
        """Follow the stream for ever. Survives the server going away and coming back."""
        self._positions = await self._lasting(lambda: self._read.write(self._load_positions))
        for name in [name for name, position in self._positions.items() if position == 0]:
            # A table that begins anew owes nothing to what broke its predecessor.
            await self._lasting(functools.partial(asyncio.to_thread, self._lot.forget, name, self.stream))
        await self._lasting(self._tidy_up)
        for name in self.paused & self._positions.keys():
            self._leave(name)
        async with self._moved:
            # Somebody may be waiting for what was read in an earlier life.
            self._moved.notify_all()
        self._is_loaded = True
        self._go_to(self._followed)
        try:
            while True:
                async with self._moved:
                    await self._moved.wait_for(lambda: self._projections)
                placed = await self._reader.batch(BATCH)
                async with self.turn:
                    if self._has_gone_back:
                        # A table came in that lacks some of what was read before these.
                        self._has_gone_back = False
                        self._go_to(self._followed)
                        continue
                    await self._keep(placed)
                    self._read_to = placed[-1][0]
                self.caught_up_at = time.monotonic()
        finally:
            for _, catching_up in self._apart.values():
                catching_up.cancel()
            await self._reader.close()

    async def take_in(self, projection: Projection, position: int) -> bool:
        """Keep one more table, which has read up to `position`; False where it is behind those that are kept."""
        async with self.turn:
            if not self._is_loaded or position < self._read_to:
                return False
            await self.adopt(projection, position)
        return True

    async def adopt(self, projection: Projection, position: int) -> None:
        """The same for a table that is not behind (see `furthest`). The caller has the turn."""
        self._projections = [*self._projections, projection]
        self._positions[projection.name] = position
        async with self._moved:
            self._moved.notify_all()

    async def put_out(self, name: str) -> None:
        """Leave a table as it is from here on."""
        async with self.turn:
            self._projections = [kept for kept in self._projections if kept.name != name]
            self._positions.pop(name, None)

    def exchange(self, name: str, successor: Projection, position: int) -> None:
        """Keep the successor in the place of a table, from `position` on. The caller has the turn."""
        others = [kept for kept in self._projections if kept.name != successor.name]
        self._projections = [successor if kept.name == name else kept for kept in others]
        if successor not in self._projections:
            self._projections = [*others, successor]
        # One that stood still goes on as its successor.
        self._still.pop(name, None)
        if position < self._read_to:
            self._has_gone_back = True
            self._go_to(position)
        self._positions.pop(name, None)
        self._positions[successor.name] = position

    async def stand_still(self, name: str) -> None:
        """Leave a table where it is until it is told to go on; the others do not wait for it."""
        if name in self._apart:
            alone, catching_up = self._apart.pop(name)
            catching_up.cancel()
            await asyncio.gather(catching_up, return_exceptions=True)
            if name not in self._positions:
                self._still[name] = (alone._projections[0], alone.position)
        async with self.turn:
            if name in self._positions:
                self._leave(name)
        async with self._moved:
            # Who waits for it waits in vain.
            self._moved.notify_all()

    def go_on(self, name: str) -> None:
        """Let a table that stands still follow the stream again: by itself, until it has caught up with the others."""
        if name in self._still:
            projection, position = self._still.pop(name)
            alone = Keeper(self._bus, self.stream, [projection], self._read, self._lot)
            alone.after_commit = self.after_commit
            alone._positions = {name: position}
            self._apart[name] = alone, asyncio.create_task(self._catch_up(projection, alone))

    @property
    def parts(self) -> dict[str, int]:
        """How far each table is: those that follow, those that stand still and those that catch up."""
        still = {name: position for name, (_, position) in self._still.items()}
        return {**self._positions, **still, **{name: alone.position for name, (alone, _) in self._apart.items()}}

    def pace_of(self, name: str) -> Pace:
        """How fast a table moves: with the others, or by itself while it catches up."""
        return self._apart[name][0].pace if name in self._apart else self.pace

    @property
    def still(self) -> frozenset[str]:
        """The tables that were told to stand still."""
        return frozenset(self._still)

    async def keep_again(self, name: str, fact: Recorded[Event]) -> None:
        """Show an event in a table that had parked it, once, however often this is asked. Raises what it breaks on.

        The mark that says so is written with the rows; `forget_mark` takes it away when the event is parked no more.
        """
        projection = next((kept for kept in self._projections if kept.name == name), None)
        if projection is None:
            raise NotNow(60.0, f"{name} does not follow {self.stream} just now: it is paused, or catching up")
        mark = {"table_name": name, "stream": self.stream, "sequence": fact.sequence}

        def project(connection: Connection) -> None:
            self._claim(connection, [name], 0)
            is_new = connection.execute(insert_into(connection, redriven).on_conflict_do_nothing(), mark).rowcount
            if is_new and type(fact.event) in projection.hears:
                tables = (projection.table, *projection.beside)
                projection.project([fact], *(Writer(connection, table) for table in tables))

        await self._read.write(project)
        for told in self.after_commit:
            told()

    async def forget_mark(self, name: str, sequence: int) -> None:
        """Take away the mark of `keep_again`."""
        await self._read.write(lambda connection: self._unmark(connection, name, [sequence]))

    @property
    def _names(self) -> list[str]:
        return [projection.name for projection in self._projections]

    @property
    def position(self) -> int:
        """The sequence up to which every table of this keeper has read."""
        apart = (alone.position for alone, _ in self._apart.values())
        return min((*self._positions.values(), *apart), default=self._followed)

    @property
    def furthest(self) -> int:
        """The sequence that a table has to have read before it can be taken in."""
        return max(self._read_to, self._followed)

    @property
    def _followed(self) -> int:
        """The same for those that are kept together; where all stand still, the last of them."""
        last = max((position for _, position in self._still.values()), default=0)
        return min(self._positions.values(), default=last)

    async def wait_for(self, sequence: int, seconds: float) -> None:
        """Return when every table shows the event at `sequence`. Raises NotNow after the bound."""
        try:
            async with self._moved:
                async with asyncio.timeout(seconds):
                    await self._moved.wait_for(lambda: self._still or self.position >= sequence)
            for name, (_, position) in self._still.items():
                if position < sequence:
                    raise NotNow(60.0, f"{name} is paused at {position} of {self.stream}")
        except TimeoutError:
            raise NotNow(1.0, f"{self.stream} is read up to {self.position}, not yet to {sequence}") from None

    async def _keep(self, placed: Sequence[Placed]) -> None:
        batch = keeping(self.stream)
        facts: list[Recorded[Event]] = []
        for sequence, message in placed:
            try:
                fact = read_message(message, origin=(self.stream, sequence))
            except UndecodableError as error:
                await self._park_unreadable(sequence, message, error)
            else:
                if type(fact.event) is not Unknown:
                    facts.append(fact)
        last = placed[-1][0]

        def project(connection: Connection) -> dict[str, int]:
            return self._project_all(connection, self._projections, facts, last)

        try:
            self._positions = await self._lasting(lambda: self._read.write(project))
        except Exception as error:
            log.warning("batch_failed", stream=self.stream, events=len(facts), error=repr(error))
            self._positions = await self._keep_singly(facts, last)
        self.pace.took(len(placed))
        async with self._moved:
            self._moved.notify_all()
        batch.kept(facts, len(placed))
        for told in self.after_commit:
            told()

    async def _lasting(self, step: Callable[[], Awaitable[R]]) -> R:
        """Do it, however long the tables cannot be written: that is no event's fault, and none is passed over."""
        while True:
            try:
                done = await step()
            except Exception as error:
                if not is_passing(error):
                    raise
                self.problem = f"the tables cannot be written ({type(error).__name__})"
                log.warning("tables_not_written", stream=self.stream, position=self.position, error=repr(error))
                await asyncio.sleep(_TABLES_SECONDS)
            else:
                self.problem = None
                return done

    async def _park_unreadable(self, sequence: int, message: Msg, error: UndecodableError) -> None:
        park, words = self._lot.park_unreadable, str(error)
        for name in self._names:
            parking = functools.partial(asyncio.to_thread, park, name, self.stream, sequence, message.subject, words)
            await self._lasting(parking)

    def _project_all(
        self, connection: Connection, projections: Sequence[Projection], batch: Sequence[Recorded[Event]], last: int
    ) -> dict[str, int]:
        """Move rows and positions on to `last` in this transaction, and say where the tables are then."""
        names = [projection.name for projection in projections]
        reached = self._claim(connection, names, last)
        held = self._lot.held(names)
        for projection in projections:
            self._project(connection, projection, batch, reached[projection.name], held)
        return {name: max(position, last) for name, position in reached.items()}

    def _project(
        self,
        connection: Connection,
        projection: Projection,
        batch: Sequence[Recorded[Event]],
        reached: int,
        held: Set[tuple[str, str]],
    ) -> None:
        name = projection.name
        facts = [fact for fact in batch if type(fact.event) in projection.hears and fact.sequence > reached]
        if skips := self._lot.skips(name, self.stream):
            facts = [fact for fact in facts if fact.sequence not in skips]
        if waiting := {entity for listener, entity in held if listener == name}:
            facts = [fact for fact in facts if fact.event.entity_id not in waiting or not self._lot.holds(name, fact)]
        if facts:
            tables = (projection.table, *projection.beside)
            projection.project(facts, *(Writer(connection, table) for table in tables))

    async def _keep_singly(self, batch: Sequence[Recorded[Event]], last: int) -> dict[str, int]:
        """The slow way after a failure: event by event and table by table, to find the one that breaks."""
        for projection in self._projections:
            for fact in batch:
                await self._keep_one(projection, fact)
        return await self._lasting(
            lambda: self._read.write(lambda connection: self._project_all(connection, self._projections, (), last))
        )

    async def _keep_one(self, projection: Projection, fact: Recorded[Event]) -> None:
        def project(connection: Connection) -> None:
            self._project_all(connection, [projection], [fact], fact.sequence)

        try:
            await self._lasting(lambda: self._read.write(project))
        except Exception as error:
            await self._broke(projection, fact, error)

    async def _broke(self, projection: Projection, fact: Recorded[Event], error: Exception) -> None:
        log.exception("event_broke_a_table", table=projection.name, stream=self.stream, sequence=fact.sequence)
        park = functools.partial(self._lot.park, projection.name, fact, repr(error), attempts=1)
        await self._lasting(lambda: asyncio.to_thread(park))

    def _go_to(self, position: int) -> None:
        """Read on from here; what lies before is behind all tables that are kept."""
        self._reader.go_to(position + 1)
        self._read_to = position

    def _leave(self, name: str) -> None:
        projection = next(kept for kept in self._projections if kept.name == name)
        self._projections = [kept for kept in self._projections if kept.name != name]
        self._still[name] = (projection, self._positions.pop(name))

    async def _catch_up(self, projection: Projection, alone: "Keeper") -> None:
        """Bring one table to where the others are, while these go on; then it is kept with them."""
        following = asyncio.create_task(alone.run())
        try:
            while True:
                async with alone._moved:
                    await alone._moved.wait_for(lambda: alone._is_loaded and alone.position >= self._read_to)
                async with alone.turn:
                    if await self.take_in(projection, alone.position):
                        del self._apart[projection.name]
                        return
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _tidy_up(self) -> None:
        """Take away the marks of events that are parked no more: a killed redrive may have left one."""
        marks = select(redriven.c.table_name, redriven.c.sequence).where(redriven.c.stream == self.stream)
        found = await self._read.read(lambda connection: connection.execute(marks).all())
        for name in {mark.table_name for mark in found}:
            mine = [mark.sequence for mark in found if mark.table_name == name]
            left = await asyncio.to_thread(self._lot.still_parked, name, self.stream, mine)
            over = [sequence for sequence in mine if sequence not in left]
            await self._read.write(functools.partial(self._unmark, name=name, sequences=over))

    def _unmark(self, connection: Connection, name: str, sequences: Sequence[int]) -> None:
        mine = (redriven.c.table_name == name) & (redriven.c.stream == self.stream)
        connection.execute(delete(redriven).where(mine & redriven.c.sequence.in_(sequences)))

    def _load_positions(self, connection: Connection) -> dict[str, int]:
        for projection in self._projections:
            row = {"table_name": projection.name, "stream": self.stream, "position": 0}
            connection.execute(insert_into(connection, positions).on_conflict_do_nothing(), row)
        found = connection.execute(
            select(positions.c.table_name, positions.c.position)
            .where(positions.c.stream == self.stream)
            .where(positions.c.table_name.in_(self._names))
        )
        return {row.table_name: row.position for row in found}

    def _claim(self, connection: Connection, names: Sequence[str], last: int) -> dict[str, int]:
        """Move the positions on to `last` and say where they stood.

        This comes first in the transaction: another replica that keeps the same tables waits here until we are done,
        and then sees how far we came. So a position never goes back, and no event is applied twice.
        """
        mine = (positions.c.stream == self.stream) & positions.c.table_name.in_(names)
        connection.execute(update(positions).where(mine).values(position=positions.c.position))
        found = connection.execute(select(positions.c.table_name, positions.c.position).where(mine)).all()
        connection.execute(update(positions).where(mine & (positions.c.position < last)).values(position=last))
        return {row.table_name: row.position for row in found}
