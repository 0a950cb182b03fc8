"""The ledger: one row for every attempt at a job.

Keeps `AIJobRow` from AI; answers `ListJobs`. A start makes a row that runs, an end fills it; the end alone is enough,
and in whichever order the two come the row is the same. What was recorded first stays: the same attempt recorded once
more with other content is an alarm, for somebody was paid twice or says so.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from sqlalchemy import BigInteger, Index, RowMapping, Select, Table, false, select, tuple_
from sqlmodel import Field, SQLModel

from tonetouch_contracts.job import JobRecorded, JobStarted, JobView, ListJobs
from tonetouch_contracts.message import Page
from tonetouch_runtime import Floor, Recorded, Router, Writer, decode_cursor, encode_cursor, page_size

log = structlog.get_logger()
router = Router()

RUNNING = "running"


class AIJobRow(SQLModel, table=True):
    """One attempt. `contradicted_at` is the place in AI of the last event that said something else of it."""

    __tablename__ = "ai_jobs"
    __table_args__ = (
        Index("ai_jobs_by_start", "started_at", "job_id", "attempt"),
        Index("ai_jobs_by_subject", "subject", "started_at"),
    )

    job_id: str = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    type: str | None = None
    feature: str | None = None
    subject: str | None = None
    provider: str | None = None
    model: str | None = None
    gateway: str | None = None
    input_hash: str | None = None
    input_ref: str | None = None
    output_ref: str | None = None
    prompt_tokens: int | None = Field(default=None, sa_type=BigInteger)
    cached_tokens: int | None = Field(default=None, sa_type=BigInteger)
    completion_tokens: int | None = Field(default=None, sa_type=BigInteger)
    cost_pico_usd: int | None = Field(default=None, sa_type=BigInteger)
    latency_ms: float | None = None
    outcome: str | None = None
    cache: str | None = None
    usage_source: str | None = None
    error: str | None = None
    started_at: str | None = None
    recorded_at: str | None = None
    contradicted_at: int | None = Field(default=None, sa_type=BigInteger)


@router.keeps(AIJobRow, hears=(JobStarted, JobRecorded))
def keep_jobs(facts: Sequence[Recorded[Any]], jobs: Writer) -> None:
    """All starts of a batch, then all its ends: the order between them makes no difference."""
    started = [fact for fact in facts if type(fact.event) is JobStarted]
    recorded = [fact for fact in facts if type(fact.event) is JobRecorded]
    rows = [{**msgspec.structs.asdict(fact.event), "outcome": RUNNING} for fact in started]
    if rows and jobs.insert_new(rows) < len(rows):
        _compare(started, jobs)
    if jobs.upsert_events([fact.event for fact in recorded], while_null="recorded_at") < len(recorded):
        _compare(recorded, jobs)


def _compare(facts: Sequence[Recorded[Any]], jobs: Writer) -> None:
    """Some of these attempts have been there before: the same again is fine, anything else is an alarm."""
    kept = {(row["job_id"], row["attempt"]): row for row in jobs.rows([fact.event.job_id for fact in facts])}
    contradictions = [fact for fact in facts if _contradicts(fact.event, kept[fact.event.job_id, fact.event.attempt])]
    for fact in contradictions:
        log.error("job_contradicted", job=fact.event.job_id, attempt=fact.event.attempt, sequence=fact.sequence)
    jobs.upsert(
        [
            {"job_id": fact.event.job_id, "attempt": fact.event.attempt, "contradicted_at": fact.sequence}
            for fact in contradictions
        ]
    )


def _contradicts(event: JobStarted | JobRecorded, kept: RowMapping) -> bool:
    return any(kept[name] != value for name, value in msgspec.structs.asdict(event).items())


@router.answers(ListJobs)
async def list_jobs(command: ListJobs, floor: Floor) -> Page[JobView]:
    """The attempts that were started last come first: a place that does not change when they end."""
    size = page_size(command.limit)
    rows = await floor.tables.all(_page(command, floor.tables.live(AIJobRow)).limit(size + 1))
    more = encode_cursor(*(rows[size - 1][name] for name in _KEY)) if len(rows) > size else None
    return Page(items=tuple(_view(row) for row in rows[:size]), next_cursor=more)


_KEY = ("started_at", "job_id", "attempt")
_FILTERS = ("subject", "type", "feature", "job_id")


def _page(command: ListJobs, jobs: Table) -> Select[Any]:
    query = select(jobs)
    for name in _FILTERS:
        if (wanted := getattr(command, name)) is not None:
            # PostgreSQL refuses to compare with a text that holds a NUL; no row can have one there.
            query = query.where(jobs.c[name] == wanted if "\0" not in wanted else false())
    key = [jobs.c[name] for name in _KEY]
    if command.cursor:
        query = query.where(tuple_(*key) < tuple_(*decode_cursor(command.cursor, str, str, int)))
    return query.order_by(*(column.desc() for column in key))


def _view(row: RowMapping) -> JobView:
    return JobView(id=row["job_id"], **{name: row[name] for name in _SHOWN})


_SHOWN = tuple(name for name in JobView.__struct_fields__ if name != "id")
