"""`hears`: a service reacts to facts, at least once, in order per entity, side by side across entities.

While an entity has an event that is unfinished or being retried, its later events are neither run nor acknowledged.
An event that fails for good is parked before it is acknowledged.
"""

import asyncio
import contextlib
import functools
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import structlog
from nats.aio.msg import Msg

from tonetouch_contracts.manifest import Consumer
from tonetouch_contracts.message import Event
from tonetouch_contracts.vocabulary import UndecodableError
from tonetouch_runtime._bus import Bus, stop_if_told
from tonetouch_runtime._parking import Lot
from tonetouch_runtime._pulling import FINISHED_WITHIN_SECONDS, HANDLED_WITHIN_SECONDS, Pull, finish
from tonetouch_runtime._recorded import Recorded, origin_of, read_message
from tonetouch_runtime._telemetry import Cause
from tonetouch_runtime.errors import NotNow, Unavailable
from tonetouch_runtime.telemetry.hops import hearing

log = structlog.get_logger()

R = TypeVar("R")

Hear = Callable[[Recorded[Any]], Awaitable[None]]
Step = Callable[[], Awaitable[None]]

ATTEMPTS = 8
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 30.0
_TABLES_SECONDS = 1.0


def delay_before(attempt: int) -> float:
    """Seconds to wait before this attempt (2, 3, ...): doubling, bounded."""
    return min(FIRST_DELAY_SECONDS * 2.0 ** (attempt - 2), LONGEST_DELAY_SECONDS)


class Listener:
    """Runs the handlers of one durable consumer."""

    def __init__(
        self,
        bus: Bus,
        consumer: Consumer,
        handlers: Mapping[type[Event], Hear],
        lot: Lot,
        *,
        parallel: int = 32,
        longest_seconds: float = HANDLED_WITHIN_SECONDS,
    ) -> None:
        self.pull = Pull(bus, consumer, in_order=True)
        self._people = bus.people
        self._handlers = handlers
        self._lot = lot
        self._lanes: dict[str, deque[Step]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(parallel)
        self._longest_seconds = longest_seconds
        self._stopping = asyncio.Event()
        self._name = consumer.name

    async def run(self) -> None:
        """Listen for ever. When stopped it takes no more, finishes what runs, and hands the rest back."""
        try:
            while True:
                stop_if_told()
                for message in await self.pull.fetch(64):
                    self._line_up(message.subject.rpartition(".")[2], functools.partial(self._handle, message))
        finally:
            self._stopping.set()
            await finish(self._tasks, FINISHED_WITHIN_SECONDS)
            await self.pull.stop()

    @property
    def handlers(self) -> Mapping[type[Event], Hear]:
        """What runs for which type of event."""
        return self._handlers

    async def in_turn(self, entity: str, step: Callable[[], Awaitable[R]]) -> R:
        """Do something about an entity when none of its events is being handled. Raises what it raises.

        Raises NotNow where the process stops before its turn comes. Whoever no longer waits takes its turn away.
        """
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()

        async def take_turn() -> None:
            if done.done():
                return
            try:
                result = await step()
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                if not done.done():
                    done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(result)

        self._line_up(entity, take_turn)
        stopping = asyncio.ensure_future(self._stopping.wait())
        first: set[asyncio.Future[Any]] = {done, stopping}
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise NotNow(1.0, f"{self._name} stops")
            return await done
        finally:
            stopping.cancel()
            done.cancel()

    async def handle_again(self, fact: Recorded[Event]) -> None:
        """Run the handler of an event that was handled or parked before, once; the caller has the entity's turn.

        Raises what it raises. An event that nobody hears is done.
        """
        handler = self._handlers.get(type(fact.event))
        if handler is not None:
            async with self._slots, asyncio.timeout(self._longest_seconds):
                with hearing(cause_of(fact), fact, self._name, is_replay=True):
                    await handler(fact)

    def _line_up(self, entity: str, step: Step) -> None:
        lane = self._lanes.get(entity)
        if lane is not None:
            lane.append(step)
            return
        self._lanes[entity] = deque([step])
        task = asyncio.create_task(self._run_lane(entity))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_lane(self, entity: str) -> None:
        lane = self._lanes[entity]
        while lane and not self._stopping.is_set():
            try:
                await lane[0]()
            except Exception as error:
                # Our own tables, not the event: what cannot be parked is not acknowledged, and nothing overtakes it.
                log.exception("event_kept_waiting", consumer=self._name, entity_id=entity, error=repr(error))
                await self._rest(_TABLES_SECONDS)
            else:
                lane.popleft()
        del self._lanes[entity]

    async def _handle(self, message: Msg) -> None:
        """Come to an end with a message and acknowledge it; a process that stops leaves it to the next one."""
        if not await self._may_pass():
            return
        try:
            fact = read_message(message, people=self._people)
        except UndecodableError as error:
            stream, sequence = origin_of(message)
            await asyncio.to_thread(
                self._lot.park_unreadable, self._name, stream, sequence, message.subject, str(error)
            )
        else:
            handler = self._handlers.get(type(fact.event))
            if handler is not None and not await self._try(handler, fact):
                return
        await self.pull.ack(message)

    async def _try(self, handler: Hear, fact: Recorded[Event]) -> bool:
        """Run the handler until it succeeds, or park the event. False where the process stops before that."""
        if await asyncio.to_thread(self._lot.holds, self._name, fact):
            return True
        attempt, absences = 1, 0
        while await self._may_pass():
            try:
                # Whoever waits between two attempts keeps nobody else from running.
                async with self._slots, asyncio.timeout(self._longest_seconds):
                    with hearing(cause_of(fact), fact, self._name):
                        await handler(fact)
                return True
            except NotNow as later:
                await self._rest(later.seconds)
            except Unavailable as away:
                # A part we stand on is away (the store, the log, another service): that is no event's fault.
                absences += 1
                log.warning("event_waits", consumer=self._name, absences=absences, error=repr(away))
                await self._rest(delay_before(absences + 1))
            except Exception as error:
                log.warning("event_failed", consumer=self._name, attempt=attempt, error=repr(error), exc_info=True)
                if attempt == ATTEMPTS:
                    await asyncio.to_thread(self._lot.park, self._name, fact, repr(error), attempts=attempt)
                    return True
                attempt += 1
                await self._rest(delay_before(attempt))
        return False

    async def _may_pass(self) -> bool:
        """Wait while this part is paused. False where the process stops before it goes on."""
        if not self.pull.gate.is_open:
            waits = {asyncio.ensure_future(self.pull.gate.passed()), asyncio.ensure_future(self._stopping.wait())}
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        return not self._stopping.is_set()

    async def _rest(self, seconds: float) -> None:
        """Wait, but not beyond the end of the process."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


def cause_of(fact: Recorded[Event]) -> Cause:
    """What follows from a fact is caused by it, and belongs to its story."""
    return Cause(causation=fact.id, correlation=fact.correlation or fact.id, traceparent=fact.traceparent)
