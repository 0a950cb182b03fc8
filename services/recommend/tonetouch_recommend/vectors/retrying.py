"""Trying again, within a bound, what a network or a busy server did to a call."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from .collection import UnreachableError

T = TypeVar("T")

FIRST_DELAY_SECONDS: Final = 0.25
LONGEST_DELAY_SECONDS: Final = 8.0


class AgainError(Exception):
    """It may succeed later; `after` is in how many seconds, where the answer said so."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


async def retrying(attempt: Callable[[], Awaitable[T]], *, seconds: float, what: str) -> T:
    """What the first attempt gives that does not raise `AgainError`; the delay between them grows.

    Raises `UnreachableError` once the next one would begin later than `seconds` after the first, with the last reason.
    """
    deadline, delay = time.monotonic() + seconds, FIRST_DELAY_SECONDS
    while True:
        try:
            return await attempt()
        except AgainError as again:
            wait = delay if again.after is None else again.after
            if time.monotonic() + wait > deadline:
                raise UnreachableError(f"{what} was not answered within {seconds:g} s: {again}") from None
        await asyncio.sleep(wait)
        delay = min(2 * delay, LONGEST_DELAY_SECONDS)
