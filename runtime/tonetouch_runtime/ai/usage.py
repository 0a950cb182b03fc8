"""What an attempt used, in one form for every provider.

Providers count differently: some leave cached tokens out of the input, some count them in, some reasoning in the
output. Here every quantity stands once, and the totals the field speaks of are sums.
"""

from collections.abc import Callable

import msgspec

from tonetouch_contracts.job import Direction, PromptCache, Quantity, UsageSource

WRITES: frozenset[PromptCache] = frozenset({"write", "write_5m", "write_30m", "write_1h", "write_12h"})


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Quantities that do not overlap. What is not known, or not counted in tokens, is None in the totals, never zero.

    `raw` is the provider's own account of it, as JSON text.
    """

    quantities: tuple[Quantity, ...] = ()
    source: UsageSource = "none"
    raw: str | None = None

    @property
    def prompt_tokens(self) -> int | None:
        """All input tokens, the cached ones among them."""
        return self._sum(_INPUT, lambda one: True)

    @property
    def cached_tokens(self) -> int | None:
        """Input tokens read from the provider's prompt cache."""
        return self._sum(_INPUT, lambda one: one.cache == "read")

    @property
    def cache_write_tokens(self) -> int | None:
        """Input tokens written to the provider's prompt cache."""
        return self._sum(_INPUT, lambda one: one.cache in WRITES)

    @property
    def completion_tokens(self) -> int | None:
        """All output tokens, reasoning among them."""
        return self._sum(_OUTPUT, lambda one: True)

    @property
    def reasoning_tokens(self) -> int | None:
        """Output tokens that nobody sees."""
        return self._sum(_OUTPUT, lambda one: one.direction == "reasoning")

    def _sum(self, side: frozenset[Direction], counts: Callable[[Quantity], bool]) -> int | None:
        """A sum over one side's tokens. Where no token of it was told it is zero only if all was told, in tokens."""
        told = [one for one in self.quantities if one.unit == "token"]
        of_the_side = [one for one in told if one.direction in side]
        is_whole = self.source == "reported" and (bool(told) or not self.quantities)
        if not of_the_side and not is_whole:
            return None
        return sum(one.amount for one in of_the_side if counts(one))


_INPUT: frozenset[Direction] = frozenset({"input"})
_OUTPUT: frozenset[Direction] = frozenset({"output", "reasoning"})


def tokens(  # the shape nearly every provider's usage comes down to
    *,
    prompt: int,
    cached: int = 0,
    written: int = 0,
    completion: int = 0,
    reasoning: int = 0,
    lifetime: PromptCache = "write",
) -> tuple[Quantity, ...]:
    """Disjoint quantities from totals: `prompt` holds the cached and written ones, `completion` the reasoning.

    Raises ValueError where a part is larger than its whole or anything is below zero.
    """
    parts = {
        ("input", "none"): prompt - cached - written,
        ("input", "read"): cached,
        ("input", lifetime): written,
        ("output", "none"): completion - reasoning,
        ("reasoning", "none"): reasoning,
    }
    if min(parts.values()) < 0:
        raise ValueError(f"these are no totals: {prompt=} {cached=} {written=} {completion=} {reasoning=}")
    return tuple(
        Quantity(unit="token", direction=direction, cache=cache, amount=amount)  # type: ignore[arg-type]
        for (direction, cache), amount in parts.items()
        if amount
    )
