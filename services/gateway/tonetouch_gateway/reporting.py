"""What AI did and cost: the rows of AIJobs.

Asks `ListJobs`.
"""

from decimal import Decimal
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from tonetouch_contracts.job import JobView, ListJobs
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.listing import Cursor, Limit, Listing

router = APIRouter(tags=["reporting"])

_PICO = -12
_encoder = msgspec.json.Encoder(decimal_format="number")

Filter = Annotated[str | None, Query(max_length=200)]


class Job(BaseModel):
    """One attempt at a call to a model, or at a step that is accounted like one. Unknown is null, never zero."""

    id: str
    attempt: int
    type: str = Field(description="The task: `embeddings`, `chat`, or the name of a step.")
    feature: str = Field(description="For what: `ingest.embed`, `search`.")
    subject: str = Field(description="About what: `track:<id>`.")
    provider: str
    model: str
    gateway: str | None
    input_hash: str
    input_ref: str | None
    output_ref: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None = Field(description="Exact to the pico-dollar: a decimal number, as long as it has to be.")
    latency_ms: float | None
    outcome: str = Field(description="succeeded, failed, unknown, running.")
    cache: str | None = Field(description="miss, exact_hit, coalesced.")
    recorded_at: str | None


_SAME = tuple(name for name in Job.model_fields if name != "cost_usd")


@router.get("/ai/jobs", response_model=Listing[Job])
async def list_jobs(
    ask: Ask,
    subject: Filter = None,
    type: Filter = None,  # noqa: A002 - the name of the column
    feature: Filter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The rows of AIJobs, the newest first: all, or those of a subject (`track:{id}`), type or feature."""
    page = await ask(ListJobs(subject=subject, type=type, feature=feature, limit=limit, cursor=cursor))
    body = {"items": [_row(job) for job in page.items], "next_cursor": page.next_cursor}
    # FastAPI would write money as a float or as text; it is to be a number, and exact.
    return Response(_encoder.encode(body), media_type="application/json")


def _row(job: JobView) -> dict[str, Any]:
    return {name: getattr(job, name) for name in _SAME} | {"cost_usd": in_dollars(job.cost_pico_usd)}


def in_dollars(pico_dollars: int | None) -> Decimal | None:
    """Pico-dollars (1e-12 USD) as dollars, exactly.

    >>> in_dollars(1_234_500)
    Decimal('0.0000012345')
    """
    if pico_dollars is None:
        return None
    # From digits, as arithmetic on decimals would round to its context.
    sign, digits = ("-" if pico_dollars < 0 else ""), str(abs(pico_dollars)).rjust(13, "0")
    return Decimal(f"{sign}{digits[:_PICO]}.{digits[_PICO:]}".rstrip("0").rstrip("."))
