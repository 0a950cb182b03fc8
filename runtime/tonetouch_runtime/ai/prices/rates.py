"""Prices made ready for counting: whole pico-dollars over one common divisor, found by what is counted.

Nothing is rounded here. A rate such as 51293/6 pico-dollars for each millisecond of sound stays a fraction.
"""

from bisect import bisect_left
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import NamedTuple

from tonetouch_contracts.job import Quantity
from tonetouch_runtime.ai.prices.listed import MINUTES_A_DAY, ListedPrice, Rates, Times

PICO = 10**12
_MILLION = 10**6

_UNITS = {
    "thousand_characters": ("character", 1_000),
    "audio_minute": ("audio_ms", 60_000),
    "image": ("image", 1),
    "tile": ("tile", 1),
    "step": ("step", 1),
    "request": ("request", 1),
}
"""The names in the file, the units of a quantity, and how many of these the price is for."""


class Rate(NamedTuple):
    """`parts` over the divisor of its table is the price of one, and so is `pico` over `per` in lowest terms."""

    parts: int
    pico: int
    per: int


class RateTable:
    """What one of each thing costs, under one tier, window and set of terms. `divisor` is common to all of it."""

    def __init__(self, prices: dict[str, Fraction]) -> None:
        self.divisor = lcm(*(price.denominator for price in prices.values()))
        self._rates = {
            name: Rate(int(price * self.divisor), price.numerator, price.denominator) for name, price in prices.items()
        }
        self._found: dict[tuple[str, str, str, str], Rate | None] = {}

    def has(self, name: str) -> bool:
        """Whether a class of tokens or another unit has a price of its own."""
        return name in self._rates

    def each(self) -> dict[str, Fraction]:
        """Pico-dollars for one of each, by class of tokens or by unit."""
        return {name: Fraction(rate.pico, rate.per) for name, rate in self._rates.items()}

    def of(self, quantity: Quantity) -> Rate | None:
        """The rate of a quantity, None where the list has none for it."""
        key = (quantity.unit, quantity.direction, quantity.cache, quantity.modality)
        try:
            return self._found[key]
        except KeyError:
            rate = self._found[key] = self._look_up(quantity)
            return rate

    def _look_up(self, quantity: Quantity) -> Rate | None:
        if quantity.unit != "token":
            return self._rates.get(quantity.unit)
        names = _token_classes(quantity)
        return next((self._rates[name] for name in names if name in self._rates), None)


@lru_cache(maxsize=1024)
def _minute_of_week(at: str) -> int:
    moment = datetime.fromisoformat(at)
    return moment.weekday() * MINUTES_A_DAY + moment.hour * 60 + moment.minute


def _token_classes(quantity: Quantity) -> list[str]:
    """The classes that a token is priced as, the first that is listed."""
    names: list[str]
    if quantity.direction == "input":
        names = [quantity.cache if quantity.cache != "none" else "input"]
    elif quantity.cache != "none":
        return []  # nobody keeps answers: such a quantity is a mistake, and a guess at its price another
    else:
        names = ["reasoning", "output"] if quantity.direction == "reasoning" else ["output"]
    if quantity.modality == "text":
        return names
    own = [f"{quantity.modality}_{name}" for name in names]
    # Who lists no price for the tokens of an image that is looked at charges them like others. Sound is never so.
    return own + names if (quantity.modality, quantity.direction) == ("image", "input") else own


class Price:
    """One entry of the list, from its first moment on. Its tables are worked out when they are first asked for."""

    def __init__(self, listed: ListedPrice, pico_per_neuron: Fraction) -> None:
        self.listed = listed
        self.since = listed.since.isoformat() if listed.since else ""
        self.tiers = tuple(tier.prompt_tokens for tier in listed.above)
        self._unit = pico_per_neuron if listed.currency == "neuron" else Fraction(PICO)
        self._windows = [(*span, which) for which, window in enumerate(listed.windows) for span in window.spans()]
        self._tables: dict[tuple[int, int | None, tuple[str, ...]], RateTable | None] = {}

    def table(self, prompt_tokens: int, at: str, terms: tuple[str, ...] = ()) -> RateTable | None:
        """The rates of a request with this prompt at this time in UTC, None where these terms are not listed."""
        tier = bisect_left(self.tiers, prompt_tokens)
        window = self._window(at) if self._windows else None
        key = (tier, window, terms)
        try:
            return self._tables[key]
        except KeyError:
            table = self._tables[key] = self._work_out(tier, window, terms)
            return table

    def _window(self, at: str) -> int | None:
        minute = _minute_of_week(at[:16])
        return next((which for start, end, which in self._windows if start <= minute < end), None)

    def _work_out(self, tier: int, window: int | None, terms: tuple[str, ...]) -> RateTable | None:
        if not self.listed.terms.keys() >= set(terms):
            return None
        prices = _prices(self.listed, self._unit)
        if tier:
            prices |= _prices(self.listed.above[tier - 1], self._unit)
        multiples: list[Times] = [self.listed.terms[term] for term in terms]
        if window is not None:
            multiples.append(self.listed.windows[window])
        for multiple in multiples:
            prices = {
                name: price if name in multiple.spares else price * Fraction(multiple.times)
                for name, price in prices.items()
            }
        return RateTable(prices)


def _prices(rates: Rates, unit: Fraction) -> dict[str, Fraction]:
    prices = {name: Fraction(amount) * unit / _MILLION for name, amount in rates.million_tokens.items()}
    for name, (counted, per) in _UNITS.items():
        if (amount := getattr(rates, name)) is not None:
            prices[counted] = Fraction(amount) * unit / per
    return prices
