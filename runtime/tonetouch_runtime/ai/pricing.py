"""What an attempt costs, from what it used and from prices that are pinned to a revision and to days.

Money is whole pico-dollars (1e-12 USD). Prices are exact fractions; the sum of an attempt is rounded once, to the
nearest pico-dollar, halves up. What is not known is None and never zero: usage nobody reported, a model without a
price, a unit its list does not name. A provider's free allowance belongs to an account and not to an attempt, and is
not taken off.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Self

import msgspec

from tonetouch_contracts.job import PromptCache, Quantity
from tonetouch_runtime._clock import stamp
from tonetouch_runtime.ai.prices.listed import ListedPrice, PriceList, Source, read_price_list
from tonetouch_runtime.ai.prices.rates import PICO, Price, RateTable
from tonetouch_runtime.ai.usage import Usage, tokens

LOCAL = "local"
"""The embedded engines: nobody sends a bill for them."""

ANY_MODEL = "*"
"""In a price list: whatever model of this provider is not listed by its own name."""

_SNAPSHOT = re.compile(r"[-@](?:\d{8}|\d{4}-\d\d-\d\d)$")


class Line(msgspec.Struct, frozen=True):
    """One quantity and its rate: `pico` pico-dollars for each `per` of them."""

    quantity: Quantity
    pico: int
    per: int


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What it costs by a revision of the prices; None where that is not known, and then `unpriced` says why.

    `lines` add up to it exactly before the one rounding.
    """

    pico_usd: int | None
    revision: str
    lines: tuple[Line, ...] = ()
    unpriced: str = ""


class PriceBook:
    """The prices of every model we may ask, as they were on any day. Fixed once it is loaded.

    ::

        book = PriceBook.load(None)
        cost = book.cost(provider="anthropic", model="claude-haiku-5-5", usage=reply.usage, at=started_at)
    """

    revision: str

    def __init__(self, listed: PriceList, base: "PriceBook | None" = None) -> None:
        self.revision = listed.pinned if base is None else f"{listed.pinned}+{base.revision}"
        self.sources: dict[str, Source] = {**(base.sources if base else {}), **listed.sources}
        self._providers: dict[str, tuple[str, ...]] = {**(base._providers if base else {}), **listed.providers}
        pico_per_neuron = Fraction(listed.usd_per_thousand_neurons) * PICO / 1000
        own: dict[tuple[str, str], list[Price]] = {}
        for price in sorted((Price(entry, pico_per_neuron) for entry in listed.price), key=_since, reverse=True):
            for model in price.listed.models:
                own.setdefault((price.listed.provider, model), []).append(price)
        self._prices: dict[tuple[str, str], list[Price]] = {**(base._prices if base else {}), **own}
        self._listed = lru_cache(maxsize=1024)(self._look_up)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The packaged book, or an operator's file. Raises Misconfigured with what is wrong in the file."""
        if path is not None:
            own = read_price_list(path)
            return cls(own, cls.load() if own.extends else None)
        with as_file(files("tonetouch_runtime.ai") / "prices" / "book.toml") as packaged:
            return cls(read_price_list(packaged))

    def cost(self, *, provider: str, model: str, usage: Usage, at: str, terms: tuple[str, ...] = ()) -> Cost:
        """What an attempt cost that was started at `at` (RFC 3339) under `terms` (``("batch",)``).

        `model` is the one that answered. Embedded engines cost nothing, whatever they report.
        """
        if provider == LOCAL:
            return Cost(pico_usd=0, revision=self.revision)
        if usage.source == "none":
            return self._unpriced("nothing is known of its usage")
        at = _in_utc(at)
        price = self.price(provider, model, at)
        if price is None:
            return self._unpriced(f"{provider} {model} has no price on {at[:10]}")
        table = price.table(_prompt_tokens(usage) if price.tiers else 0, at, terms)
        if table is None:
            return self._unpriced(f"{provider} {model} has no price for {', '.join(terms)}")
        return self._add_up(usage.quantities, table)

    def cost_without_prompt_cache(
        self, *, provider: str, model: str, usage: Usage, at: str, terms: tuple[str, ...] = ()
    ) -> Cost:
        """What the same attempt would have cost, had nothing been read from or written to the provider's cache."""
        plain = tuple(
            msgspec.structs.replace(one, cache="none") if one.cache != "none" else one for one in usage.quantities
        )
        usage = msgspec.structs.replace(usage, quantities=plain)
        return self.cost(provider=provider, model=model, usage=usage, at=at, terms=terms)

    def estimate(
        self,
        provider: str,
        model: str,
        *,
        prompt_tokens: int,
        cached_tokens: int = 0,
        written_tokens: int = 0,
        lifetime: PromptCache = "write",
        completion_tokens: int = 0,
        at: str,
    ) -> int | None:
        """What a call would cost whose tokens are guessed: `prompt_tokens` holds the cached and the written ones.

        Where a list has no price for reading from or writing to the prompt cache, the full one is expected.
        """
        if provider == LOCAL:
            return 0
        at = _in_utc(at)
        price = self.price(provider, model, at)
        table = price.table(prompt_tokens, at) if price else None
        if table is None:
            return None
        guessed = tokens(
            prompt=prompt_tokens,
            cached=cached_tokens if table.has("read") else 0,
            written=written_tokens if table.has(lifetime) else 0,
            lifetime=lifetime,
            completion=completion_tokens,
        )
        return self._add_up(guessed, table).pico_usd

    def price(self, provider: str, model: str, at: str) -> Price | None:
        """The entry that holds for a model at a time."""
        at = _in_utc(at)
        for price in self._listed(provider, model):
            if at >= price.since:
                return price
        return None

    def history(self, provider: str, model: str) -> tuple[ListedPrice, ...]:
        """All entries of a model, the newest first."""
        return tuple(price.listed for price in self._listed(provider, model))

    def entries(self) -> Iterator[tuple[str, str]]:
        """Every (provider, model) that is listed, in order."""
        yield from sorted(self._prices)

    def _look_up(self, provider: str, model: str) -> tuple[Price, ...]:
        """By the model's name, a gateway's name for it, without the day of its snapshot, and as any of its provider."""
        names = [(place, model) for place in self._providers.get(provider, (provider,))]
        prefix, slash, rest = model.partition("/")
        if slash:
            names += [(place, rest) for place in self._providers.get(prefix, (prefix,))]
        names += [(place, _SNAPSHOT.sub("", name)) for place, name in names]
        names.append((provider, ANY_MODEL))
        for name in names:
            if found := self._prices.get(name):
                return tuple(found)
        return ()

    def _add_up(self, quantities: tuple[Quantity, ...], table: RateTable) -> Cost:
        total = 0
        lines = []
        for quantity in quantities:
            rate = table.of(quantity)
            if rate is None:
                return self._unpriced(f"there is no price for {_words(quantity)}")
            total += quantity.amount * rate.parts
            lines.append(Line(quantity, rate.pico, rate.per))
        rounded = (2 * total + table.divisor) // (2 * table.divisor)
        return Cost(pico_usd=rounded, revision=self.revision, lines=tuple(lines))

    def _unpriced(self, why: str) -> Cost:
        return Cost(pico_usd=None, revision=self.revision, unpriced=why)


def _prompt_tokens(usage: Usage) -> int:
    return sum([one.amount for one in usage.quantities if one.direction == "input" and one.unit == "token"])


def _since(price: Price) -> str:
    return price.since


def _words(quantity: Quantity) -> str:
    cached = f" ({quantity.cache})" if quantity.cache != "none" else ""
    return f"{quantity.modality} {quantity.unit} {quantity.direction}{cached}"


def _in_utc(at: str) -> str:
    if at[-1:] == "Z" and at[10:11] == "T":
        return at  # as the log writes them
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None:
        raise ValueError(f"a time without its offset: {at}")
    return stamp(moment)
