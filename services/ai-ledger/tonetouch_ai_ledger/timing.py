"""How long calls took.

Answers `ShowLatency`: exactly from the rows where there are at most `MOST_ROWS` of them or subjects are asked about,
else from the histograms of the sums by day.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from tonetouch_ai_ledger.asking import Group, group_in, groups, is_of, lines_wanted
from tonetouch_ai_ledger.latency import ERROR_RATIO, SPANS, percentile
from tonetouch_ai_ledger.recording import AIJobRow
from tonetouch_ai_ledger.reporting import table_for
from tonetouch_contracts.ledger import Latency, LatencyLine, ShowLatency
from tonetouch_runtime import Floor, Router

router = Router()

MOST_ROWS = 20_000
"""Rows that are read and sorted for one answer: about a tenth of a second."""


@router.answers(ShowLatency)
async def show_latency(command: ShowLatency, floor: Floor) -> Latency:
    """Groups in the order of their names."""
    limit = lines_wanted(command.limit)
    table, source = table_for(floor, command.group_by, command.which)
    if source == "roll_ups":
        timed = select(func.sum(table.c.timed).label("timed")).where(*is_of(table, command.which, in_rows=False))
        counted = await floor.tables.one(timed)
        source = "rows" if counted is None or int(counted["timed"] or 0) <= MOST_ROWS else source
    lines = await (_from_rows if source == "rows" else _from_histograms)(command, floor)
    ordered = sorted(lines, key=lambda line: tuple(name or "" for name in line.group))
    return Latency(
        group_by=command.group_by,
        lines=tuple(ordered[:limit]),
        source=source,
        error_ratio=ERROR_RATIO if source == "roll_ups" else 0.0,
    )


async def _from_histograms(command: ShowLatency, floor: Floor) -> list[LatencyLine]:
    table, _ = table_for(floor, command.group_by, command.which)
    columns = groups(table, command.group_by, in_rows=False)
    sums = [func.sum(table.c[name]).label(name) for name in ("timed", "latency_us", *SPANS)]
    query = select(*columns, *sums).where(*is_of(table, command.which, in_rows=False)).group_by(*columns)
    rows = await floor.tables.all(query)
    return [_estimated(row, group_in(row, command.group_by)) for row in rows if row["timed"]]


def _estimated(row: Mapping[Any, Any], group: Group) -> LatencyLine:
    counts = [int(row[span]) for span in SPANS]
    timed = int(row["timed"])
    return LatencyLine(
        group=group,
        timed=timed,
        mean_ms=int(row["latency_us"]) / 1000 / timed,
        p50_ms=percentile(counts, 0.5),
        p90_ms=percentile(counts, 0.9),
        p95_ms=percentile(counts, 0.95),
        p99_ms=percentile(counts, 0.99),
        first_token_p50_ms=None,
        first_token_p95_ms=None,
        queue_p50_ms=None,
        queue_p95_ms=None,
    )


async def _from_rows(command: ShowLatency, floor: Floor) -> list[LatencyLine]:
    jobs = floor.tables.live(AIJobRow)
    columns = groups(jobs, command.group_by, in_rows=True)
    query = select(*columns, jobs.c.latency_ms, jobs.c.first_token_ms, jobs.c.queue_ms).where(
        jobs.c.latency_ms.is_not(None), *is_of(jobs, command.which, in_rows=True)
    )
    by_group: dict[Group, list[Mapping[Any, Any]]] = {}
    for row in await floor.tables.all(query):
        by_group.setdefault(group_in(row, command.group_by), []).append(row)
    return [_exact(rows, group) for group, rows in by_group.items()]


def _exact(rows: Sequence[Mapping[Any, Any]], group: Group) -> LatencyLine:
    latencies, first_tokens, queues = (
        _sorted(row[name] for row in rows) for name in ("latency_ms", "first_token_ms", "queue_ms")
    )
    return LatencyLine(
        group=group,
        timed=len(latencies),
        mean_ms=math.fsum(latencies) / len(latencies),
        p50_ms=nearest_rank(latencies, 0.5),
        p90_ms=nearest_rank(latencies, 0.9),
        p95_ms=nearest_rank(latencies, 0.95),
        p99_ms=nearest_rank(latencies, 0.99),
        first_token_p50_ms=nearest_rank(first_tokens, 0.5),
        first_token_p95_ms=nearest_rank(first_tokens, 0.95),
        queue_p50_ms=nearest_rank(queues, 0.5),
        queue_p95_ms=nearest_rank(queues, 0.95),
    )


def _sorted(values: Iterable[float | None]) -> list[float]:
    return sorted(value for value in values if value is not None)


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that a `share` (0 to 1) of the ordered values do not exceed; None of none."""
    return ordered[max(1, math.ceil(len(ordered) * share)) - 1] if ordered else None
