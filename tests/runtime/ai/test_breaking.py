"""A target that fails again and again is left alone, then tried once."""

import pytest

from tonetouch_runtime.ai.breaking import Breakers, Tolerance
from tonetouch_runtime.ai.errors import Failure, ProviderFailed


class Seconds:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def _clock() -> Seconds:
    return Seconds()


@pytest.fixture(name="breakers")
def _breakers(clock: Seconds) -> Breakers:
    tolerance = Tolerance(in_a_row=3, of_last=6, share=0.5, cool_down_seconds=10.0, growth=2.0, longest_seconds=30.0)
    return Breakers(tolerance, clock=clock)


def fail(breakers: Breakers, number: int = 1, failure: Failure = "timeout") -> None:
    for _ in range(number):
        attempt = breakers.begin("llama")
        assert attempt is not None
        attempt.failed(ProviderFailed(failure, "no answer"))


def succeed(breakers: Breakers, number: int = 1) -> None:
    for _ in range(number):
        attempt = breakers.begin("llama")
        assert attempt is not None
        attempt.succeeded()


def test_it_opens_after_failures_in_a_row(breakers: Breakers) -> None:
    """The third failure in a row opens it, and the refusal says for how long and after what."""
    fail(breakers, 2)
    assert breakers.refusal("llama") is None
    fail(breakers, 1, "unreachable")
    assert breakers.refusal("llama") == "its circuit is open for 10 s more after unreachable"
    assert breakers.begin("llama") is None


def test_one_target_does_not_break_another(breakers: Breakers) -> None:
    """Circuits are by name."""
    fail(breakers, 3)
    assert breakers.refusal("claude") is None
    assert breakers.begin("claude") is not None


def test_a_success_starts_the_count_anew(breakers: Breakers) -> None:
    """Failures in a row are counted from the last answer."""
    fail(breakers, 2)
    succeed(breakers)
    fail(breakers, 2)
    assert breakers.refusal("llama") is None


def test_it_opens_when_half_of_the_last_calls_failed(breakers: Breakers) -> None:
    """One that fails every other time never fails in a row, and is broken all the same."""
    for _ in range(2):
        succeed(breakers)
        fail(breakers)
    succeed(breakers)
    assert breakers.refusal("llama") is None
    fail(breakers)
    assert breakers.refusal("llama") is not None


def test_after_the_cool_down_one_call_tries(breakers: Breakers, clock: Seconds) -> None:
    """It is let through, nobody else is until it ends, and its success closes the circuit."""
    fail(breakers, 3)
    clock.now += 10.0
    assert breakers.refusal("llama") is None
    probe = breakers.begin("llama")
    assert probe is not None
    assert breakers.refusal("llama") == "its circuit is half open, and one call is trying it"
    assert breakers.begin("llama") is None
    probe.succeeded()
    succeed(breakers, 2)


def test_each_cool_down_is_longer_up_to_the_longest(breakers: Breakers, clock: Seconds) -> None:
    """Ten seconds, twenty, then thirty for as long as the call after it fails; a success forgets them."""
    fail(breakers, 3)
    for seconds in (10.0, 20.0, 30.0, 30.0):
        clock.now += seconds - 0.5
        assert breakers.refusal("llama") is not None
        clock.now += 0.5
        fail(breakers)
    clock.now += 30.0
    succeed(breakers)
    fail(breakers, 3)
    clock.now += 10.0
    assert breakers.refusal("llama") is None


def test_a_probe_that_is_given_up_lets_the_next_one_try(breakers: Breakers, clock: Seconds) -> None:
    """A caller that leaves before the answer says nothing of the target."""
    fail(breakers, 3)
    clock.now += 10.0
    probe = breakers.begin("llama")
    assert probe is not None
    probe.left()
    assert breakers.refusal("llama") is None
    succeed(breakers)


def test_a_call_begun_before_it_opened_decides_nothing(breakers: Breakers) -> None:
    """Its answer comes late and tells of the past."""
    late = breakers.begin("llama")
    assert late is not None
    fail(breakers, 3)
    late.succeeded()
    assert breakers.refusal("llama") is not None


def test_an_attempt_ends_once(breakers: Breakers) -> None:
    """Ending it again, as a finally block would, changes nothing."""
    fail(breakers, 2)
    attempt = breakers.begin("llama")
    assert attempt is not None
    attempt.succeeded()
    attempt.failed(ProviderFailed("timeout", "no answer"))
    attempt.left()
    fail(breakers, 2)
    assert breakers.refusal("llama") is None


@pytest.mark.parametrize("failure", ["rate_limited", "daily_quota"])
def test_a_reached_limit_does_not_count(breakers: Breakers, failure: Failure) -> None:
    """Limits are a matter of pace: whoever answers 429 is well."""
    fail(breakers, 20, failure)
    assert breakers.refusal("llama") is None
