"""Fetching from the durable consumers of the manifest."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from tonetouch_contracts.manifest import Consumer
from tonetouch_runtime._bus import Bus
from tonetouch_runtime._pace import Pace
from tonetouch_runtime._pausing import Gate
from tonetouch_runtime._recorded import origin_of

log = structlog.get_logger()

HANDLED_WITHIN_SECONDS = 1800.0
"""A handler that takes longer hangs: it is cancelled, and that counts as a failure."""

FINISHED_WITHIN_SECONDS = 10.0
"""How long a process that stops goes on with what it has begun."""

STARVED = 5
"""Fetches in a row that may find nothing although there is something: it may have come just then."""

_PAUSE_SECONDS = 0.2
_REBIND_SECONDS = 1.0
_SETTLED_SECONDS = 1.0
_NOTHING_THERE = frozenset({"404", "408"})


class Pull:
    """Fetches from a durable consumer, and keeps what is out from being delivered again.

    With `in_order` everything that is unfinished is taken back first whenever deliveries may have been lost (at start,
    and after every reconnect): left alone, it would come back *after* newer events of its entity.
    """

    def __init__(self, bus: Bus, consumer: Consumer, *, in_order: bool = False) -> None:
        self.consumer = consumer
        self.problem: str | None = None
        self.gate = Gate()
        self.pace = Pace()
        self._bus = bus
        self._in_order = in_order
        self._out: dict[int, Msg] = {}
        self._subscription: Subscription | None = None
        self._bound_at = 0
        self._starved = 0
        self._heart: asyncio.Task[None] | None = None

    async def fetch(self, most: int, *, wait_seconds: float = 2.0) -> list[Msg]:
        """What is there, `most` at the most, as soon as one is; an empty list after the wait, or when the bus is away.

        A message that is out already and is delivered again is not handed out twice.
        """
        if not self.gate.is_open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.gate.passed(), wait_seconds)
            return []
        if not self._bus.is_connected:
            # What is asked now would be kept and answered later, to nobody.
            self.problem = f"{self.consumer.name} cannot be read (the bus is away)"
            await asyncio.sleep(_PAUSE_SECONDS)
            return []
        try:
            messages = await self._take(await self._bound(), most, wait_seconds)
            if self._bus.reconnects != self._bound_at:
                # Some that came before these may be lost on the old connection: take all of them back.
                return []
            if not messages:
                self.problem = await self._check()
                return []
            if not self.gate.is_open and not self._in_order:
                return await self._hand_back(messages)
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            # Deleted behind our back, leadership moved, the server restarts: bind anew, and not in a spin.
            self.problem = f"{self.consumer.name} cannot be read ({type(error).__name__}: {error})"
            log.warning("fetch_failed", consumer=self.consumer.name, error=repr(error))
            await self._unbind()
            await asyncio.sleep(_REBIND_SECONDS)
            return []
        self.problem, self._starved = None, 0
        delivered = {origin_of(message)[1]: message for message in messages}
        fresh = [message for sequence, message in delivered.items() if sequence not in self._out]
        self._out |= delivered
        return fresh

    @property
    def in_hand(self) -> int:
        """How many messages are out."""
        return len(self._out)

    async def ack(self, message: Msg) -> None:
        """Done with this message."""
        self.pace.took(1)
        await self._close(message, lambda latest: latest.ack())

    async def again(self, message: Msg, seconds: float) -> None:
        """Deliver it again after a while."""
        await self._close(message, lambda latest: latest.nak(delay=seconds))

    async def stop(self) -> None:
        """Hand back what is out, so that whoever comes next need not wait for it to expire."""
        if self._heart is not None:
            self._heart.cancel()
        for message in list(self._out.values()):
            await self.again(message, 0.01)
        await self._unbind()

    async def _bound(self) -> Subscription:
        if self._heart is None:
            self._heart = asyncio.create_task(self._beat())
        if self._subscription is not None and self._bus.reconnects == self._bound_at:
            return self._subscription
        # A new inbox each time: what an old request still brings is nobody's, and is delivered again.
        await self._unbind()
        self._bound_at = self._bus.reconnects
        if self._in_order:
            await self._take_back()
        self._subscription = await self._bus.nats.subscribe(self._bus.nats.new_inbox())
        return self._subscription

    async def _hand_back(self, messages: Sequence[Msg]) -> list[Msg]:
        """What came when the gate had closed is for later. Where order counts it waits in its lane instead."""
        for message in messages:
            await message.nak(delay=0.01)
        return []

    async def _unbind(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None and self._bus.is_connected:
            # What a cancelled fetch left in its queue would keep the connection from draining.
            await subscription.unsubscribe()

    async def _take_back(self) -> None:
        consumer = self.consumer
        info = await self._bus.jetstream.consumer_info(consumer.stream, consumer.name)
        floor = info.ack_floor.stream_seq if info.ack_floor else 0
        if info.num_ack_pending:
            await self._bus.jetstream.reset_consumer(consumer.stream, consumer.name, seq=floor + 1)

    async def _take(self, subscription: Subscription, most: int, wait_seconds: float) -> list[Msg]:
        """First what is there, then a wait for one, then what came with it: nobody waits for a batch to be full."""
        messages = await self._request(subscription, most, None)
        if not messages:
            messages = await self._request(subscription, 1, wait_seconds)
            if messages and most > 1:
                messages += await self._request(subscription, most - 1, None)
        return messages

    async def _request(self, subscription: Subscription, most: int, wait_seconds: float | None) -> list[Msg]:
        asked = (
            {"batch": most, "no_wait": True}
            if wait_seconds is None
            else {"batch": most, "expires": _nano(wait_seconds)}
        )
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.consumer.stream}.{self.consumer.name}"
        await self._bus.nats.publish(subject, msgspec.json.encode(asked), reply=subscription.subject)
        # The server ends every request by itself, within its time.
        deadline = time.monotonic() + (wait_seconds or 0.0) + _SETTLED_SECONDS
        messages: list[Msg] = []
        while len(messages) < most:
            message = await subscription.next_msg(timeout=max(deadline - time.monotonic(), 0.01))
            status = (message.headers or {}).get("Status")
            if status in _NOTHING_THERE:
                break
            if status is not None and not message.data:
                raise nats.js.errors.APIError.from_msg(message)
            messages.append(message)
        return messages

    async def _close(self, message: Msg, say: Callable[[Msg], Awaitable[None]]) -> None:
        # Delivered again meanwhile, it is the later delivery that the server waits for.
        latest = self._out.pop(origin_of(message)[1], message)
        try:
            await say(latest)
        except nats.errors.Error as error:
            # It will be delivered again, and handling it twice changes nothing.
            log.info("acknowledgement_lost", consumer=self.consumer.name, error=repr(error))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.consumer.ack_wait_seconds / 3)
            for sequence, message in list(self._out.items()):
                # Those that were finished during this round are none of it any more.
                if self._out.get(sequence) is message:
                    try:
                        await message.in_progress()
                    except nats.errors.Error as error:
                        log.info("heartbeat_lost", consumer=self.consumer.name, error=repr(error))

    async def _check(self) -> str | None:
        """A fetch that finds nothing looks the same whether the consumer is idle, gone or stuck: ask.

        It is stuck where it has something that nobody has in hand, and gives nothing time after time.
        """
        info = await self._bus.jetstream.consumer_info(self.consumer.stream, self.consumer.name)
        waits = bool(info.num_pending) and not info.num_ack_pending
        self._starved = self._starved + 1 if waits else 0
        if self._starved < STARVED:
            return None
        await self._unbind()
        return f"{self.consumer.name} has {info.num_pending} to give and gives none: is it paused on the server?"


def _nano(seconds: float) -> int:
    return int(seconds * 1_000_000_000)


async def finish(tasks: set[asyncio.Task[None]], seconds: float) -> None:
    """Let what was begun come to its end; after the bound, cancel it and see it gone."""
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
