"""A limit and how much of it is taken: pure, as all processes share it.

The generic cell rate algorithm (ITU-T I.371): slots follow each other at an even interval, and what has to be
remembered is when the next one is free.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from tonetouch_contracts.job import Priority

Reason = Literal["paced", "rate_limited", "out_of_capacity", "daily_quota"]
"""What a call waited for: its turn, or the end of a pause that a provider's answer has made."""

_AHEAD: Mapping[Priority, float] = {"interactive": float("inf"), "refresh": 0.75, "ingest": 0.5}
"""How far ahead slots may be taken, in parts of the time by which an interactive call may be early."""

_BACK_OFF: Mapping[Reason, tuple[float, float]] = {"rate_limited": (5.0, 60.0), "out_of_capacity": (1.0, 30.0)}
"""The first pause and the longest, in seconds, where a provider does not say how long."""

FORGOTTEN_AFTER_SECONDS = 120.0
"""After a pause so long ago the next one is a first one again."""

_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in any span of so many seconds.

    Slots are `interval` apart, and a call is sent at most `early` before its slot, so any span holds at most
    ``seconds / interval + burst`` calls. That is at least 1.5 % below the limit for what is sent a little late, and
    slots alone use more than 95 % of it. Limits under a hundred leave no room for a burst.
    """

    number: int
    seconds: float = 60.0
    interval: float = field(init=False)
    burst: int = field(init=False)

    def __post_init__(self) -> None:
        small = self.number < 100
        interval = 1.02 * self.seconds / self.number if small else self.seconds / (0.965 * self.number)
        object.__setattr__(self, "interval", interval)
        object.__setattr__(self, "burst", 1 if small else self.number // 50)

    @property
    def early(self) -> float:
        """By how many seconds an interactive call may be sent before its slot."""
        return (self.burst - 1) * self.interval

    def ahead(self, priority: Priority) -> float:
        """How many seconds ahead calls of a priority may take slots."""
        return float("inf") if priority == "interactive" else self.early * _AHEAD[priority]


class Pace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What processes share of a limit. Times are seconds since 1970.

    `free_at` is the next free slot. Nothing is sent before `paused_until`; `refusals` counts the pauses in a row.
    """

    free_at: float = 0.0
    paused_until: float = 0.0
    because: Reason = "paced"
    refusals: int = 0
    refused_at: float = 0.0

    def next_slot(self, limit: Limit, now: float) -> float:
        """When the next free slot is. One that is further off than anybody waits comes from a clock that is wrong."""
        furthest = now + 2 * (limit.seconds + limit.interval)
        return max(min(self.free_at, furthest), now, self.paused_until)

    def take(self, limit: Limit, now: float, number: int) -> tuple["Pace", list[float]]:
        """The pace after so many slots were taken, and the slots."""
        first = self.next_slot(limit, now)
        slots = [first + place * limit.interval for place in range(number)]
        return msgspec.structs.replace(self, free_at=first + number * limit.interval), slots

    def sent_at(self, slot: float, limit: Limit, priority: Priority) -> float:
        """When the call that has a slot may be sent."""
        return max(slot - (limit.early if priority == "interactive" else 0.0), self.paused_until)

    def refused(self, reason: Reason, now: float, *, retry_after: float | None = None, luck: float = 1.0) -> "Pace":
        """The pace after a provider did not take a call. `luck` is between 0 and 1 and spreads the pauses.

        A used-up day is over at midnight UTC. Otherwise the pause is what the provider asked for, or twice the last
        one, less up to half of it. Calls that were on their way when a pause began tell nothing new.
        """
        if reason == "daily_quota":
            until = (now // _DAY_SECONDS + 1) * _DAY_SECONDS + luck
            return msgspec.structs.replace(self, paused_until=until, because=reason, refused_at=now)
        in_pause = now < self.paused_until
        if in_pause and retry_after is None:
            return self
        forgotten = now - max(self.refused_at, self.paused_until) > FORGOTTEN_AFTER_SECONDS
        refusals = self.refusals if in_pause else 1 if forgotten else self.refusals + 1
        if retry_after is None:
            first, longest = _BACK_OFF[reason]
            retry_after = min(first * 2.0 ** min(refusals - 1, 10), longest) * (0.5 + luck / 2)
        if now + retry_after <= self.paused_until:
            return self
        return msgspec.structs.replace(
            self, paused_until=now + retry_after, because=reason, refusals=refusals, refused_at=now
        )
