"""Warm once, then fan out: the first request with a context goes alone, the others wait for it.

A provider's prompt cache has an entry only when an answer has begun; a batch on a cold context would pay for writing
each time. Per process: two processes that begin at the same moment write twice, no more.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

WARM_SECONDS = 3000.0
"""Shorter than the hour that a provider is asked to keep a context."""

MOST_CONTEXTS = 10_000


class _Warmth:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.until = float("-inf")


class Warming:
    """Which contexts are warm. `now` is a clock in seconds."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._contexts: OrderedDict[str, _Warmth] = OrderedDict()

    @asynccontextmanager
    async def turn(self, context_sha256: str | None) -> AsyncIterator[None]:
        """Around a request: alone while its context is cold, at once when it is warm or there is none.

        A request that fails leaves its context cold, and the next one goes alone.
        """
        if context_sha256 is None:
            yield
            return
        warmth = self._of(context_sha256)
        async with warmth.lock:
            if warmth.until <= self._now():
                yield
                warmth.until = self._now() + WARM_SECONDS
                return
        yield

    def _of(self, context_sha256: str) -> _Warmth:
        warmth = self._contexts.setdefault(context_sha256, _Warmth())
        self._contexts.move_to_end(context_sha256)
        if len(self._contexts) > MOST_CONTEXTS:
            oldest = next(iter(self._contexts))
            if not self._contexts[oldest].lock.locked():
                del self._contexts[oldest]
        return warmth
