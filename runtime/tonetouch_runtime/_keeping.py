"""`keeps`: read models that follow the log.

One reader per stream and service. A batch of events becomes one transaction in which rows and positions move
together, so a position never claims what the rows do not show. A projection that a single event breaks loses that
event's entity alone: the event is parked, and later events of the entity wait behind it.
"""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import structlog
from nats.aio.msg import Msg
from sqlalchemy import Connection

from tonetouch_contracts.message import Event
from tonetouch_contracts.vocabulary import UndecodableError, Unknown
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._pace import Pace
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._projecting import Projection, Projector
from tonetouch_runtime._reading import Placed, Reader
from tonetouch_runtime._recorded import Recorded, read_message
from tonetouch_runtime._tables import Database, Writer, is_passing
from tonetouch_runtime.errors import NotNow
from tonetouch_runtime.telemetry.batches import keeping

log = structlog.get_logger()

R = TypeVar("R")

BATCH = 1000
_TABLES_SECONDS = 0.5


class Keeper(Projector):
    """Keeps the tables of one service that follow one stream."""

    def __init__(self, bus: Bus, stream: str, projections: Sequence[Projection], read: Database, lot: Lot) -> None:
        super().__init__(stream, projections, read, lot)
        self._bus = bus
        self._positions: dict[str, int] = {}
        self._is_loaded = False
        self._reader = Reader(bus, stream, start=1)
        self._has_gone_back = False
        self._read_to = 0
        self._still: dict[str, tuple[Projection, int]] = {}
        self._apart: dict[str, tuple[Keeper, asyncio.Task[None]]] = {}
        self._running: asyncio.Task[Any] | None = None
        self._failure: Exception | None = None
        self._moved = asyncio.Condition()
        self.problem: str | None = None
        self.caught_up_at: float | None = None
        self.after_commit: list[Callable[[], None]] = []
        self.paused: frozenset[str] = frozenset()
        """Tables that are to stand still; those that are named before the start do so from the start."""
        self.pace = Pace()
        self.turn = asyncio.Lock()
        """Held while a batch is kept: whoever has it may change which tables are kept."""

    async def run(self) -> None:
        """Follow the stream for ever. Survives the server going away and coming back."""
        self._running = asyncio.current_task()
        self._positions = await self._lasting(lambda: self._read.write(self._load_positions))
        for name in [name for name, position in self._positions.items() if position == 0]:
            # A table that begins anew owes nothing to what broke its predecessor.
            await self._lasting(functools.partial(asyncio.to_thread, self._lot.forget, name, self.stream))
        await self._lasting(self.marks.tidy_up)
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
                        if placed[0][0] > self._followed + 1:
                            self._go_to(self._followed)
                            continue
                    await self._keep(placed)
                    self._read_to = placed[-1][0]
                self.caught_up_at = time.monotonic()
        except asyncio.CancelledError:
            if self._failure is not None:
                raise self._failure from None
            raise
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
        self.paused |= {name}
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
        self.paused -= {name}
        if name in self._still:
            projection, position = self._still.pop(name)
            alone = Keeper(self._bus, self.stream, [projection], self._read, self._lot)
            alone.after_commit = self.after_commit
            alone._positions = {name: position}
            self._apart[name] = alone, asyncio.create_task(self._catch_up(projection, alone))

    async def reaches(self, goal: Callable[[], int], following: "asyncio.Task[None]") -> bool:
        """Wait until every table is there. Raises what `following`, this keeper's run, ends with."""

        async def reach() -> None:
            async with self._moved:
                await self._moved.wait_for(lambda: self._is_loaded and self.position >= goal())

        reaching = asyncio.create_task(reach())
        try:
            await asyncio.wait({reaching, following}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reaching.cancel()
        if following.done():
            following.result()
        return True

    @property
    def parts(self) -> dict[str, int]:
        """How far each table is: those that follow, those that stand still and those that catch up."""
        still = {name: position for name, (_, position) in self._still.items()}
        kept = {name: self._positions.get(name, 0) for name in self._names}
        return {**kept, **still, **{name: alone.position for name, (alone, _) in self._apart.items()}}

    def pace_of(self, name: str) -> Pace:
        """How fast a table moves: with the others, or by itself while it catches up."""
        return self._apart[name][0].pace if name in self._apart else self.pace

    @property
    def still(self) -> frozenset[str]:
        """The tables that were told to stand still."""
        return frozenset(self._still)

    async def keep_again(self, name: str, fact: Recorded[Event]) -> None:
        """Show an event in a table that had parked it, once, however often this is asked. Raises what it breaks on.

        A mark says so, which is made with the rows; the caller takes it away when the event is parked no more.
        """
        projection = next((kept for kept in self._projections if kept.name == name), None)
        if projection is None:
            raise NotNow(60.0, f"{name} does not follow {self.stream} just now: it is paused, or catching up")

        def project(connection: Connection) -> None:
            self._claim(connection, [name], 0)
            is_shown = type(fact.event) in projection.hears and not self._bus.people.leaves_out(fact.event)
            if self.marks.make(connection, name, fact.sequence) and is_shown:
                tables = (projection.table, *projection.beside)
                projection.project([fact], *(Writer(connection, table) for table in tables))

        await self._read.write(project)
        for told in self.after_commit:
            told()

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
                fact = read_message(message, origin=(self.stream, sequence), people=self._bus.people)
            except UndecodableError as error:
                await self._park_unreadable(sequence, message, error)
            else:
                if type(fact.event) is not Unknown and not self._bus.people.leaves_out(fact.event):
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
            while await alone.reaches(lambda: self._read_to, following):
                async with alone.turn:
                    if await self.take_in(projection, alone.position):
                        self._apart.pop(projection.name, None)
                        return
        except Exception as error:
            # As if one of those that are kept together had failed: half a service is worse than none.
            self._failure = error
            if self._running is not None:
                self._running.cancel()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
