"""How fast something moves, and since when it does not: counted as it goes, so that nobody has to look twice."""

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 10.0
_APART_SECONDS = 0.5


class Pace:
    """Counts what was taken. `rate` is over the last ten seconds or so."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._begun = now()
        self._taken = 0
        self._marks: deque[tuple[float, int]] = deque([(self._begun, 0)])
        self._moved_at = self._begun

    def took(self, many: int) -> None:
        """So many were taken just now."""
        now = self._now()
        if now - self._marks[-1][0] >= _APART_SECONDS:
            self._marks.append((now, self._taken))
            while len(self._marks) > 2 and self._marks[1][0] < now - WINDOW_SECONDS:
                self._marks.popleft()
        self._taken += many
        self._moved_at = now

    @property
    def rate(self) -> float:
        """How many a second; 0 where nothing was taken within the window."""
        now = self._now()
        since = next((mark for mark in self._marks if mark[0] >= now - WINDOW_SECONDS), None)
        if since is None:
            return 0.0
        return (self._taken - since[1]) / max(now - since[0], _APART_SECONDS)

    @property
    def still_seconds(self) -> float:
        """How long nothing was taken; from the beginning where nothing ever was."""
        return self._now() - self._moved_at
