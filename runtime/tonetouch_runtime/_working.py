"""`works`: a service takes queued work, several at once, until it is done.

A task that fails comes back after a growing delay; the work itself says in the log what it expected to fail. A killed
worker's task comes back by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from nats.aio.msg import Msg

from tonetouch_contracts.manifest import Consumer
from tonetouch_runtime._bus import Bus, stop_if_told, told_causation, told_correlation
from tonetouch_runtime._clock import stamp
from tonetouch_runtime._hearing import delay_before
from tonetouch_runtime._pulling import FINISHED_WITHIN_SECONDS, HANDLED_WITHIN_SECONDS, Pull, finish
from tonetouch_runtime._task import Task
from tonetouch_runtime.errors import NotNow
from tonetouch_runtime.telemetry.hops import working

log = structlog.get_logger()

QUEUE_FULL = 10077
"""The server's code for a message that does not fit: there is one of its subject already, or no room at all."""


Work = Callable[[Sequence[Task]], Awaitable[None]]


class Worker:
    """Takes the tasks of one consumer: one at a time in `parallel` hands, or `at_most` of them together."""

    def __init__(
        self,
        bus: Bus,
        consumer: Consumer,
        work: Work,
        *,
        parallel: int = 1,
        at_most: int = 1,
        longest_seconds: float = HANDLED_WITHIN_SECONDS,
    ) -> None:
        self.pull = Pull(bus, consumer)
        self._work = work
        self._parallel = parallel
        self._at_most = at_most
        self._longest_seconds = longest_seconds

    async def run(self) -> None:
        """Work for ever. Fetches only what there is a free hand for: what waits here could expire here.

        When stopped it takes no more, finishes what it has begun within a bound, and hands the rest back.
        """
        hands = asyncio.Semaphore(self._parallel)
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                await hands.acquire()
                messages = await self.pull.fetch(self._at_most)
                stop_if_told()
                if not messages:
                    hands.release()
                    continue
                task = asyncio.create_task(self._do(messages))
                running.add(task)
                task.add_done_callback(running.discard)
                task.add_done_callback(lambda _: hands.release())
        finally:
            await finish(running, FINISHED_WITHIN_SECONDS)
            await self.pull.stop()

    async def _do(self, messages: Sequence[Msg]) -> None:
        tasks = [task_of(message) for message in messages]
        try:
            with working(self.pull.consumer.name, tasks):
                async with asyncio.timeout(self._longest_seconds):
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
    metadata = message.metadata
    return Task(
        step=step,
        entity_id=entity,
        deliveries=metadata.num_delivered or 1,
        correlation=told_correlation(message.headers),
        causation=told_causation(message.headers),
        traceparent=(message.headers or {}).get("traceparent"),
        queued_at=stamp(metadata.timestamp),
    )
