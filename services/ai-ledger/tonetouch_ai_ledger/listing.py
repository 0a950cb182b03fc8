"""Rows of the ledger as they are, in pages.

Answers `ListJobs` (newest first), `ExportJobs` (oldest first, whole rows), and `ListUnaccounted` (what is not known).
"""

from typing import Any

from sqlalchemy import ColumnElement, Table, and_, select, tuple_

from tonetouch_ai_ledger.asking import between, is_of, says
from tonetouch_ai_ledger.recording import UNACCOUNTED, AIJobRow, effective_cost, view_of
from tonetouch_contracts.job import JobView, ListJobs
from tonetouch_contracts.ledger import ExportJobs, ListUnaccounted, Missing
from tonetouch_contracts.message import Page
from tonetouch_runtime import Floor, Router, decode_cursor, encode_cursor, page_size

router = Router()

_KEY = ("started_at", "job_id", "attempt")
_FILTERS = ("subject", "type", "feature", "user", "provider", "model", "outcome", "job_id")


@router.answers(ListJobs)
async def list_jobs(command: ListJobs, floor: Floor) -> Page[JobView]:
    """The attempts that were started last come first: a place that does not change when they end."""
    jobs = floor.tables.live(AIJobRow)
    asked = {name: wanted for name in _FILTERS if (wanted := getattr(command, name)) is not None}
    return await _page(floor, [says(jobs.c[name], wanted) for name, wanted in asked.items()], command)


@router.answers(ListUnaccounted)
async def list_unaccounted(command: ListUnaccounted, floor: Floor) -> Page[JobView]:
    """Only attempts with an end: one that runs may still say what it used."""
    jobs = floor.tables.live(AIJobRow)
    conditions = [UNACCOUNTED, *between(jobs.c.started_at, command.from_day, command.to_day)]
    if command.missing is not None:
        conditions.append(_lacks(jobs, command.missing))
    return await _page(floor, conditions, command)


def _lacks(jobs: Table, missing: Missing) -> ColumnElement[bool]:
    if missing == "outcome":
        return jobs.c.outcome == "unknown"
    used = jobs.c.usage_source == "none" if missing == "usage" else jobs.c.usage_source != "none"
    return and_(effective_cost(jobs).is_(None), used)


@router.answers(ExportJobs)
async def export_jobs(command: ExportJobs, floor: Floor) -> Page[JobView]:
    """Attempts with an end, the oldest first."""
    jobs = floor.tables.live(AIJobRow)
    return await _page(floor, is_of(jobs, command.which, in_rows=True), command, newest_first=False)


async def _page(
    floor: Floor,
    conditions: list[Any],
    command: ListJobs | ListUnaccounted | ExportJobs,
    *,
    newest_first: bool = True,
) -> Page[JobView]:
    size = page_size(command.limit)
    jobs = floor.tables.live(AIJobRow)
    key = tuple_(*(jobs.c[name] for name in _KEY))
    query = select(jobs).where(*conditions)
    if command.cursor:
        reached = tuple_(*decode_cursor(command.cursor, str, str, int))
        query = query.where(key < reached if newest_first else key > reached)
    order = [jobs.c[name].desc() if newest_first else jobs.c[name] for name in _KEY]
    rows = await floor.tables.all(query.order_by(*order).limit(size + 1))
    more = encode_cursor(*(rows[size - 1][name] for name in _KEY)) if len(rows) > size else None
    return Page(items=tuple(view_of(row) for row in rows[:size]), next_cursor=more)
