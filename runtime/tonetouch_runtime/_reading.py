"""Reading a stream in order, from a sequence on, for as long as the process lives."""

import asyncio
import contextlib
from typing import Any

import nats.errors
import nats.js.errors
import structlog
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from tonetouch_runtime._bus import Bus, stop_if_told
from tonetouch_runtime._flow import Flow
from tonetouch_runtime._recorded import origin_of

log = structlog.get_logger()

QUEUED = 2000
"""Messages that wait in the process; more stay with the server."""

_STALL_SECONDS = 5.0
_PAUSE_SECONDS = 0.5
_EVERYTHING = ">"


Placed = tuple[int, Msg]
"""A message and its place in the stream."""


class Reader:
    """An ordered reader of one stream (or of what a filter leaves of it), in batches of what is there.

    It survives the server going away, comes back to where it was, and hands nothing out twice. With `headers_only` the
    bodies stay with the server.
    """

    def __init__(
        self, bus: Bus, stream: str, *, start: int, subject: str = _EVERYTHING, headers_only: bool = False
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._subject = subject
        self._headers_only = headers_only or None
        self._next = start
        self._bits: int | None = None
        self._inflow = _Inflow()
        self._subscription: Any = None
        self._flow: Flow | None = None
        self._subscribed_at = 0
        self._is_first = True
        self._has_moved = False

    def go_to(self, sequence: int) -> None:
        """Read on from another place, at once; what waits in the process from elsewhere is not handed out."""
        self._next, self._has_moved = sequence, True
        self._inflow.interrupt()

    def throttle(self, bits: int) -> None:
        """Let the server give no more than so many bits a second, headers and subjects included."""
        self._bits = bits
        self.go_to(self._next)

    async def batch(self, most: int) -> list[Placed]:
        """Wait for an event, then take what else is there, `most` at the most."""
        placed: list[Placed] = []
        while not placed:
            if self._has_moved:
                self._has_moved, self._inflow = False, _Inflow()
                await self.close()
            await self._wait()
            if self._has_moved:
                continue
            for message in self._inflow.take(most):
                sequence = origin_of(message)[1]
                # After a new subscription a few events may come twice: what was read is not read again.
                if sequence < self._next:
                    continue
                if sequence > self._next and self._is_whole and not self._is_first:
                    await self._go_back(sequence)
                    break
                self._next, self._is_first = sequence + 1, False
                placed.append((sequence, message))
            if self._flow is not None and self._bus.is_connected:
                await self._flow.go_on()
        return placed

    async def close(self) -> None:
        """Leave the stream."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None and self._bus.is_connected:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    @property
    def _is_whole(self) -> bool:
        return self._subject == _EVERYTHING

    async def _wait(self) -> None:
        while not self._inflow.messages and not self._has_moved:
            stop_if_told()
            try:
                if self._subscription is None:
                    await self._subscribe()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_STALL_SECONDS):
                        await self._inflow.wait()
                    return
                await self._leave_if_stalled()
            except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
                log.warning("reader_failed", stream=self._stream, error=repr(error))
                await self.close()
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _subscribe(self) -> None:
        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self._next,
            headers_only=self._headers_only,
            rate_limit_bps=self._bits,
        )
        # What an abandoned subscription may still bring must not mix with the new one's.
        self._inflow = _Inflow()
        self._is_first = True
        self._subscribed_at = self._bus.reconnects
        self._subscription = await self._bus.jetstream.subscribe(
            self._subject, stream=self._stream, ordered_consumer=True, cb=self._inflow.put, config=config
        )
        self._flow = Flow(self._subscription)

    async def _go_back(self, sequence: int) -> None:
        """Nothing is ever deleted from a stream of truth: what is missing was lost on its way, and is read again."""
        log.warning("reader_gap", stream=self._stream, expected=self._next, got=sequence)
        await self.close()
        self._inflow = _Inflow()

    async def _leave_if_stalled(self) -> None:
        """'The head moves, we do not': a lost consumer looks just like a quiet stream, so the stream is asked."""
        if self._subscribed_at != self._bus.reconnects:
            # The library's own recovery would read from the first event of the stream.
            await self.close()
        elif self._is_whole:
            info = await self._bus.jetstream.stream_info(self._stream)
            if info.state.last_seq >= self._next and not self._inflow.messages:
                log.warning("reader_stalled", stream=self._stream, next=self._next, head=info.state.last_seq)
                await self.close()


class _Inflow:
    """What one subscription has brought and nobody has taken: a queue that is emptied in slices, not one by one."""

    def __init__(self, most: int = QUEUED) -> None:
        self.messages: list[Msg] = []
        self._most = most
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._is_over = False

    async def put(self, message: Msg) -> None:
        """Add a message; returns when there is room for another."""
        if self._is_over:
            return
        self.messages.append(message)
        self._something.set()
        if len(self.messages) >= self._most:
            self._room.clear()
            await self._room.wait()

    async def wait(self) -> None:
        """Return when there is something to take, or never will be."""
        while not self.messages and not self._is_over:
            self._something.clear()
            await self._something.wait()

    def interrupt(self) -> None:
        """Nobody reads this any more."""
        self._is_over, self.messages = True, []
        self._something.set()
        self._room.set()

    def take(self, most: int) -> list[Msg]:
        """The oldest messages, `most` at the most."""
        taken, self.messages = self.messages[:most], self.messages[most:]
        self._room.set()
        return taken
