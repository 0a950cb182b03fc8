"""Throttling: a stream comes as fast as it is kept, and steadily.

Unthrottled, the server gives what it can as soon as it may, in bursts of megabytes; for as long as one lasts, every
question that others ask waits for it.
"""

import time

FIRST_BITS = 300_000_000
"""A second, before anything is known: some twenty thousand events."""

MOST_BITS = 10_000_000_000
"""A second: where a slow server has us wait, going faster would help nobody, and never end."""

_LOOK_SECONDS = 1.0
_FEW, _MANY = 400, 950
_FASTER, _SLOWER = 1.25, 0.85


class Throttle:
    """The rate at which a stream is to come, from how many of its events are there when the last ones are kept.

    Few say that whoever keeps them waits for the next ones; many, that they come faster than they are kept.
    """

    def __init__(self) -> None:
        self.bits = FIRST_BITS
        self._began, self._batches, self._events = time.monotonic(), 0, 0

    def kept(self, count: int) -> bool:
        """Take note of a batch. True where the rate has changed."""
        self._batches, self._events = self._batches + 1, self._events + count
        now = time.monotonic()
        if now - self._began < _LOOK_SECONDS:
            return False
        mean = self._events / self._batches
        self._began, self._batches, self._events = now, 0, 0
        before = self.bits
        if mean < _FEW:
            self.bits = min(int(self.bits * _FASTER), MOST_BITS)
        elif mean > _MANY:
            self.bits = int(self.bits * _SLOWER)
        return self.bits != before
