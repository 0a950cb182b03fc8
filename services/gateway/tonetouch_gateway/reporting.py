"""What AI did: the rows of AIJobs, in short and whole.

Asks `ListJobs` and `ListUnaccounted`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import JobView, ListJobs
from tonetouch_contracts.ledger import ListUnaccounted, Missing
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.listing import ID_PATTERN, Cursor, Limit, Listing
from tonetouch_gateway.money import exact, in_dollars, spelt
from tonetouch_gateway.problems import documented
from tonetouch_runtime import Refused

router = APIRouter(tags=["reporting"])

Filter = Annotated[str | None, Query(max_length=200)]
Day = Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}$", description="A day in UTC: `2026-01-31`.")]
FromDay = Annotated[Day, Query(alias="from")]
ToDay = Annotated[Day, Query(alias="to")]
JobInPath = Annotated[JobId, Path(pattern=ID_PATTERN, description="The id of a job.")]


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
    cost_usd: float | None = Field(
        description="Exact to the pico-dollar: a decimal number, as long as it has to be. In lists the corrected one."
    )
    latency_ms: float | None
    outcome: str = Field(description="succeeded, failed, cancelled, unknown, running.")
    cache: str | None = Field(description="miss, exact_hit, coalesced.")
    recorded_at: str | None


class UsedQuantity(BaseModel):
    """So much of one billable thing; no token is in two of them."""

    unit: str = Field(description="token, character, audio_ms, image, tile, step, request.")
    direction: str = Field(description="input, output, reasoning.")
    amount: int
    cache: str = Field(description="none, read, write, or a write with its lifetime.")
    modality: str


class ConsideredTarget(BaseModel):
    """A target the router looked at."""

    target: str
    cost_usd: float | None = Field(description="What it would have cost.")
    passed_over: str = Field(description="Why it was not taken; empty: it was.")


class WholeJob(Job):
    """Every column of a row."""

    user: str | None
    purpose: str
    priority: str
    target: str | None = Field(description="The row of the routing table that was chosen.")
    model_answered: str | None
    prompt: str | None = Field(description="`name@version`.")
    context_hash: str | None
    output_hash: str | None
    considered: list[ConsideredTarget]
    provider_request_id: str | None
    gateway_log_id: str | None
    http_status: int | None
    finish_reason: str | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    quantities: list[UsedQuantity]
    avoided_usd: float | None = Field(description="What an answer that was there already would have cost.")
    price_revision: str | None
    first_token_ms: float | None
    queue_ms: float | None
    usage_source: str | None = Field(description="reported, partial, estimated, none.")
    error_type: str | None
    error: str | None
    started_at: str | None
    retry_of: str | None = Field(description="The job this one tries again.")
    repriced_usd: float | None = Field(description="Once there is a `repriced_at` this counts, also where it is null.")
    repriced_revision: str | None
    repriced_at: str | None
    raw_usage: str | None = Field(description="The provider's own words on usage, JSON as text.")


_SAME = tuple(name for name in Job.model_fields if name != "cost_usd")


@router.get("/ai/jobs", response_model=Listing[Job])
async def list_jobs(
    ask: Ask,
    subject: Filter = None,
    type: Filter = None,  # noqa: A002 - the name of the column
    feature: Filter = None,
    user: Filter = None,
    provider: Filter = None,
    model: Filter = None,
    outcome: Filter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The rows of AIJobs, the newest first: all, or those of a subject (`track:{id}`), type, feature and more."""
    question = ListJobs(
        subject=subject,
        type=type,
        feature=feature,
        user=user,
        provider=provider,
        model=model,
        outcome=outcome,
        limit=limit,
        cursor=cursor,
    )
    page = await ask(question)
    return exact({"items": [_row(job) for job in page.items], "next_cursor": page.next_cursor})


@router.get("/ai/jobs/{job_id}", response_model=Listing[WholeJob], responses=documented("not_found"))
async def show_job(job_id: JobInPath, ask: Ask, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Every attempt at a job with all its columns, the newest first."""
    page = await ask(ListJobs(job_id=job_id, limit=limit, cursor=cursor))
    if not page.items and cursor is None:
        raise Refused("not_found", f"There is no job {job_id}.")
    return exact(spelt(page))


@router.get("/ai/unaccounted", response_model=Listing[WholeJob])
async def list_unaccounted(
    ask: Ask,
    missing: Annotated[Missing | None, Query(description="Only what has no price, usage, or known outcome.")] = None,
    from_day: FromDay = None,
    to_day: ToDay = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Attempts of which something is not known, the newest first: a price, what was used, or how they ended."""
    page = await ask(
        ListUnaccounted(missing=missing, from_day=from_day, to_day=to_day, limit=limit, cursor=cursor),
    )
    return exact(spelt(page))


def _row(job: JobView) -> dict[str, Any]:
    cost = job.cost_pico_usd if job.repriced_at is None else job.repriced_pico_usd
    return {name: getattr(job, name) for name in _SAME} | {"cost_usd": in_dollars(cost)}
