"""Where our price book and two public lists do not say the same. Pure.

Prices depend on the hour of the week and on the length of the prompt, so both are gone through: every hour of the week
that begins at a moment, and both sides of every threshold that anybody knows.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple

from tonetouch_deploy.price_lists import Amounts, PublicList
from tonetouch_runtime import stamp
from tonetouch_runtime.ai.pricing import PriceBook

Verdict = Literal["ours alone", "the lists differ", "not in our book"]

HOURS_A_WEEK = 168
SHORT_PROMPT = 1_000
ROUNDED_BY_AT_MOST = Fraction(1, 20)
"""A list may round a price (0.003 for 0.003113), but not by more than a twentieth."""

_OTHER_UNITS = {"audio_ms": ("audio_minute", 60_000), "character": ("thousand_characters", 1_000)}


class Difference(NamedTuple):
    """One price of one model, in dollars, as everybody has it. `hours` of the week it is so, the first at `since`."""

    provider: str
    model: str
    what: str
    above: int | None
    hours: int
    since: datetime
    ours: Fraction | None
    theirs: tuple[Fraction | None, ...]
    verdict: Verdict


def differences(
    book: PriceBook, lists: Sequence[PublicList], models: Iterable[tuple[str, str]], at: datetime
) -> Iterator[Difference]:
    """Every price that is not the same everywhere, in the week from the hour of `at`."""
    start = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    week = [start + timedelta(hours=hour) for hour in range(HOURS_A_WEEK)]
    for provider, model in models:
        price = book.price(provider, model, stamp(at))
        thresholds = {*(price.tiers if price else ()), *(t for one in lists for t in one.thresholds(provider, model))}
        for above in (None, *sorted(thresholds)):
            yield from _differences(book, lists, (provider, model), above, week)


def _differences(
    book: PriceBook, lists: Sequence[PublicList], key: tuple[str, str], above: int | None, week: Sequence[datetime]
) -> Iterator[Difference]:
    prompt = SHORT_PROMPT if above is None else above + 1
    met: dict[tuple[str, Fraction | None, tuple[Fraction | None, ...]], list[datetime]] = {}
    for hour in week:
        ours = our_amounts(book, *key, hour, prompt)
        theirs = [one.amounts(*key, hour, prompt) or {} for one in lists]
        for what in sorted({*ours, *(name for one in theirs for name in one)}):
            met.setdefault((what, ours.get(what), tuple(one.get(what) for one in theirs)), []).append(hour)
    for (what, amount, others), hours in met.items():
        if (verdict := _verdict(amount, others)) is not None:
            yield Difference(*key, what, above, len(hours), hours[0], amount, others, verdict)


def our_amounts(book: PriceBook, provider: str, model: str, at: datetime, prompt_tokens: int) -> Amounts:
    """Our prices in the units of lists: dollars for a million tokens, a minute of sound, a thousand characters."""
    price = book.price(provider, model, stamp(at))
    table = price.table(prompt_tokens, stamp(at)) if price else None
    if table is None:
        return {}
    found = {}
    for name, pico in table.each().items():
        named, per = _OTHER_UNITS.get(name, (name, 1 if name in ("image", "tile", "step", "request") else 10**6))
        found[named] = pico * per / 10**12
    if "output" in found:
        found.setdefault("reasoning", found["output"])
    return found


def _verdict(ours: Fraction | None, theirs: tuple[Fraction | None, ...]) -> Verdict | None:
    # Zero for what a model does not do (an answer of an embedding) is no price that we would lack.
    known = [amount for amount in theirs if amount is not None and (amount or ours is not None)]
    if not known or (ours is not None and all(_same(ours, amount) for amount in known)):
        return None
    if ours is None:
        return "not in our book"
    return "ours alone" if all(_same(known[0], amount) for amount in known) else "the lists differ"


def _same(one: Fraction, other: Fraction) -> bool:
    """Whether they are equal, or the one with fewer decimals is the other one rounded."""
    fewer, more = sorted((one, other), key=_decimals)
    apart = abs(more - fewer)
    return apart * 2 * 10 ** _decimals(fewer) <= 1 and apart <= ROUNDED_BY_AT_MOST * more


def _decimals(amount: Fraction) -> int:
    """How many decimals it is written with; up to twelve."""
    exponent = Decimal(str(round(float(amount), 12))).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
