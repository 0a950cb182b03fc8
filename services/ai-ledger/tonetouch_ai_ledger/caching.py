"""Answers that were there already, and prompts that a provider had kept: how often, and what they saved.

Answers `ShowCaching` from the sums by day. What prompt caches saved is what the same tokens cost at full price, by the
price book and the day, less what was paid.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from tonetouch_ai_ledger.asking import Group, groups, is_of, lines_wanted
from tonetouch_ai_ledger.reporting import table_for
from tonetouch_contracts.ledger import Caching, CachingLine, GroupBy, ShowCaching
from tonetouch_runtime import Floor, Misconfigured, Refused, Router
from tonetouch_runtime.ai.pricing import PriceBook

router = Router()

_PRICED_BY: tuple[GroupBy, ...] = ("day", "provider", "model", "cache")
_SUMS = (
    "calls",
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "cost_pico_usd",
    "avoided_pico_usd",
    "unpriced",
    "without_usage",
)


@router.answers(ShowCaching)
async def show_caching(command: ShowCaching, floor: Floor) -> Caching:
    """Groups in the order of their names."""
    limit = lines_wanted(command.limit)
    table, source = table_for(floor, command.group_by, command.which)
    if source == "rows":
        raise Refused("unsupported", "Caching is not known by subject.", "Ask by feature, model, user or day.")
    asked, priced_by = (groups(table, names, in_rows=False) for names in (command.group_by, _PRICED_BY))
    finest = [*asked, *(column.element.label(f"by_{name}") for column, name in zip(priced_by, _PRICED_BY, strict=True))]
    query = select(*finest, *(func.sum(table.c[name]).label(name) for name in _SUMS))
    parts = await floor.tables.all(
        query.where(*is_of(table, command.which, in_rows=False)).group_by(*(column.element for column in finest))
    )
    book = await _book(floor)
    by_group: dict[Group, list[Mapping[Any, Any]]] = {}
    for part in parts:
        by_group.setdefault(tuple(part[column.name] or None for column in asked), []).append(part)
    ordered = sorted(by_group, key=lambda group: tuple(name or "" for name in group))
    lines = tuple(_line(group, by_group[group], book) for group in ordered)
    total = _line((None,) * len(asked), parts, book)
    return Caching(group_by=command.group_by, lines=lines[:limit], total=total)


async def _book(floor: Floor) -> PriceBook:
    """The prices as they stand in their file now."""
    try:
        return await asyncio.to_thread(PriceBook.load, floor.settings.ai_prices)
    except Misconfigured as error:
        raise Refused("invalid", str(error), "Correct the file of prices.") from error


def _line(group: Group, parts: Sequence[Mapping[Any, Any]], book: PriceBook) -> CachingLine:
    made = [part for part in parts if part["by_cache"] == "miss"]
    calls, asked = _sum(parts, "calls"), _sum(made, "prompt_tokens")
    hits, coalesced = (
        _sum([part for part in parts if part["by_cache"] == kind], "calls") for kind in ("exact_hit", "coalesced")
    )
    savings = [_saved(part, book) for part in made if part["cached_tokens"] or part["cache_write_tokens"]]
    known = [saving for saving in savings if saving is not None]
    return CachingLine(
        group=group,
        calls=calls,
        exact_hits=hits,
        coalesced=coalesced,
        exact_ratio=(hits + coalesced) / calls if calls else None,
        avoided_pico_usd=_sum(parts, "avoided_pico_usd"),
        prompt_tokens=asked,
        cached_tokens=_sum(made, "cached_tokens"),
        cache_write_tokens=_sum(made, "cache_write_tokens"),
        prompt_ratio=_sum(made, "cached_tokens") / asked if asked else None,
        prompt_saved_pico_usd=sum(known) if len(known) == len(savings) else None,
    )


def _saved(part: Mapping[Any, Any], book: PriceBook) -> int | None:
    """What the prompt cache took off calls to one model on one day; None where some of them have no price."""
    if part["unpriced"] > part["without_usage"]:
        return None
    calls = int(part["calls"] - part["without_usage"])
    at = f"{part['by_day']}T12:00:00Z"
    full = book.estimate(
        part["by_provider"],
        part["by_model"],
        prompt_tokens=round(part["prompt_tokens"] / calls),
        completion_tokens=round(part["completion_tokens"] / calls),
        at=at,
    )
    return None if full is None else full * calls - int(part["cost_pico_usd"])


def _sum(parts: Sequence[Mapping[Any, Any]], name: str) -> int:
    return int(sum(part[name] for part in parts))
