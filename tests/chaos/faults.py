"""What goes wrong, and when: drawn from a seed, so that it can be repeated; and doing it to a running installation."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from tests.journeys.platform import EVERYTHING, Platform

Kind = Literal["kill", "pause"]

PAUSES = 0.2
"""The share of pauses; the rest are kills."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: who is hit, after how many seconds, and for a pause how long it lasts.

    `is_last` of those that come together: the next waits until people get on with what they do.
    """

    victim: str
    kind: Kind
    after: float
    seconds: float = 0.0
    is_last: bool = True


def planned(seed: int) -> Iterator[Fault]:
    """Faults without end. Every part is hit about as often as the others: they come in shuffled rounds of all.

    Half of them come while what the last one hit has not recovered yet.
    """
    chance = random.Random(seed)
    while True:
        for victim in chance.sample(EVERYTHING, len(EVERYTHING)):
            is_pause, is_long = chance.random() < PAUSES, chance.random() < 0.2
            # One pause in five is longer than most waits for an answer.
            seconds = chance.uniform(8.0, 15.0) if is_long else chance.uniform(0.2, 3.0)
            yield Fault(
                victim=victim,
                kind="pause" if is_pause else "kill",
                after=chance.uniform(0.05, 1.5),
                seconds=seconds if is_pause else 0.0,
                is_last=chance.random() < 0.5,
            )


@dataclass
class Injected:
    """The faults that have hit a living process."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EVERYTHING, 0))
    pauses: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EVERYTHING, 0))

    @property
    def count(self) -> int:
        return sum(self.kills.values()) + sum(self.pauses.values())

    def inject(self, fault: Fault, platform: Platform) -> None:
        """Let it happen, and return when it is over: the part is started again, or goes on."""
        time.sleep(fault.after)
        pid = _living(platform, fault.victim)
        if fault.kind == "kill":
            os.kill(pid, signal.SIGKILL)
            platform.until(lambda: platform.pid_of(fault.victim) != pid, 90.0)
            self.kills[fault.victim] += 1
            return
        try:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(fault.seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.pauses[fault.victim] += 1


def _living(platform: Platform, name: str) -> int:
    """The process id of a part that runs at this moment."""

    def lives() -> bool:
        with contextlib.suppress(KeyError, ProcessLookupError):
            os.kill(platform.pid_of(name), 0)
            return True
        return False

    platform.until(lives, 90.0)
    return platform.pid_of(name)
