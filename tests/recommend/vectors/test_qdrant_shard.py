"""How far a walk through the graph looks."""

import pytest

from tonetouch_recommend.vectors.qdrant_shard import FEWEST_CANDIDATES, candidates


@pytest.mark.parametrize(
    ("limit", "growth", "filtered", "kept"),
    [
        (1, 0.0, False, FEWEST_CANDIDATES),
        (21, 1.0, False, FEWEST_CANDIDATES),
        (21, 1.0, True, FEWEST_CANDIDATES),
        (50, 0.1, False, 100),
        (50, 1.0, False, 100),
        (50, 1.0, True, 160),
        (100, 1.0, True, 200),
        (200, 1.0, True, 400),
    ],
)
def test_it_keeps_enough_candidates_for_what_is_asked(limit: int, growth: float, filtered: bool, kept: int) -> None:
    """More under a filter, never fewer than for a page of a search."""
    assert candidates(limit, growth, filtered=filtered) == kept


@pytest.mark.parametrize("filtered", [False, True])
def test_it_looks_further_in_a_larger_graph(filtered: bool) -> None:
    """By the square root of its size: at a million about three times as far as at a hundred thousand."""
    assert candidates(50, 10**0.5, filtered=filtered) == 316
