"""The experiment of `just economics`: its theory by known figures, and its way through the ledger."""

from pathlib import Path

import pytest

from tests.cloud import Account
from tests.economics.__main__ import CONTENDERS, experiment
from tests.economics.theory import Price, break_even, expected_hit_ratio, zipf
from tonetouch_runtime import Settings

HAIKU = Price(input=0.10, output=0.50, read=0.01, write=0.125)


def test_the_cost_of_a_request_lies_between_all_misses_and_all_hits() -> None:
    """By hand: 30,000 x 0.125 + 500 x 0.1 + 300 x 0.5 = 3,950 for a miss, 30,000 x 0.01 + 200 = 500 for a hit."""
    assert HAIKU.usd_per_thousand(0.0) == pytest.approx(3.95)
    assert HAIKU.usd_per_thousand(1.0) == pytest.approx(0.50)


@pytest.mark.parametrize(("inside", "verdict"), [(7.62, "always"), (1.26, "from 78%"), (0.39, "never")])
def test_where_a_request_breaks_even(inside: float, verdict: str) -> None:
    """Against a full window always, against a usual call at a high hit ratio, against a small model never."""
    assert break_even(HAIKU, inside) == verdict


def test_fame_makes_hits() -> None:
    """10,000 artists by Zipf, 100,000 requests a day, an hour of lifetime: three quarters find the prefix there."""
    shares = zipf(10_000)
    assert sum(shares) == pytest.approx(1.0)
    assert expected_hit_ratio(shares, 100_000 / 24, 1.0) == pytest.approx(0.73, abs=0.01)


async def test_the_ledger_answers_for_every_contender(settings: Settings, cloud: Account, tmp_path: Path) -> None:
    """A row for each model, with a cost and a verdict."""
    table = await experiment(3, tmp_path, settings, cloud)
    assert table.row_count == len(CONTENDERS)
    assert set(table.columns[5].cells) <= {"yes", "no"}
