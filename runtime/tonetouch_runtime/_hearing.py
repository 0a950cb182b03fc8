"""`hears`: a service reacts to facts, at least once, in order per entity, side by side across entities.

While an entity has an event that is unfinished or being retried, its later events are neither run nor acknowledged.
An event that fails for good is parked before it is acknowledged.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from tonetouch_contracts.manifest import Consumer
from tonetouch_contracts.message import Event
from tonetouch_contracts.vocabulary import UndecodableError, Unknown

from tonetouch_runtime._bus import Bus
from tonetouch_runtime._log import Recorded, origin_of, read_message
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._telemetry import Cause, caused_by
from tonetouch_runtime.errors import NotNow

log = structlog.get_logger()

Hear = Callable[[Recorded[Any]], Awaitable[None]]

ATTEMPTS = 8
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 30.0


def delay_before(attempt: int) -> float:
    """Seconds to wait before this attempt (2, 3, ...): doubling, bounded."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** (attempt - 2), LONGEST_DELAY_SECONDS)


class Pull:
    """Fetches from a durable consumer of the manifest, and keeps what is out from being delivered again."""

    def __init__(self, bus: Bus, consumer: Consumer) -> None:
        self.consumer = consumer
        self.problem: str | None = None
        self._bus = bus
        self._out: dict[int, Msg] = {}
        self._subscription: Any = None
        self._heart: asyncio.Task[None] | None = None

    async def fetch(self, most: int, *, wait_seconds: float = 2.0) -> list[Msg]:
        """What is there, `most` at the most; an empty list after the wait or when the bus is away."""
        try:
            if self._subscription is None:
                self._subscription = await self._bus.jetstream.pull_subscribe_bind(
                    self.consumer.name, self.consumer.stream
                )
            if self._heart is None:
                self._heart = asyncio.create_task(self._beat())
            messages: list[Msg] = await self._subscription.fetch(most, timeout=wait_seconds)
        except (TimeoutError, nats.errors.TimeoutError):
            await self._check()
            return []
        except (nats.errors.Error, nats.js.errors.Error) as error:
            # Deleted behind our back, leadership moved, the server restarts: bind anew, and not in a spin.
            self.problem = f"{self.consumer.name}: {type(error).__name__}"
            log.warning("fetch_failed", consumer=self.consumer.name, error=repr(error))
            self._subscription = None
            await asyncio.sleep(1.0)
            return []
        self.problem = None
        self._out |= {origin_of(message)[1]: message for message in messages}
        return messages

    async def ack(self, message: Msg) -> None:
        """Done with this message."""
        await self._close(message, message.ack)

    async def again(self, message: Msg, seconds: float) -> None:
        """Deliver it again after a while."""
        await self._close(message, lambda: message.nak(delay=seconds))

    async def stop(self) -> None:
        """Hand back what is out, so that whoever comes next need not wait for it to expire."""
        if self._heart is not None:
            self._heart.cancel()
        for message in list(self._out.values()):
            await self.again(message, 0.01)
        if self._subscription is not None and self._bus.is_connected:
            # What a cancelled fetch left in its queue would keep the connection from draining.
            await self._subscription.unsubscribe()

    async def _close(self, message: Msg, say: Callable[[], Awaitable[None]]) -> None:
        self._out.pop(origin_of(message)[1], None)
        try:
            await say()
        except nats.errors.Error as error:
            # It will be delivered again, and handling it twice changes nothing.
            log.info("acknowledgement_lost", consumer=self.consumer.name, error=repr(error))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.consumer.ack_wait_seconds / 3)
            for message in list(self._out.values()):
                try:
                    await message.in_progress()
                except nats.errors.Error:
                    break

    async def _check(self) -> None:
        """A fetch that finds nothing looks the same whether the consumer is idle or gone: ask."""
        try:
            await self._bus.jetstream.consumer_info(self.consumer.stream, self.consumer.name)
            self.problem = None
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            self.problem = f"{self.consumer.name} is missing on the server ({type(error).__name__})"
            self._subscription = None


class Listener:
    """Runs the handlers of one durable consumer."""

    def __init__(
        self, bus: Bus, consumer: Consumer, handlers: Mapping[type[Event], Hear], lot: Lot, *, parallel: int = 32
    ) -> None:
        self.pull = Pull(bus, consumer)
        self._bus = bus
        self._handlers = handlers
        self._lot = lot
        self._lanes: dict[str, deque[Msg]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(parallel)
        self._name = consumer.name

    async def run(self) -> None:
        """Listen for ever."""
        await self._take_back_unfinished()
        try:
            while True:
                for message in await self.pull.fetch(64):
                    self._line_up(message)
        finally:
            for task in self._tasks:
                task.cancel()
            await self.pull.stop()

    async def _take_back_unfinished(self) -> None:
        """What a killed process had out would come back late, *after* newer events: reset to get it first."""
        consumer = self.pull.consumer
        while True:
            try:
                info = await self._bus.jetstream.consumer_info(consumer.stream, consumer.name)
                floor = info.ack_floor.stream_seq if info.ack_floor else 0
                if info.num_ack_pending:
                    await self._bus.jetstream.reset_consumer(consumer.stream, consumer.name, seq=floor + 1)
                return
            except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
                log.warning("consumer_not_ready", consumer=consumer.name, error=repr(error))
                await asyncio.sleep(1.0)

    def _line_up(self, message: Msg) -> None:
        entity = message.subject.rpartition(".")[2]
        lane = self._lanes.get(entity)
        if lane is not None:
            lane.append(message)
            return
        self._lanes[entity] = deque([message])
        task = asyncio.create_task(self._run_lane(entity))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_lane(self, entity: str) -> None:
        lane = self._lanes[entity]
        while lane:
            async with self._slots:
                await self._handle(lane.popleft())
        del self._lanes[entity]

    async def _handle(self, message: Msg) -> None:
        try:
            fact = read_message(message)
        except UndecodableError as error:
            stream, sequence = origin_of(message)
            await asyncio.to_thread(
                self._lot.park_unreadable, self._name, stream, sequence, message.subject, str(error)
            )
        else:
            handler = self._handlers.get(type(fact.event))
            if handler is not None and not isinstance(fact.event, Unknown):
                await self._try(handler, fact)
        await self.pull.ack(message)

    async def _try(self, handler: Hear, fact: Recorded[Event]) -> None:
        """Run the handler until it succeeds, or park the event."""
        if await asyncio.to_thread(self._lot.holds, self._name, fact):
            return
        attempt = 1
        while True:
            try:
                with caused_by(cause_of(fact)):
                    await handler(fact)
                return
            except NotNow as later:
                await asyncio.sleep(later.seconds)
            except Exception as error:
                log.warning("event_failed", consumer=self._name, attempt=attempt, error=repr(error), exc_info=True)
                if attempt == ATTEMPTS:
                    await asyncio.to_thread(self._lot.park, self._name, fact, repr(error), attempts=attempt)
                    return
                attempt += 1
                await asyncio.sleep(delay_before(attempt))


def cause_of(fact: Recorded[Event]) -> Cause:
    """What follows from a fact is caused by it, and belongs to its story."""
    return Cause(causation=fact.id, correlation=fact.correlation or fact.id, traceparent=fact.traceparent)
