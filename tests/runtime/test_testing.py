"""What tests of services are written with, tested itself: it fails where it should."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import TrackDescribed
from tonetouch_runtime import Refused
from tonetouch_runtime.testing import HandClock, given


class Told(msgspec.Struct, frozen=True):
    times: int = 0

    def evolve(self, event: Event) -> "Told":
        return Told(self.times + 1)


def told(about: str) -> TrackDescribed:
    return TrackDescribed(track_id=TrackId("a"), about=about, job_id="j")


def decide(state: Told) -> tuple[Event, ...] | Event:
    if state.times == 2:
        raise Refused("conflict", "twice is enough")
    return told(str(state.times)) if state.times else ()


def test_the_past_is_folded_before_the_decision() -> None:
    """One event or several or none: what happened is compared exactly."""
    given(Told(), told("x")).when(decide).then(told("1"))
    given(Told()).when(decide).then()
    given(Told(), told("x"), told("y")).when(decide).refused("conflict")


@pytest.mark.parametrize("expected", [(), (told("2"),), (told("1"), told("1"))])
def test_what_did_not_happen_fails(expected: tuple[Event, ...]) -> None:
    """Nothing, something else and too much are each a failure."""
    with pytest.raises(AssertionError):
        given(Told(), told("x")).when(decide).then(*expected)


def test_a_refusal_is_no_event_and_an_event_no_refusal() -> None:
    """Neither passes for the other, and a refusal is told by its code."""
    with pytest.raises(AssertionError, match="twice is enough"):
        given(Told(), told("x"), told("y")).when(decide).then()
    with pytest.raises(AssertionError):
        given(Told(), told("x")).when(decide).refused("conflict")
    with pytest.raises(AssertionError):
        given(Told(), told("x"), told("y")).when(decide).refused("not_found")


def test_other_errors_of_a_decision_are_not_hidden() -> None:
    """A bug in a decision is no refusal."""

    def broken(_: Told) -> Event:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        given(Told()).when(broken)


def test_the_clock_moves_when_it_is_turned() -> None:
    """It starts where it is told, in UTC, and stands still."""
    clock = HandClock(datetime(2026, 2, 3, tzinfo=UTC))
    before = clock.now()
    assert clock.now() == before
    clock.turn(hours=2, seconds=1)
    assert clock.now() - before == timedelta(hours=2, seconds=1)


def test_its_ids_are_in_order_and_the_same_in_every_run() -> None:
    """Version 7, sorted by when they were made, and another clock makes them again."""
    first, second = HandClock(), HandClock()
    made = []
    for clock in (first, second):
        made.append([clock.new_id(), clock.new_id()])
        clock.turn(seconds=1)
        made[-1].append(clock.new_id())
    assert made[0] == made[1] == sorted(made[0])
    assert {UUID(identity).version for identity in made[0]} == {7}
