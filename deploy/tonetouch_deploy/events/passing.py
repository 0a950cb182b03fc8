"""Passing through a stream in order, from a place on: to its end as it is now, or for as long as somebody listens.

The consumer behind it lives in the server's memory, acknowledges nothing, and goes when nobody asks it any more.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Any, Self

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from tonetouch_deploy.events.reaching import REQUEST_SECONDS, api
from tonetouch_deploy.events.stored import Stored, stored
from tonetouch_deploy.settings import CannotStartError

BATCH = 2000
_NANO = 1_000_000_000
_IDLE_SECONDS = 5.0
_GONE_SECONDS = 60.0
_NOTHING_NOW = ("404", "408")


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Where a passage begins: at a sequence, or at the first message stored at a moment (RFC 3339) or later."""

    sequence: int = 1
    moment: str | None = None

    def to_config(self) -> dict[str, Any]:
        """The part of a consumer's configuration that says so."""
        if self.moment is not None:
            return {"deliver_policy": "by_start_time", "opt_start_time": self.moment}
        return {"deliver_policy": "by_start_sequence", "opt_start_seq": max(self.sequence, 1)}


class Passage:
    """A consumer of one stream. `left` says how many messages it has still to give of those that were there."""

    def __init__(self, client: Client, stream: str, name: str, *, left: int, batch: int) -> None:
        self._client = client
        self._stream = stream
        self._name = name
        self._inbox = client.new_inbox()
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._batch = batch
        self.left = left

    @classmethod
    async def begin(
        cls,
        client: Client,
        stream: str,
        start: Start,
        *,
        filters: Sequence[str] = (),
        headers_only: bool = False,
        batch: int = BATCH,
    ) -> Self:
        """Make the consumer; it gives `batch` messages at a time. Raises CannotStartError with the server's words."""
        name = client.new_inbox().rpartition(".")[2]
        config = start.to_config() | {
            "name": name,
            "ack_policy": "none",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": int(_GONE_SECONDS * _NANO),
            "filter_subjects": list(filters) or None,
            "headers_only": headers_only,
        }
        body = {"stream_name": stream, "config": config, "action": "create"}
        made = await api(client, f"CONSUMER.CREATE.{stream}.{name}", body, _Made)
        return cls(client, stream, name, left=made.num_pending, batch=batch)

    async def to_the_end(self) -> AsyncGenerator[list[Stored], None]:
        """What was there at the beginning, in batches. Raises CannotStartError where it breaks off."""
        async with aclosing(self._batches()) as batches:
            async for batch in batches:
                yield batch
                if self.left <= 0:
                    return

    async def onwards(self) -> AsyncGenerator[list[Stored], None]:
        """The same, and what comes after it, until the caller leaves."""
        async with aclosing(self._batches(onwards=True)) as batches:
            async for batch in batches:
                yield batch

    async def _batches(self, *, onwards: bool = False) -> AsyncGenerator[list[Stored], None]:
        subscription = await self._client.subscribe(self._inbox, cb=self._arrived.put)
        try:
            while onwards or self.left > 0:
                wanted = self._batch if onwards else min(self._batch, self.left)
                await self._ask_for(wanted)
                while wanted > 0:
                    messages, ended = await self._take()
                    wanted -= len(messages)
                    self.left -= len(messages)
                    if messages:
                        yield [stored(message) for message in messages]
                    if ended:
                        break
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()
                await self._client.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}")

    async def _ask_for(self, count: int) -> None:
        request = {"batch": count, "expires": int(_IDLE_SECONDS * _NANO)}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}"
        await self._client.publish(subject, msgspec.json.encode(request), reply=self._inbox)

    async def _take(self) -> tuple[list[Msg], bool]:
        """What has arrived, one at least, and whether the server has ended its answer."""
        try:
            message = await asyncio.wait_for(self._arrived.get(), _IDLE_SECONDS + REQUEST_SECONDS)
        except TimeoutError:
            raise CannotStartError(f"The bus stopped giving {self._stream}; run the command again.") from None
        messages: list[Msg] = []
        while True:
            if (status := (message.headers or {}).get("Status")) is None:
                messages.append(message)
            elif status in _NOTHING_NOW:
                return messages, True
            else:
                words = (message.headers or {}).get("Description", status)
                raise CannotStartError(f"The bus stopped giving {self._stream}: {words}; run the command again.")
            if self._arrived.empty():
                return messages, False
            message = self._arrived.get_nowait()


class _Made(msgspec.Struct, frozen=True):
    num_pending: int = 0
