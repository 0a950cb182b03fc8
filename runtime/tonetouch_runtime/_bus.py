"""The one connection of a process to NATS, and asking other services over it.

FastStream carries the request/reply side. What reads and appends the log uses the same connection through nats-py:
a framework in that path costs several times the work itself.
"""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
import nats.errors
from fast_depends.msgspec import MsgSpecSerializer
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.js import JetStreamContext
from tonetouch_contracts.message import Command, Positions, Problem
from tonetouch_contracts.subjects import command_subject

from tonetouch_runtime._telemetry import current_cause, logger, new_traceparent
from tonetouch_runtime.errors import Refused, Unavailable

R = TypeVar("R")

AFTER = "Tonetouch-After"
CORRELATION = "Tonetouch-Correlation"


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
        self.broker = broker
        self.nats = client
        self.jetstream: JetStreamContext = client.jetstream()
        self._leaving = leaving

    @classmethod
    async def connect(cls, url: str, name: str, *, on_closed: Callable[[], None] | None = None) -> "Bus":
        """Connect and stay: reconnects are unlimited, and waiting for a server that is not up yet is normal."""
        leaving = asyncio.Event()
        watch = _ConnectionLog(leaving, on_closed or _exit)
        broker = NatsBroker(
            url,
            name=name,
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
        return cls(broker, await broker.connect(), leaving)

    async def close(self) -> None:
        """Stop answering, finish what runs, and leave."""
        self._leaving.set()
        await self.broker.stop()

    @property
    def is_connected(self) -> bool:
        return self.nats.is_connected

    async def ask(
        self,
        command: Command[R],
        *,
        after: Positions | None = None,
        service: str | None = None,
        timeout: float = 30.0,
    ) -> Answered[R]:
        """Ask a service and wait for its answer. Raises Refused with its problem, or Unavailable.

        `after` are positions the answer has to include: the other side waits until it has seen them.
        """
        reply_type: Any = command.reply_type()
        cause = current_cause()
        headers = {"traceparent": cause.traceparent or new_traceparent()}
        if cause.correlation:
            headers[CORRELATION] = cause.correlation
        if after:
            headers[AFTER] = msgspec.json.encode(after).decode()
        subject = command_subject(type(command), service)
        try:
            message = await self.nats.request(subject, msgspec.json.encode(command), timeout, headers=headers)
        except nats.errors.NoRespondersError:
            raise Unavailable(f"nobody answers {subject} right now") from None
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"{subject} did not answer within {timeout:g} s ({type(error).__name__})") from error
        reply = msgspec.json.decode(message.data, type=Reply)
        if reply.problem is not None:
            raise Refused.because(reply.problem)
        return Answered(value=msgspec.json.decode(reply.value, type=reply_type), positions=reply.positions)


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
        now = time.monotonic()
        if now - self._last_failure > 10:
            self._last_failure = now
            logger().warning("bus_not_reached", error=f"{type(error).__name__}: {error}")


def _exit() -> None:
    # Nothing works without the bus, and the supervisor starts a fresh process: leaving is the honest answer.
    os._exit(70)
