"""Telling an upload's story as server-sent events: what is in the log first, then what comes.

A client that leaves is cancelled at its next wait, and again at every wait of its clean-up; so the log is followed by
a task of its own, which can let go of its subscription in peace.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
import structlog
from fastapi.sse import format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Send

from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Event
from tonetouch_gateway.ending import Ending
from tonetouch_runtime import Floor, Recorded

log = structlog.get_logger()

KEEP_ALIVE_SECONDS = 15.0
"""Shorter than the half minute after which common proxies take a silent connection for a dead one."""

KEEP_ALIVE = format_sse_event(comment="still here")
UNREADABLE = frozenset({"vector", "progression", "fingerprint", "lyrics"})
"""Fields that are for machines, or as long as a book."""

Facts = asyncio.Queue[Recorded[Event] | None]


class Telling(StreamingResponse):
    """A stream of server-sent events, which is closed when its client leaves."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        # nginx would collect the events until they are worth a packet.
        super().__init__(events, headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        self._events = events

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)


async def tell(
    floor: Floor,
    track_id: TrackId,
    *,
    past: Sequence[Recorded[Event]],
    ending: Ending,
    after: int,
    leaving: asyncio.Event,
) -> AsyncGenerator[bytes, None]:
    """The events behind `after`: of the `past`, which has led to `ending`, and then live.

    Ends at the ending of the story, when the service leaves, and when the log cannot be followed.
    """
    for fact in past:
        if fact.sequence > after:
            yield _spelt(fact)
    if ending.is_reached:
        return
    coming: Facts = asyncio.Queue()
    follow = asyncio.create_task(_follow(floor, track_id, past[-1].sequence if past else 0, coming))
    leave = asyncio.create_task(leaving.wait())
    for task in (follow, leave):
        task.add_done_callback(lambda _: coming.put_nowait(None))
    try:
        while not ending.is_reached:
            try:
                fact_or_end = await asyncio.wait_for(coming.get(), KEEP_ALIVE_SECONDS)
            except TimeoutError:
                yield KEEP_ALIVE
                continue
            if fact_or_end is None:
                return
            ending = ending.evolve(fact_or_end.event)
            if fact_or_end.sequence > after:
                yield _spelt(fact_or_end)
    finally:
        follow.cancel()
        leave.cancel()


async def _follow(floor: Floor, track_id: TrackId, after: int, coming: Facts) -> None:
    following = floor.log.follow("INGEST", track_id, after)
    try:
        async with aclosing(following) as facts:
            async for fact in facts:
                coming.put_nowait(fact)
    except Exception as error:
        # The stream ends here, and its client comes back with the id of the last event it has.
        log.warning("log_not_followed", track_id=track_id, error=f"{type(error).__name__}: {error}")


def _spelt(fact: Recorded[Event]) -> bytes:
    body: Mapping[str, Any] = msgspec.to_builtins(fact.event)
    shown = {name: value for name, value in body.items() if name not in UNREADABLE}
    said = msgspec.json.encode({"time": fact.time, **shown}).decode()
    return format_sse_event(id=str(fact.sequence), event=fact.event.wire_name(), data_str=said)
