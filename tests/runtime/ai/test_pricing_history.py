"""A year of calls through twelve price changes costs what a second calculator says, one that shares nothing with ours.

It works on fractions and calendars, and reads the prices from the numbers below and not from the file.
"""

import random
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from pathlib import Path

from tonetouch_contracts.job import Quantity
from tonetouch_runtime import stamp
from tonetouch_runtime.ai.pricing import PriceBook
from tonetouch_runtime.ai.usage import Usage

CLASSES = ("input", "read", "write_5m", "write_1h", "output", "reasoning")
FIRST_MONTH = ("0.31", "0.017", "0.3875", "0.62", "1.2500001", "1.30")
"""Dollars for a million tokens, by class."""

THRESHOLDS = (32_000, 200_000)
PEAK_HOURS = ((1, 4), (6, 10))
PEAK_DAYS = (0, 1, 2, 3, 4)
NEURONS_A_MINUTE = "46.63"

HEAD = """
revision = "a year"
[sources.invented]
page = "invented"
read = 2026-01-01
"""


def dollars(month: int, name: str, tier: int) -> Fraction:
    """A price of the model in a month: it falls by a hundredth a month, and by tier is one, two and five times that."""
    first = Fraction(dict(zip(CLASSES, FIRST_MONTH, strict=True))[name])
    return first * Fraction(101 - month, 100) * (1, 2, 5)[tier]


def written(amount: Fraction) -> str:
    """As a decimal; every one of these ends."""
    return f"{floor(amount * 10**12) // 10**12}.{floor(amount * 10**12) % 10**12:012d}"


def entry(month: int) -> str:
    """The list of one month, as in a file."""
    tables = [
        "{ " + ", ".join(f"{name} = {written(dollars(month, name, tier))}" for name in CLASSES) + " }"
        for tier in range(3)
    ]
    above = "".join(
        f"[[price.above]]\nprompt_tokens = {threshold}\nmillion_tokens = {table}\n"
        for threshold, table in zip(THRESHOLDS, tables[1:], strict=True)
    )
    hours = ", ".join(f'"{start:02}:00-{end:02}:00"' for start, end in PEAK_HOURS)
    return f"""
[[price]]
provider = "one"
models = ["writer"]
source = "invented"
from = 2026-{month:02}-01
million_tokens = {tables[0]}
{above}
[[price.windows]]
days = ["mon", "tue", "wed", "thu", "fri"]
hours = [{hours}]
times = {2 + month / 4}

[[price]]
provider = "one"
models = ["listener"]
source = "invented"
from = 2026-{month:02}-01
currency = "neuron"
audio_minute = {NEURONS_A_MINUTE}{month:02}
"""


def rounded(amount: Fraction) -> int:
    """To the nearest, halves up."""
    return floor(amount + Fraction(1, 2))


def by_hand(at: datetime, quantities: dict[str, int]) -> int:
    """What a chat costs by the second calculator."""
    prompt = sum(amount for name, amount in quantities.items() if name not in ("output", "reasoning"))
    tier = len([threshold for threshold in THRESHOLDS if prompt > threshold])
    is_peak = at.weekday() in PEAK_DAYS and any(start <= at.hour < end for start, end in PEAK_HOURS)
    times = 2 + Fraction(at.month, 4) if is_peak else 1
    total = sum((amount * dollars(at.month, name, tier) for name, amount in quantities.items()), Fraction(0))
    return rounded(total * times * 1_000_000)


def by_hand_listening(at: datetime, milliseconds: int) -> int:
    """What a transcription costs by the second calculator: 0.011 dollars for a thousand neurons."""
    neurons = Fraction(f"{NEURONS_A_MINUTE}{at.month:02}") * Fraction(milliseconds, 60_000)
    return rounded(neurons * Fraction("0.011") / 1000 * 10**12)


def quantity(name: str, amount: int) -> Quantity:
    """One class of tokens as the ledger keeps it."""
    if name in ("output", "reasoning"):
        return Quantity(unit="token", direction=name, amount=amount)  # type: ignore[arg-type]
    cache = "none" if name == "input" else name
    return Quantity(unit="token", direction="input", cache=cache, amount=amount)  # type: ignore[arg-type]


def year_of_moments(chance: random.Random, calls: int) -> list[datetime]:
    """Moments all over the year, and the edges of every month and of every peak among them."""
    new_year = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [new_year + timedelta(microseconds=chance.randrange(365 * 86_400 * 10**6)) for _ in range(calls)]
    for month in range(1, 13):
        first = datetime(2026, month, 1, tzinfo=UTC)
        edges = [first, *(first + timedelta(hours=hour) for peak in PEAK_HOURS for hour in peak)]
        moments += [edge - timedelta(microseconds=1) for edge in edges if edge > new_year] + edges
    return moments


def test_a_year_of_calls_across_twelve_price_changes(tmp_path: Path) -> None:
    """Three context tiers, weekday peaks, six classes of tokens, sound by neurons: to the pico-dollar, one by one."""
    path = tmp_path / "year.toml"
    path.write_text(HEAD + "".join(map(entry, range(1, 13))))
    book = PriceBook.load(path)
    assert [listed.since for listed in book.history("one", "writer")] == [
        date(2026, month, 1) for month in range(12, 0, -1)
    ]
    chance = random.Random(2026)  # the same year every time
    met = set()
    for at in year_of_moments(chance, 4_000):
        sizes = (0, 1, 31_999, 32_000, 150_000, chance.randrange(300_000))
        amounts = {name: chance.choice(sizes) for name in chance.sample(CLASSES, chance.randrange(1, 7))}
        quantities = tuple(quantity(name, amount) for name, amount in amounts.items())
        usage = Usage(quantities=quantities, source="reported")
        found = book.cost(provider="one", model="writer", usage=usage, at=stamp(at))
        assert found.pico_usd == by_hand(at, amounts)
        milliseconds = chance.randrange(600_000)
        sound = Usage(
            quantities=(Quantity(unit="audio_ms", direction="input", amount=milliseconds),), source="reported"
        )
        heard = book.cost(provider="one", model="listener", usage=sound, at=stamp(at))
        assert heard.pico_usd == by_hand_listening(at, milliseconds)
        met.add((at.month, at.weekday() in PEAK_DAYS))
    assert len(met) == 24


def test_before_its_first_day_a_model_has_no_price(tmp_path: Path) -> None:
    """Nobody knows what it cost then."""
    path = tmp_path / "year.toml"
    path.write_text(HEAD + entry(1))
    book = PriceBook.load(path)
    usage = Usage(quantities=(quantity("input", 1),), source="reported")
    assert book.cost(provider="one", model="writer", usage=usage, at="2025-12-31T23:59:59.999999Z").pico_usd is None
    assert book.cost(provider="one", model="writer", usage=usage, at="2026-01-01T00:00:00.000000Z").pico_usd is not None
