"""Answers that are read while they come.

What a model says is collected by the task of the call, never by a reader: a reader that leaves stops nothing, and one
that comes late reads from the beginning.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Generic, TypeVar

from tonetouch_runtime.ai.asking import Answered
from tonetouch_runtime.ai.providers import Audio, Text
from tonetouch_runtime.ai.tasks import ChatResult, Result, SpeechResult

R = TypeVar("R", bound=Result)

Heard = Text | Audio


class Live:
    """What has come of one answer so far. Any number may read along."""

    def __init__(self) -> None:
        self.pieces: list[Heard] = []
        self.has_ended = False
        self._more = asyncio.Event()

    def put(self, piece: Heard) -> None:
        """One more piece, for all who read along."""
        self.pieces.append(piece)
        self._wake()

    def end(self) -> None:
        """There will be no more: it is complete, or it failed."""
        self.has_ended = True
        self._wake()

    async def __aiter__(self) -> AsyncIterator[Heard]:
        read = 0
        while True:
            more = self._more
            while read < len(self.pieces):
                read += 1
                yield self.pieces[read - 1]
            if self.has_ended:
                return
            await more.wait()

    def _wake(self) -> None:
        woken, self._more = self._more, asyncio.Event()
        woken.set()


class Streamed(Generic[R]):
    """An answer under way: iterate over its pieces, then ask for the whole with `answered`.

    An answer that was there already comes as one piece. Iterating raises nothing; `answered` raises what went wrong.
    """

    def __init__(self, live: Live, landing: Awaitable[Answered[R]]) -> None:
        self._live = live
        self._landing = landing

    async def __aiter__(self) -> AsyncIterator[Heard]:
        async for piece in self._live:
            yield piece

    async def answered(self) -> Answered[R]:
        """The whole answer, once it is complete and accounted for."""
        return await self._landing


def whole(result: Result) -> Heard | None:
    """A complete answer as one piece; None where there is nothing to read in it."""
    match result:
        case ChatResult(text=text) if text:
            return Text(text)
        case SpeechResult(audio=audio) if audio:
            return Audio(audio)
    return None
