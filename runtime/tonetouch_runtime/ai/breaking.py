"""A circuit breaker for each target: what fails again and again is left alone for a while, then tried once.

Closed: calls pass. Open: they do not, until the cool-down is over. Half open: one call passes and decides. Every
process judges for itself, from the calls it makes.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from tonetouch_runtime.ai.errors import Failure, ProviderFailed

_TELLING: frozenset[Failure] = frozenset(
    {"timeout", "unreachable", "overloaded", "out_of_capacity", "unauthorised", "nonsense", "cut"}
)
"""Failures that speak against a target. Of a limit that was reached the pace is kept instead; it is not broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """When a circuit opens, and for how long.

    It opens after `in_a_row` failures, or when of the last `of_last` calls at least `share` have failed. Each time the
    one call after a cool-down fails as well, the next cool-down is `growth` times as long, up to the longest.
    """

    in_a_row: int = 5
    of_last: int = 20
    share: float = 0.5
    cool_down_seconds: float = 10.0
    growth: float = 2.0
    longest_seconds: float = 300.0


@dataclass(slots=True)
class _Circuit:
    outcomes: deque[bool]
    failed_in_a_row: int = 0
    opened: int = 0
    open_until: float | None = None
    probing: "Attempt | None" = None
    last_failure: str = ""


@dataclass(slots=True, eq=False)
class Attempt:
    """A call that is being made. It ends once; ending it again changes nothing."""

    _breakers: "Breakers"
    _name: str
    _ended: bool = field(default=False)

    def succeeded(self) -> None:
        """The target answered; a refusal of the input is an answer too."""
        self._end(failure=None)

    def failed(self, error: ProviderFailed) -> None:
        """It did not. A reached limit does not count."""
        if error.failure in _TELLING:
            self._end(failure=error.failure)
        else:
            self.left()

    def left(self) -> None:
        """Nobody knows: the call was given up before it could tell."""
        if not self._ended:
            self._ended = True
            self._breakers._left(self._name, self)

    def _end(self, failure: str | None) -> None:
        if not self._ended:
            self._ended = True
            self._breakers._ended(self._name, self, failure)


class Breakers:
    """The circuits of one process, by the name of a target. `clock` counts seconds from anywhere."""

    def __init__(self, tolerance: Tolerance | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tolerance = tolerance or Tolerance()
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}

    def refusal(self, name: str) -> str | None:
        """Why a target is not to be called now, or None. Looking changes nothing."""
        circuit = self._circuits.get(name)
        if circuit is None or circuit.open_until is None:
            return None
        if (left := circuit.open_until - self._clock()) > 0:
            return f"its circuit is open for {left:.0f} s more after {circuit.last_failure}"
        return None if circuit.probing is None else "its circuit is half open, and one call is trying it"

    def begin(self, name: str) -> Attempt | None:
        """A call is about to be made; None where the circuit does not let it pass any more."""
        if self.refusal(name) is not None:
            return None
        attempt = Attempt(self, name)
        if (circuit := self._circuits.get(name)) is not None and circuit.open_until is not None:
            circuit.probing = attempt
        return attempt

    def _left(self, name: str, attempt: Attempt) -> None:
        if (circuit := self._circuits.get(name)) is not None and circuit.probing is attempt:
            circuit.probing = None

    def _ended(self, name: str, attempt: Attempt, failure: str | None) -> None:
        circuit = self._circuit(name)
        if circuit.open_until is not None and circuit.probing is not attempt:
            return  # begun before it opened: it tells of the past
        circuit.probing = None
        if failure is None:
            circuit.open_until, circuit.opened, circuit.failed_in_a_row = None, 0, 0
            circuit.outcomes.append(True)
            return
        circuit.last_failure = failure
        circuit.failed_in_a_row += 1
        circuit.outcomes.append(False)
        if circuit.open_until is not None or self._is_too_much(circuit):
            self._open(circuit)

    def _open(self, circuit: _Circuit) -> None:
        tolerance = self._tolerance
        seconds = min(tolerance.cool_down_seconds * tolerance.growth**circuit.opened, tolerance.longest_seconds)
        circuit.opened += 1
        circuit.open_until = self._clock() + seconds
        circuit.outcomes.clear()
        circuit.failed_in_a_row = 0

    def _is_too_much(self, circuit: _Circuit) -> bool:
        tolerance, outcomes = self._tolerance, circuit.outcomes
        if circuit.failed_in_a_row >= tolerance.in_a_row:
            return True
        return len(outcomes) == tolerance.of_last and outcomes.count(False) >= tolerance.share * len(outcomes)

    def _circuit(self, name: str) -> _Circuit:
        if name not in self._circuits:
            self._circuits[name] = _Circuit(deque(maxlen=self._tolerance.of_last))
        return self._circuits[name]
