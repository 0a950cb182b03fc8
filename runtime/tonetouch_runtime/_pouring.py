"""Pouring: facts that no rule guards and that come in floods, several callers in one append."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context

import msgspec

from tonetouch_contracts.message import Event, Positions, same_positions
from tonetouch_runtime._recorded import Decision
from tonetouch_runtime._telemetry import Cause, current_cause
from tonetouch_runtime.errors import Unavailable

Append = Callable[..., Awaitable[Positions]]
_Poured = tuple[Event, str, Cause, asyncio.Future[Positions]]
"""An event, what its id is made from, why it is said, and who waits for it."""

_ONCE = "once"


class Pourer:
    """Group commit: what arrives while one batch is on its way to the disk makes the next."""

    def __init__(self, append: Append, stream_name: Callable[[type[Event]], str]) -> None:
        self._append = append
        self._stream_name = stream_name
        self._waiting: dict[str, list[_Poured]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    async def pour(self, events: Sequence[Event], *, once: bool = False) -> Positions:
        """Return when all of them are on the disk. Raises what the append of one of them raised.

        With `once` an event is the same as another of its type and entity, whatever the two say.
        """
        loop, cause = asyncio.get_running_loop(), current_cause()
        kept: Positions = {}
        futures = []
        for event in events:
            stream = self._stream_name(type(event))
            future: asyncio.Future[Positions] = loop.create_future()
            self._waiting.setdefault(stream, []).append((event, _ONCE if once else _content_key(event), cause, future))
            futures.append(future)
            if stream not in self._running:
                # What drains belongs to nobody's story: every fact brings its own.
                self._running[stream] = asyncio.create_task(self._drain(stream), context=Context())
        for positions in await asyncio.gather(*futures):
            kept = same_positions(kept, positions)
        return kept

    async def _drain(self, stream: str) -> None:
        try:
            while waiting := self._waiting.get(stream):
                taken, self._waiting[stream] = _one_per_entity(waiting)
                await self._commit(taken)
        finally:
            del self._running[stream]

    async def _commit(self, taken: Sequence[_Poured]) -> None:
        decisions = [
            Decision(entity_id=event.entity_id, events=(event,), expected=None, key=key, cause=cause)
            for event, key, cause, _ in taken
        ]
        try:
            positions = await self._append(*decisions)
        except Exception as error:
            if len(taken) == 1 or isinstance(error, Unavailable):
                _resolve(taken, error)
                return
            # One of them was poured before, or can never be kept, and the whole batch is refused: singly, it is told
            # from the rest.
            for item in taken:
                await self._commit([item])
        else:
            _resolve(taken, positions)


def _resolve(taken: Sequence[_Poured], result: Positions | Exception) -> None:
    for *_, future in taken:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)


def _one_per_entity(waiting: Sequence[_Poured], most: int = 200) -> tuple[list[_Poured], list[_Poured]]:
    """Split what waits into the next batch and the rest, in order, an entity at most once in the batch."""
    seen: set[str] = set()
    taken: list[_Poured] = []
    left: list[_Poured] = []
    for item in waiting:
        entity = item[0].entity_id
        if len(taken) < most and entity not in seen:
            taken.append(item)
        else:
            left.append(item)
        seen.add(entity)
    return taken, left


def _content_key(event: Event) -> str:
    return msgspec.json.encode(event).decode()
