"""`keeps`: read models that follow the log.

One reader per stream and service. A batch of events becomes one transaction in which rows and positions move
together, so a position never claims what the rows do not show. A projection that a single event breaks loses that
event's entity alone: the event is parked, and later events of the entity wait behind it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy
from sqlalchemy import Connection, Table, select, update
from tonetouch_contracts.manifest import stream_of
from tonetouch_contracts.message import Event
from tonetouch_contracts.vocabulary import UndecodableError, Unknown

from tonetouch_runtime._bus import Bus
from tonetouch_runtime._log import Recorded, origin_of, read_message
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._tables import Database, Writer, insert_into, positions
from tonetouch_runtime.errors import NotNow

log = structlog.get_logger()

Project = Callable[[Sequence[Recorded[Any]], Writer], None]

BATCH = 500
_STALL_SECONDS = 5.0


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """One table and how it follows events. `name` is its key in the positions: a new name is a new table."""

    name: str
    table: Table
    hears: frozenset[type[Event]]
    project: Project

    @property
    def streams(self) -> set[str]:
        return {stream_of(event).name for event in self.hears}


class Keeper:
    """Keeps the tables of one service that follow one stream."""

    def __init__(self, bus: Bus, stream: str, projections: Sequence[Projection], read: Database, lot: Lot) -> None:
        self.stream = stream
        self._bus = bus
        self._projections = projections
        self._read = read
        self._lot = lot
        self._positions: dict[str, int] = {}
        self._moved = asyncio.Condition()
        self.caught_up_at: float | None = None
        self.after_commit: list[Callable[[], None]] = []

    async def run(self) -> None:
        """Follow the stream for ever. Survives the server going away and coming back."""
        self._positions = await self._read.write(self._load_positions)
        for name in (name for name, position in self._positions.items() if position == 0):
            # A table that begins anew owes nothing to what broke its predecessor.
            self._lot.forget(name, self.stream)
        reader = Reader(self._bus, self.stream, start=self.position + 1)
        try:
            while True:
                await self._keep(await reader.batch(BATCH))
                self.caught_up_at = time.monotonic()
        finally:
            await reader.close()

    @property
    def position(self) -> int:
        """The sequence up to which every table of this keeper has read."""
        return min(self._positions.values(), default=0)

    async def wait_for(self, sequence: int, seconds: float) -> None:
        """Return when every table shows the event at `sequence`. Raises NotNow after the bound."""
        try:
            async with self._moved:
                await asyncio.wait_for(self._moved.wait_for(lambda: self.position >= sequence), seconds)
        except TimeoutError:
            raise NotNow(1.0, f"{self.stream} is read up to {self.position}, not yet to {sequence}") from None

    async def _keep(self, messages: Sequence[Msg]) -> None:
        batch = [read for message in messages if (read := self._decode(message))]
        last = origin_of(messages[-1])[1]
        try:
            await self._read.write(lambda connection: self._project_all(connection, batch, last))
        except Exception as error:
            log.warning("batch_failed", stream=self.stream, events=len(batch), error=repr(error))
            await self._keep_singly(batch, last)
        self._positions = {name: max(position, last) for name, position in self._positions.items()}
        async with self._moved:
            self._moved.notify_all()
        for told in self.after_commit:
            told()

    def _decode(self, message: Msg) -> Recorded[Event] | None:
        try:
            recorded = read_message(message)
        except UndecodableError as error:
            stream, sequence = origin_of(message)
            for projection in self._projections:
                self._lot.park_unreadable(projection.name, stream, sequence, message.subject, str(error))
            return None
        return None if isinstance(recorded.event, Unknown) else recorded

    def _project_all(self, connection: Connection, batch: Sequence[Recorded[Event]], last: int) -> None:
        for projection in self._projections:
            self._project(connection, projection, batch)
        self._save_positions(connection, last)

    def _project(self, connection: Connection, projection: Projection, batch: Sequence[Recorded[Event]]) -> None:
        reached = self._positions[projection.name]
        facts = [
            fact
            for fact in batch
            if type(fact.event) in projection.hears
            and fact.sequence > reached
            and not self._lot.holds(projection.name, fact)
        ]
        if facts:
            projection.project(facts, Writer(connection, projection.table))

    async def _keep_singly(self, batch: Sequence[Recorded[Event]], last: int) -> None:
        """The slow way after a failure: event by event and table by table, to find the one that breaks."""
        for projection in self._projections:
            for fact in batch:
                try:
                    await self._read.write(lambda c, p=projection, f=fact: self._project(c, p, [f]))  # type: ignore[misc]
                except Exception as error:
                    log.exception("event_parked", table=projection.name, stream=self.stream, sequence=fact.sequence)
                    self._lot.park(projection.name, fact, repr(error), attempts=1)
        await self._read.write(lambda connection: self._save_positions(connection, last))

    def _load_positions(self, connection: Connection) -> dict[str, int]:
        for projection in self._projections:
            row = {"table_name": projection.name, "stream": self.stream, "position": 0}
            connection.execute(insert_into(connection, positions).on_conflict_do_nothing(), row)
        names = [projection.name for projection in self._projections]
        found = connection.execute(
            select(positions.c.table_name, positions.c.position)
            .where(positions.c.stream == self.stream)
            .where(positions.c.table_name.in_(names))
        )
        return {row.table_name: row.position for row in found}

    def _save_positions(self, connection: Connection, last: int) -> None:
        names = [projection.name for projection in self._projections]
        connection.execute(
            update(positions)
            .where(positions.c.stream == self.stream)
            .where(positions.c.table_name.in_(names))
            .where(positions.c.position < last)
            .values(position=last)
        )


class Reader:
    """An ordered reader of one stream, from a sequence on, in batches of what is there."""

    def __init__(self, bus: Bus, stream: str, *, start: int) -> None:
        self._bus = bus
        self._stream = stream
        self._next = start
        self._queue: asyncio.Queue[Msg] = asyncio.Queue(maxsize=4 * BATCH)
        self._subscription: Any = None

    async def batch(self, most: int) -> list[Msg]:
        """Wait for an event, then take what else is there, `most` at the most."""
        messages = [await self._wait()]
        while len(messages) < most and not self._queue.empty():
            self._accept(self._queue.get_nowait(), messages)
        self._next = origin_of(messages[-1])[1] + 1
        return messages

    async def close(self) -> None:
        """Leave the stream."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None and self._bus.is_connected:
            await subscription.unsubscribe()

    async def _wait(self) -> Msg:
        while True:
            try:
                if self._subscription is None:
                    await self._subscribe()
                found: list[Msg] = []
                self._accept(await asyncio.wait_for(self._queue.get(), _STALL_SECONDS), found)
                if found:
                    return found[0]
            except TimeoutError:
                await self._resubscribe_if_stalled()
            except Exception as error:
                log.warning("reader_failed", stream=self._stream, error=repr(error))
                self._subscription = None
                await asyncio.sleep(0.5)

    def _accept(self, message: Msg, messages: list[Msg]) -> None:
        # After a new subscription a few events may come twice: what was read is not read again.
        sequence = origin_of(message)[1]
        if sequence >= self._next and (not messages or sequence > origin_of(messages[-1])[1]):
            messages.append(message)

    async def _subscribe(self) -> None:
        config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._next)
        self._queue = asyncio.Queue(maxsize=4 * BATCH)
        self._subscription = await self._bus.jetstream.subscribe(
            ">", stream=self._stream, ordered_consumer=True, cb=self._queue.put, config=config
        )

    async def _resubscribe_if_stalled(self) -> None:
        """'The head moves, we do not': a lost consumer looks just like a quiet stream, so the stream is asked."""
        info = await self._bus.jetstream.stream_info(self._stream)
        if info.state.last_seq >= self._next and self._queue.empty():
            log.warning("reader_stalled", stream=self._stream, next=self._next, head=info.state.last_seq)
            await self.close()
