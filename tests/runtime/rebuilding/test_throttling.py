"""A stream that fills new tables comes as fast as it is kept."""

import pytest

from tonetouch_runtime.rebuilding.throttling import FIRST_BITS, MOST_BITS, Throttle


def after(throttle: Throttle, monkeypatch: pytest.MonkeyPatch, *counts: int) -> bool:
    """Whether the rate has changed once batches of so many events were kept within a second."""
    now = throttle._began
    for number, count in enumerate(counts, start=1):
        at = now + number / len(counts)
        monkeypatch.setattr("time.monotonic", lambda at=at: at)
        changed = throttle.kept(count)
    return changed


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        pytest.param((10, 40, 20), 1.25, id="it waits for events: faster"),
        pytest.param((1000, 990, 1000), 0.85, id="they pile up: slower"),
        pytest.param((500, 700, 600), 1.0, id="they come as they are kept: as it is"),
    ],
)
def test_the_rate_follows_what_is_there(counts: tuple[int, ...], share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at once a second."""
    throttle = Throttle()
    assert after(throttle, monkeypatch, *counts) is (share != 1.0)
    assert throttle.bits == int(FIRST_BITS * share)


def test_where_the_server_is_slow_the_rate_comes_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each change is a new subscription, and the server refuses a number that does not fit into its own."""
    throttle = Throttle()
    changes = [after(throttle, monkeypatch, 10) for _ in range(30)]
    assert throttle.bits == MOST_BITS
    assert changes[0] and not changes[-1]


def test_nothing_changes_within_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch says little."""
    throttle = Throttle()
    monkeypatch.setattr("time.monotonic", lambda: throttle._began + 0.5)
    assert not throttle.kept(1)
    assert throttle.bits == FIRST_BITS
