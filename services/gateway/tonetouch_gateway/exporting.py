"""The rows of AIJobs as a file, however many there are.

Asks `ExportJobs`, page after page, while the pages before are being sent.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.responses import StreamingResponse

from tonetouch_contracts.job import JobView
from tonetouch_contracts.ledger import ExportJobs, Which
from tonetouch_contracts.message import Page
from tonetouch_gateway.accounting import Asked
from tonetouch_gateway.asking import Ask, Asking
from tonetouch_gateway.listing import MOST
from tonetouch_gateway.money import spelt
from tonetouch_gateway.reporting import WholeJob

router = APIRouter(tags=["exporting"])

COLUMNS = tuple(WholeJob.model_fields)
_nested = msgspec.json.Encoder(decimal_format="number")
_CSV = {"text/csv": {"schema": {"type": "string"}}}


@router.get(
    "/ai/jobs.csv",
    response_class=StreamingResponse,
    responses={200: {"description": "A row for each attempt, under the names of the columns.", "content": _CSV}},
)
async def export_jobs(ask: Ask, asked: Asked) -> StreamingResponse:
    """Every column of the rows as CSV (RFC 4180), the oldest first. Unknown is empty; lists are JSON in one column."""
    # The first page before the first byte: what is wrong with the question is still answered as a problem then.
    first = await ask(ExportJobs(which=asked, limit=MOST))
    headers = {"content-disposition": 'attachment; filename="ai-jobs.csv"', "cache-control": "no-store"}
    return StreamingResponse(_lines(ask, asked, first), media_type="text/csv; charset=utf-8", headers=headers)


async def _lines(ask: Asking, which: Which, page: Page[JobView]) -> AsyncIterator[bytes]:
    """A failure on the way breaks the connection off, so that half a file is not taken for a whole one."""
    yield _csv([COLUMNS])
    while True:
        if page.items:
            yield _csv([_cell(row[name]) for name in COLUMNS] for row in map(spelt, page.items))
        if page.next_cursor is None:
            return
        page = await ask(ExportJobs(which=which, limit=MOST, cursor=page.next_cursor))


def _csv(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return _nested.encode(value).decode() if value else None
    return f"{value:f}" if isinstance(value, Decimal) else value
