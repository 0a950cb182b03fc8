"""`works`: a service takes queued work, several at once, until it is done.

A task that fails comes back after a growing delay; the work itself says in the log what it expected to fail. A killed
worker's task comes back by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog
from nats.aio.msg import Msg
from tonetouch_contracts.manifest import Consumer

from tonetouch_runtime._bus import CORRELATION, Bus
from tonetouch_runtime._hearing import Pull, delay_before
from tonetouch_runtime._telemetry import Cause, caused_by
from tonetouch_runtime.errors import NotNow

log = structlog.get_logger()

QUEUE_FULL = 10077
"""The server's code for 'there is one of this already' on a queue that holds one message per subject."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One queued step of one entity. `deliveries` counts how often it was handed out, this time included."""

    step: str
    entity_id: str
    deliveries: int
    correlation: str | None = None


Work = Callable[[Sequence[Task]], Awaitable[None]]


class Worker:
    """Takes the tasks of one consumer: one at a time in `parallel` hands, or `at_most` of them together."""

    def __init__(self, bus: Bus, consumer: Consumer, work: Work, *, parallel: int = 1, at_most: int = 1) -> None:
        self.pull = Pull(bus, consumer)
        self._work = work
        self._parallel = parallel
        self._at_most = at_most

    async def run(self) -> None:
        """Work for ever. Fetches only what there is a free hand for: what waits here could expire here."""
        hands = asyncio.Semaphore(self._parallel)
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                await hands.acquire()
                messages = await self.pull.fetch(self._at_most)
                if not messages:
                    hands.release()
                    continue
                task = asyncio.create_task(self._do(messages))
                running.add(task)
                task.add_done_callback(running.discard)
                task.add_done_callback(lambda _: hands.release())
        finally:
            for task in running:
                task.cancel()
            await self.pull.stop()

    async def _do(self, messages: Sequence[Msg]) -> None:
        tasks = [task_of(message) for message in messages]
        try:
            with caused_by(Cause(correlation=tasks[0].correlation)):
                await self._work(tasks)
        except NotNow as later:
            await self._again(messages, later.seconds)
        except Exception:
            log.exception("work_failed", consumer=self.pull.consumer.name, entities=[task.entity_id for task in tasks])
            await self._again(messages, delay_before(min(max(task.deliveries for task in tasks), 20) + 1))
        else:
            for message in messages:
                await self.pull.ack(message)

    async def _again(self, messages: Sequence[Msg], seconds: float) -> None:
        for message in messages:
            await self.pull.again(message, seconds)


def task_of(message: Msg) -> Task:
    """Read a queued message: its subject says all there is to do."""
    *_, step, entity = message.subject.split(".")
    return Task(
        step=step,
        entity_id=entity,
        deliveries=message.metadata.num_delivered or 1,
        correlation=(message.headers or {}).get(CORRELATION),
    )
