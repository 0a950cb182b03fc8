"""Reading a known number of messages at once, without a consumer."""

import asyncio
import itertools
from typing import Any

import msgspec
from nats.aio.msg import Msg

from tonetouch_runtime._bus import Bus
from tonetouch_runtime.errors import Unavailable
from tonetouch_runtime.people import People

_REQUEST_SECONDS = 5.0


class Inbox:
    """Many answers to one request, over one subscription for the life of the process."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._prefix = bus.nats.new_inbox()
        self._waiting: dict[str, asyncio.Queue[Msg]] = {}
        self._numbers = itertools.count()
        self._subscribed: asyncio.Task[Any] | None = None

    @property
    def people(self) -> People:
        """Who said what is read here."""
        return self._bus.people

    async def get_batch(self, stream: str, subject_filter: str, count: int, start: int = 1) -> list[Msg]:
        """`count` messages under a filter from a sequence on, by direct get. Fewer where a replica has fewer."""
        if self._subscribed is None or (self._subscribed.done() and self._subscribed.exception()):
            self._subscribed = asyncio.ensure_future(self._bus.nats.subscribe(f"{self._prefix}.*", cb=self._arrived))
        await asyncio.shield(self._subscribed)
        token = str(next(self._numbers))
        queue = self._waiting[token] = asyncio.Queue()
        messages: list[Msg] = []
        try:
            await self._bus.nats.publish(
                f"$JS.API.DIRECT.GET.{stream}",
                msgspec.json.encode({"seq": start, "batch": count, "next_by_subj": subject_filter}),
                reply=f"{self._prefix}.{token}",
            )
            while len(messages) < count:
                message = await asyncio.wait_for(queue.get(), _REQUEST_SECONDS)
                if message.headers and message.headers.get("Status"):
                    break
                messages.append(message)
        except TimeoutError:
            raise Unavailable(f"{stream} does not answer a direct get") from None
        finally:
            del self._waiting[token]
        return messages

    async def _arrived(self, message: Msg) -> None:
        queue = self._waiting.get(message.subject.rpartition(".")[2])
        if queue is not None:
            queue.put_nowait(message)
