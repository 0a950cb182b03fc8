"""Streams as files: the server's own snapshot of one, and a stream made of it.

A snapshot holds the messages with their sequences, times and headers, compressed and with the server's checksums; it
has no consumers in it. A stream can be made of one only where there is none of its name.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from tonetouch_deploy.events.looking import StreamState
from tonetouch_deploy.events.passing import Passage, Start
from tonetouch_deploy.events.reaching import api
from tonetouch_deploy.settings import CannotStartError

CHUNK_BYTES = 128 << 10
_SILENT_SECONDS = 30.0
_FIRST: Final = Start()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as it was at one moment. `config` and `state` are the server's, which wants them back as they are."""

    config: msgspec.Raw
    state: msgspec.Raw

    @property
    def holds(self) -> StreamState:
        """How much is in it."""
        return msgspec.json.decode(self.state, type=StreamState)


async def take(client: Client, stream: str, path: Path) -> Snapshot:
    """Write a snapshot of a stream. Raises CannotStartError where the server does not give it whole."""
    inbox = client.new_inbox()
    async with _arriving(client, inbox) as arrived:
        request = {"deliver_subject": inbox, "no_consumers": True, "chunk_size": CHUNK_BYTES}
        snapshot = await api(client, f"STREAM.SNAPSHOT.{stream}", request, Snapshot)
        with path.open("wb") as file:
            while (message := await _next(arrived, stream)).data:
                file.write(message.data)
                # Without these the server stops after a few megabytes.
                if message.reply:
                    await client.publish(message.reply, b"")
    if (status := (message.headers or {}).get("Status", "204")) not in ("204", "200"):
        words = (message.headers or {}).get("Description", status)
        raise CannotStartError(f"The bus broke off the snapshot of {stream}: {words}; run the command again.")
    return snapshot


async def put_back(client: Client, stream: str, snapshot: Snapshot, path: Path) -> None:
    """Make a stream of its snapshot. Raises CannotStartError where there is one already, or the file is damaged."""
    made = await api(client, f"STREAM.RESTORE.{stream}", snapshot, _Opened)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            await client.request(made.deliver_subject, chunk, _SILENT_SECONDS)
    # The empty chunk is the end of it; it is answered when all is on the disk.
    ended = await client.request(made.deliver_subject, b"", 10 * _SILENT_SECONDS)
    failed = msgspec.json.decode(ended.data, type=_Ended).error if ended.data else None
    if failed is not None:
        raise CannotStartError(f"The bus did not take {stream} back: {failed.get('description', failed)}.")


async def digest(client: Client, stream: str, last: int) -> tuple[int, str]:
    """How many messages a stream has up to a sequence, and a hash of where each stands, since when, and all of it."""
    count, seen = 0, sha256()
    passage = await Passage.begin(client, stream, _FIRST)
    async for batch in passage.to_the_end():
        for event in batch:
            if event.sequence > last:
                return count, seen.hexdigest()
            place = (event.sequence, event.subject, event.stored_at, sorted(event.headers.items()), len(event.body))
            seen.update(msgspec.json.encode(place))
            seen.update(event.body)
            count += 1
    return count, seen.hexdigest()


@asynccontextmanager
async def _arriving(client: Client, inbox: str) -> AsyncIterator[asyncio.Queue[Msg]]:
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await client.subscribe(inbox, cb=arrived.put)
    try:
        yield arrived
    finally:
        await subscription.unsubscribe()


async def _next(arrived: asyncio.Queue[Msg], stream: str) -> Msg:
    try:
        return await asyncio.wait_for(arrived.get(), _SILENT_SECONDS)
    except TimeoutError:
        raise CannotStartError(f"The bus stopped giving {stream}; run the command again.") from None


class _Opened(msgspec.Struct, frozen=True):
    deliver_subject: str


class _Ended(msgspec.Struct, frozen=True):
    error: dict[str, Any] | None = None
