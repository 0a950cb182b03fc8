"""Requests a minute: who comes too early is told so, and how long to wait."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

WINDOW_SECONDS = 60.0


@dataclass
class Limit:
    """At most `per_minute` requests in any 60 seconds (sliding) or in a minute of the clock (fixed)."""

    per_minute: int
    window: Literal["sliding", "fixed"] = "sliding"
    seconds: float = WINDOW_SECONDS
    says_retry_after: bool = True
    _let_in: list[float] = field(default_factory=list)

    def admit(self, now: float) -> float:
        """0.0 when the request is let in, else the seconds until there is room again."""
        start = now - self.seconds if self.window == "sliding" else now // self.seconds * self.seconds - 1e-9
        self._let_in = self._let_in[bisect_right(self._let_in, start) :]
        if len(self._let_in) < self.per_minute:
            self._let_in.append(now)
            return 0.0
        if self.window == "fixed":
            return (now // self.seconds + 1) * self.seconds - now
        return self._let_in[0] + self.seconds - now if self._let_in else self.seconds


def busiest_window(moments: list[float], seconds: float) -> int:
    """The most moments within any half-open window of that length."""
    most, first = 0, 0
    ordered = sorted(moments)
    for last, moment in enumerate(ordered):
        while ordered[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
