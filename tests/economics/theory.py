"""What prompt caching should give, without asking anybody.

A request has a prefix of P tokens that it shares with the others about one artist, a suffix of S and an answer of O. At
a hit ratio h of the prefix it costs ``P (h c + (1 - h) w) + S i + O o`` with the prices for input, output, cache read
and cache write. Where requests about one artist come at random, lambda an hour, and every read renews a lifetime T, the
chance to find the prefix there is ``1 - exp(-lambda T)``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

PREFIX, SUFFIX, ANSWER = 30_000, 500, 300


@dataclass(frozen=True, kw_only=True)
class Price:
    """USD a million tokens."""

    input: float
    output: float
    read: float
    write: float

    def usd_per_thousand(self, hit_ratio: float) -> float:
        """What a thousand requests cost at a hit ratio of the prefix, in USD."""
        prefix = PREFIX * (hit_ratio * self.read + (1 - hit_ratio) * self.write)
        return (prefix + SUFFIX * self.input + ANSWER * self.output) / 1_000


def zipf(artists: int, exponent: float = 1.0) -> list[float]:
    """The share of all requests that is about each artist, the most asked one first."""
    weights = [rank**-exponent for rank in range(1, artists + 1)]
    return [weight / sum(weights) for weight in weights]


def expected_hit_ratio(shares: Sequence[float], requests_per_hour: float, lifetime_hours: float) -> float:
    """The hit ratio over all requests: artists that are asked often are found more often."""
    return sum(share * (1 - math.exp(-share * requests_per_hour * lifetime_hours)) for share in shares)


def break_even(price: Price, usd_per_thousand: float) -> str:
    """The hit ratio from which a request costs less than that, in words."""
    miss, hit = price.usd_per_thousand(0.0), price.usd_per_thousand(1.0)
    if miss <= usd_per_thousand:
        return "always"
    if hit >= usd_per_thousand:
        return "never"
    return f"from {(miss - usd_per_thousand) / (miss - hit):.0%}"
