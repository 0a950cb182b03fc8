"""The one connection of a process to NATS, and asking other services over it.

FastStream carries the request/reply side. What reads and appends the log uses the same connection through nats-py:
a framework in that path costs several times the work itself.
"""

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
import nats.errors
from fast_depends.msgspec import MsgSpecSerializer
from faststream.nats import NatsBroker
from faststream.security import SASLPlaintext
from nats.aio.client import Client
from nats.js import JetStreamContext

from tonetouch_contracts.envelope import EnvelopeError, decode_value, encode_value
from tonetouch_contracts.message import Command, Positions, Problem
from tonetouch_contracts.subjects import command_subject
from tonetouch_runtime._headers import quicken
from tonetouch_runtime._telemetry import current_cause, logger, new_traceparent
from tonetouch_runtime.errors import Misconfigured, Refused, Unavailable
from tonetouch_runtime.people import NOBODY, People
from tonetouch_runtime.settings import Settings
from tonetouch_runtime.telemetry.hops import asking

R = TypeVar("R")

AFTER = "Tonetouch-After"
CORRELATION = "Tonetouch-Correlation"
CAUSATION = "Tonetouch-Causation"

ANSWERED_WITHIN_SECONDS = 10.0
"""How long a service that stops goes on with the answers it has begun."""


class Answered(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """An answer, and the positions in the log that it produced."""

    value: R
    positions: Positions = msgspec.field(default_factory=dict)


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What travels back: a value or a problem, never neither."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    problem: Problem | None = None
    positions: Positions = msgspec.field(default_factory=dict)


class Bus:
    """A connected process. `nats` and `jetstream` are for the runtime; services ask."""

    def __init__(self, broker: NatsBroker, client: Client, leaving: asyncio.Event) -> None:
        self.people = NOBODY
        """Whose words are sealed on their way into the log, and opened on their way out of it."""
        self.broker = broker
        self.nats = client
        self.jetstream: JetStreamContext = client.jetstream()
        self._leaving = leaving

    @classmethod
    async def join(cls, settings: Settings, name: str) -> "Bus":
        """Connect to an installation's bus as the service, or in the role, of this name: it decides what is allowed."""
        user, password = settings.nats_user.replace("{service}", name), settings.nats_password.get_secret_value()
        bus = await cls.connect(settings.nats_url, name, user=user, password=password)
        bus.people = People(settings.people_folder)
        return bus

    @classmethod
    async def connect(
        cls, url: str, name: str, *, user: str = "", password: str = "", on_closed: Callable[[], None] | None = None
    ) -> "Bus":
        """Connect and stay: reconnects are unlimited, and waiting for a server that is not up yet is normal.

        A `user` counts more than the one in the address. Raises Misconfigured for an address that is none, and where
        the server does not know us.
        """
        leaving = asyncio.Event()
        watch = _ConnectionLog(leaving, on_closed or _exit)
        broker = NatsBroker(
            _anonymous(url) if user else url,
            name=name,
            # An inbox of our own, so that a server with permissions can keep others from reading our answers.
            inbox_prefix=f"_INBOX_{name}",
            security=SASLPlaintext(user, password) if user else None,
            serializer=MsgSpecSerializer(),
            allow_reconnect=True,
            # A FastStream subscriber spins on a closed connection: it must never close by itself.
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            connect_timeout=2,
            pending_size=64 << 20,
            drain_timeout=5,
            closed_cb=watch.closed,
            disconnected_cb=watch.disconnected,
            reconnected_cb=watch.reconnected,
            error_cb=watch.failed,
            logger=None,
        )
        try:
            client = await broker.connect()
        except (nats.errors.Error, ValueError) as error:
            # The address may hold a password: say what is wrong, never with what.
            raise Misconfigured(f"the bus of TONETOUCH_NATS_URL cannot be used ({_in_words(error)})") from None
        quicken(client)
        return cls(broker, client, leaving)

    async def stop_answering(self) -> None:
        """Take no new requests and finish the answers that were begun, within a bound."""
        answering: Any = self.broker.subscribers
        with contextlib.suppress(TimeoutError, nats.errors.Error):
            async with asyncio.timeout(ANSWERED_WITHIN_SECONDS):
                # Leaving first, then waiting: a request that came in between would be dropped without a word.
                for subscriber in answering:
                    subscription, subscriber.subscription = subscriber.subscription, None
                    if subscription is not None and self.is_connected:
                        await subscription.drain()
                while any(map(_is_busy, answering)):  # noqa: ASYNC110 (the framework has no event for it)
                    await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Stop answering, finish what runs, and leave."""
        self._leaving.set()
        await self.broker.stop()

    @property
    def is_connected(self) -> bool:
        return self.nats.is_connected

    @property
    def reconnects(self) -> int:
        """How often the connection was lost and found again: what was on its way at that moment may be lost."""
        return int(self.nats.stats["reconnects"])

    @property
    def largest_message(self) -> int:
        """Bytes of headers and body that the server takes in one message; beyond, it hangs up on us."""
        return self.nats.max_payload

    async def ask(
        self,
        command: Command[R],
        *,
        after: Positions | None = None,
        service: str | None = None,
        timeout: float = 30.0,
    ) -> Answered[R]:
        """Ask a service and wait for its answer. Raises Refused with its problem, or Unavailable.

        `after` are positions the answer has to include: the other side waits until it has seen them. A request that
        is larger than the bus carries is refused as too_large.
        """
        subject = command_subject(type(command), service)
        with asking(subject):
            return await self._ask(subject, command, after or {}, timeout)

    async def _ask(self, subject: str, command: Command[R], after: Positions, timeout: float) -> Answered[R]:
        reply_type: Any = command.reply_type()
        cause = current_cause()
        headers = {"traceparent": cause.traceparent or new_traceparent()}
        if cause.correlation:
            headers[CORRELATION] = encode_value(cause.correlation)
        if cause.causation:
            headers[CAUSATION] = encode_value(cause.causation)
        if after:
            headers[AFTER] = msgspec.json.encode(after).decode()
        body = msgspec.json.encode(command)
        if (size := wire_size(headers, body)) > self.largest_message:
            words = f"The request to {subject} has {size:,} bytes; at most {self.largest_message:,} can be sent."
            raise Refused("too_large", words)
        try:
            message = await self.nats.request(subject, body, timeout, headers=headers)
        except nats.errors.NoRespondersError:
            raise Unavailable(f"nobody answers {subject} right now") from None
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"{subject} did not answer within {timeout:g} s ({type(error).__name__})") from error
        try:
            reply = msgspec.json.decode(message.data, type=Reply)
            if reply.problem is None:
                return Answered(value=msgspec.json.decode(reply.value, type=reply_type), positions=reply.positions)
        except msgspec.DecodeError as error:
            raise Unavailable(f"{subject} answered what we cannot read: {error}") from error
        raise Refused.because(reply.problem)


def _anonymous(url: str) -> str:
    """The address (or several, with commas) without the users in it."""
    return ",".join(re.sub("//.*@", "//", one) for one in url.split(","))


def wire_size(headers: Mapping[str, str], body: bytes) -> int:
    """Bytes of a message as the server counts them against its limit: framed headers, and the body."""
    return 12 + sum(len(name) + len(value) + 4 for name, value in headers.items()) + len(body)


def stop_if_told() -> None:
    """Raise CancelledError where this task was cancelled: a library's wait that ends at that moment swallows it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def told_correlation(headers: Mapping[str, str] | None) -> str | None:
    """The story a request or a task belongs to; none where the header is not one of ours."""
    return _told(headers, CORRELATION)


def told_causation(headers: Mapping[str, str] | None) -> str | None:
    """The message because of which something is asked or queued; none where the header is not one of ours."""
    return _told(headers, CAUSATION)


def _told(headers: Mapping[str, str] | None, name: str) -> str | None:
    try:
        said = (headers or {}).get(name)
        return None if said is None else decode_value(said)
    except EnvelopeError:
        return None


def _is_busy(subscriber: Any) -> bool:
    """Whether a subscriber still has requests in its hands or in its queue."""
    waiting: int = subscriber.send_stream.statistics().current_buffer_used
    return waiting > 0 or subscriber.limiter.value < subscriber.max_workers


def _in_words(error: Exception) -> str:
    if isinstance(error, ValueError):
        return "it is not an address like nats://host:4222"
    return f"{type(error).__name__}: {error}".removesuffix(": ")


class _ConnectionLog:
    """Says what becomes of the connection, without repeating itself at every attempt."""

    def __init__(self, leaving: asyncio.Event, on_closed: Callable[[], None]) -> None:
        self._leaving = leaving
        self._on_closed = on_closed
        self._last_failure = 0.0

    async def closed(self) -> None:
        if not self._leaving.is_set():
            logger().error("bus_closed")
            self._on_closed()

    async def disconnected(self) -> None:
        if not self._leaving.is_set():
            logger().warning("bus_disconnected")

    async def reconnected(self) -> None:
        logger().info("bus_reconnected")

    async def failed(self, error: Exception) -> None:
        if "permissions violation" in str(error).lower():
            # Whoever asked only sees that no answer comes: this is where it is said why.
            logger().error("bus_refused", error=str(error))
            return
        now = time.monotonic()
        if now - self._last_failure > 10:
            self._last_failure = now
            logger().warning("bus_not_reached", error=f"{type(error).__name__}: {error}")


def _exit() -> None:
    # Nothing works without the bus, and the supervisor starts a fresh process: leaving is the honest answer.
    os._exit(70)
