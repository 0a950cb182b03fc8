"""What a request costs outside and in the runtime, by what was paid.

Answers `ShowEconomics` from the sums by day. With C(miss) and C(hit) the mean costs of an external request that read
nothing and something from the provider's prompt cache, and C(in) the mean cost of an in-runtime one, both cost the same
at the hit ratio h* = (C(miss) - C(in)) / (C(miss) - C(hit)).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs
from sqlalchemy import func, select

from tonetouch_ai_ledger.asking import is_of
from tonetouch_ai_ledger.reporting import table_for
from tonetouch_contracts.ledger import BreakEven, Economics, EconomicsLine, ShowEconomics, Where
from tonetouch_runtime import Floor, Refused, Router

router = Router()

IN_RUNTIME = "cloudflare"
"""Workers AI: the models that run where the services do, also when they are asked through a gateway."""

EMBEDDED = "local"

_SUMS = (
    "calls",
    "unpriced",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "cost_pico_usd",
    "prompt_hits",
    "prompt_hit_pico_usd",
)
_ORDER: tuple[Where, ...] = ("external", "in_runtime", "embedded")


@router.answers(ShowEconomics)
async def show_economics(command: ShowEconomics, floor: Floor) -> Economics:
    """Calls that were made and succeeded; a call that was answered from the exact cache says nothing of a price."""
    table, source = table_for(floor, (), command.which)
    if source == "rows":
        raise Refused("unsupported", "Costs per request are not known by subject.", "Ask by feature or type.")
    models = (table.c.provider, table.c.model, table.c.gateway)
    query = (
        select(*models, *(func.sum(table.c[name]).label(name) for name in _SUMS))
        .where(table.c.cache == "miss", table.c.outcome == "succeeded", *is_of(table, command.which, in_rows=False))
        .group_by(*models)
        .having(func.sum(table.c.calls - table.c.unpriced) > 0)
    )
    lines = [_line(row) for row in await floor.tables.all(query)]
    beside = [line for line in lines if line.where == "in_runtime"]
    ordered = sorted(lines, key=lambda line: (_ORDER.index(line.where), line.provider, line.model, line.gateway or ""))
    return Economics(lines=tuple(_compared(line, beside) for line in ordered))


def _line(row: Mapping[Any, Any]) -> EconomicsLine:
    said = {name: int(row[name]) for name in _SUMS}
    priced, hits = said["calls"] - said["unpriced"], said["prompt_hits"]
    misses = priced - hits
    missed = said["cost_pico_usd"] - said["prompt_hit_pico_usd"]
    return EconomicsLine(
        provider=row["provider"],
        model=row["model"],
        gateway=row["gateway"] or None,
        where=_where(row["provider"]),
        calls=priced,
        mean_prompt_tokens=said["prompt_tokens"] / said["calls"],
        mean_completion_tokens=said["completion_tokens"] / said["calls"],
        mean_cost_pico_usd=said["cost_pico_usd"] / priced,
        hit_cost_pico_usd=said["prompt_hit_pico_usd"] / hits if hits else None,
        miss_cost_pico_usd=missed / misses if misses else None,
        prompt_hit_ratio=hits / priced,
        prompt_token_ratio=said["cached_tokens"] / said["prompt_tokens"] if said["prompt_tokens"] else None,
    )


def _where(provider: str) -> Where:
    return {IN_RUNTIME: "in_runtime", EMBEDDED: "embedded"}.get(provider, "external")  # type: ignore[return-value]


def _compared(line: EconomicsLine, beside: Sequence[EconomicsLine]) -> EconomicsLine:
    if line.where != "external":
        return line
    return structs.replace(line, against=tuple(break_even(line, other) for other in beside))


def break_even(external: EconomicsLine, inside: EconomicsLine) -> BreakEven:
    """At which share of prompt-cache hits a request costs the same outside as inside."""
    miss, hit, within = external.miss_cost_pico_usd, external.hit_cost_pico_usd, inside.mean_cost_pico_usd
    holds = external.mean_cost_pico_usd < within
    if miss is not None and miss <= within:
        return BreakEven(model=inside.model, hit_ratio=None, verdict="always", holds=holds)
    if hit is not None and hit >= within:
        return BreakEven(model=inside.model, hit_ratio=None, verdict="never", holds=holds)
    if miss is None or hit is None:
        return BreakEven(model=inside.model, hit_ratio=None, verdict="unknown", holds=holds)
    ratio = (miss - within) / (miss - hit)
    return BreakEven(model=inside.model, hit_ratio=ratio, verdict="from_hit_ratio", holds=holds)
