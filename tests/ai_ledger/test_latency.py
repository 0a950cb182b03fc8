"""A histogram that adds: percentiles of sums, within a known error."""

import random

import pytest

from tonetouch_ai_ledger.latency import BOUNDS, ERROR_RATIO, SPANS, percentile, span_of
from tonetouch_ai_ledger.timing import nearest_rank


def counted(latencies: list[float]) -> list[int]:
    """The histogram of these."""
    counts = [0] * len(SPANS)
    for latency in latencies:
        counts[span_of(latency)] += 1
    return counts


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.95, 0.99, 1.0])
def test_a_percentile_is_within_its_error_of_the_true_one(share: float) -> None:
    """Whatever the latencies are, between the first bound and the last."""
    chance = random.Random(7)
    latencies = sorted(min(BOUNDS[-1], max(1.0, chance.lognormvariate(5, 1.5))) for _ in range(5000))
    true, read = nearest_rank(latencies, share), percentile(counted(latencies), share)
    assert true is not None
    assert read is not None
    assert abs(read / true - 1) <= ERROR_RATIO + 1e-9


def test_histograms_add() -> None:
    """The sum of two is the histogram of both together."""
    one, other = [1.0, 5.0, 5.5, 900.0], [0.2, 6.0, 1e9]
    added = [a + b for a, b in zip(counted(one), counted(other), strict=True)]
    assert added == counted(one + other)


def test_of_nothing_there_is_no_percentile() -> None:
    """And none is made up."""
    assert percentile([0] * len(SPANS), 0.5) is None
    assert percentile([], 0.5) is None
    assert nearest_rank([], 0.5) is None


def test_a_bound_belongs_to_the_span_it_ends() -> None:
    """Every latency has exactly one span; beyond the last bound there is one more."""
    assert [span_of(bound) for bound in BOUNDS] == list(range(len(BOUNDS)))
    assert span_of(0.0) == 0
    assert span_of(BOUNDS[-1] * 10) == len(SPANS) - 1


def test_the_nearest_rank_is_a_value_that_was_measured() -> None:
    """The smallest that so many do not exceed."""
    assert [nearest_rank([1.0, 2.0, 3.0, 4.0], share) for share in (0.0, 0.25, 0.5, 0.51, 1.0)] == [1, 1, 2, 3, 4]
