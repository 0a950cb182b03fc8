"""What tests of services are written with: given/when/then for nouns, and a clock turned by hand.

>>> given(Track(), TrackUploaded(...)).when(publish).then(TrackPublished(...))
>>> given(Track()).when(publish).refused("not_found")
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from tonetouch_contracts.identity import uuid7
from tonetouch_contracts.message import Event, ProblemCode
from tonetouch_runtime._recorded import State
from tonetouch_runtime.errors import Refused

S = TypeVar("S", bound=State)


class Given(Generic[S]):
    """An entity with a past."""

    def __init__(self, state: S) -> None:
        self.state = state

    def when(self, decide: Callable[[S], Event | Sequence[Event]]) -> "Then":
        """Decide on the entity as it is."""
        try:
            decided = decide(self.state)
        except Refused as refused:
            return Then((), refused)
        return Then((decided,) if isinstance(decided, Event) else tuple(decided), None)


class Then:
    """What came of a decision."""

    def __init__(self, events: tuple[Event, ...], refusal: Refused | None) -> None:
        self.events = events
        self.refusal = refusal

    def then(self, *expected: Event) -> None:
        """Exactly these events happened, in this order; none at all where none are named."""
        assert self.refusal is None, f"refused: {self.refusal}"
        assert self.events == expected, f"{self.events} is not {expected}"

    def refused(self, code: ProblemCode) -> None:
        """Nothing happened, and the answer was no with this code."""
        assert self.refusal is not None, f"not refused, but {self.events}"
        assert self.refusal.problem.code == code, self.refusal.problem


def given(initial: S, *past: Event) -> Given[S]:
    """An entity after these events."""
    state = initial
    for event in past:
        state = state.evolve(event)
    return Given(state)


class HandClock:
    """A clock that stands still until it is turned; its ids are in order and the same in every run."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._made = 0

    def now(self) -> datetime:
        return self._now

    def new_id(self) -> str:
        self._made += 1
        return uuid7(int(self._now.timestamp() * 1000), self._made.to_bytes(10, "big"))

    def turn(self, **by: Any) -> None:
        """Move on by ``seconds=``, ``hours=``, ``days=`` ..."""
        self._now += timedelta(**by)
