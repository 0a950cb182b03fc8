"""The ledger: one row for every attempt at a job, and the sums over them.

Keeps `AIJobRow` from AI, with the sums of `usage` beside it. A start makes a row that runs, an end fills it; the end
alone is enough, and in whichever order the two come the row is the same. What was recorded first stays: the same
attempt recorded once more with other content is an alarm, for somebody was paid twice or says so. A correction stands
beside the attempt's own cost; the latest one counts.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import structlog
from sqlalchemy import BigInteger, ColumnElement, Index, RowMapping, Table, case, text
from sqlmodel import Field, SQLModel

from tonetouch_ai_ledger.structured import Structured
from tonetouch_ai_ledger.usage import Tally, UsageDayRow, UsageUserRow
from tonetouch_contracts.job import Considered, JobRecorded, JobRepriced, JobStarted, JobView, Quantity
from tonetouch_runtime import Recorded, Router, Writer

log = structlog.get_logger()
router = Router()

RUNNING = "running"
_OPEN = text("recorded_at is null")
UNACCOUNTED = text(
    "(case when repriced_at is null then cost_pico_usd else repriced_pico_usd end is null or outcome = 'unknown') "
    "and recorded_at is not null"
)
"""Attempts with an end of which the cost or the outcome is not known; as the index has it, so that it is used."""


class AIJobRow(SQLModel, table=True):
    """One attempt.

    `contradicted_at` is the place in AI of the last event that said something else of it, `repriced_by` that of the
    correction that counts.
    """

    __tablename__ = "ai_jobs"
    __table_args__ = (
        Index("ai_jobs_by_start", "started_at", "job_id", "attempt"),
        Index("ai_jobs_by_subject", "subject", "started_at"),
        Index("ai_jobs_open", "started_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ai_jobs_unaccounted", "started_at", sqlite_where=UNACCOUNTED, postgresql_where=UNACCOUNTED),
    )

    job_id: str = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    type: str | None = None
    feature: str | None = None
    subject: str | None = None
    user: str | None = None
    purpose: str | None = None
    priority: str | None = None
    provider: str | None = None
    gateway: str | None = None
    target: str | None = None
    model: str | None = None
    model_answered: str | None = None
    prompt: str | None = None
    input_hash: str | None = None
    context_hash: str | None = None
    input_ref: str | None = None
    output_ref: str | None = None
    output_hash: str | None = None
    considered: Any = Field(default=None, nullable=True, sa_type=Structured(Considered))
    retry_of: str | None = None
    provider_request_id: str | None = None
    gateway_log_id: str | None = None
    http_status: int | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = Field(default=None, sa_type=BigInteger)
    cached_tokens: int | None = Field(default=None, sa_type=BigInteger)
    cache_write_tokens: int | None = Field(default=None, sa_type=BigInteger)
    completion_tokens: int | None = Field(default=None, sa_type=BigInteger)
    reasoning_tokens: int | None = Field(default=None, sa_type=BigInteger)
    quantities: Any = Field(default=None, nullable=True, sa_type=Structured(Quantity))
    raw_usage: str | None = None
    usage_source: str | None = None
    cost_pico_usd: int | None = Field(default=None, sa_type=BigInteger)
    avoided_pico_usd: int | None = Field(default=None, sa_type=BigInteger)
    price_revision: str | None = None
    latency_ms: float | None = None
    first_token_ms: float | None = None
    queue_ms: float | None = None
    outcome: str | None = None
    cache: str | None = None
    error_type: str | None = None
    error: str | None = None
    started_at: str | None = None
    recorded_at: str | None = None
    repriced_pico_usd: int | None = Field(default=None, sa_type=BigInteger)
    repriced_revision: str | None = None
    repriced_at: str | None = None
    repriced_by: int | None = Field(default=None, sa_type=BigInteger)
    contradicted_at: int | None = Field(default=None, sa_type=BigInteger)


@router.keeps(AIJobRow, UsageDayRow, UsageUserRow, hears=(JobStarted, JobRecorded, JobRepriced))
def keep_jobs(facts: Sequence[Recorded[Any]], jobs: Writer, days: Writer, users: Writer) -> None:
    """All starts of a batch, then all its ends: the order between them makes no difference. Then its corrections."""
    started = [fact for fact in facts if type(fact.event) is JobStarted]
    recorded = [fact for fact in facts if type(fact.event) is JobRecorded]
    repriced = [fact for fact in facts if type(fact.event) is JobRepriced]
    _start(_without_their_ends(started, recorded), jobs)
    tally = Tally()
    tally.count(_record(recorded, jobs))
    if repriced:
        _reprice(repriced, jobs, tally)
    days.add(tally.by_day())
    users.add(tally.by_user())


def _start(facts: Sequence[Recorded[JobStarted]], jobs: Writer) -> None:
    rows = [{**msgspec.structs.asdict(fact.event), "outcome": RUNNING} for fact in facts]
    if rows and jobs.insert_new(rows) < len(rows):
        _compare(facts, jobs)


def _without_their_ends(
    started: Sequence[Recorded[JobStarted]], recorded: Sequence[Recorded[JobRecorded]]
) -> Sequence[Recorded[JobStarted]]:
    """Starts whose ends are not in this batch, or say something else: an end says all that its start does."""
    if not started:
        return started
    ends = {_said_at_start(fact.event) for fact in recorded}
    return [fact for fact in started if _said_at_start(fact.event) not in ends]


_said_at_start = attrgetter(*JobStarted.__struct_fields__)


def _record(facts: Sequence[Recorded[JobRecorded]], jobs: Writer) -> list[JobRecorded]:
    """Fill the rows of attempts that had no end yet, and return their ends."""
    events = {(fact.event.job_id, fact.event.attempt): fact.event for fact in reversed(facts)}
    written = jobs.upsert_events(list(events.values()), while_null="recorded_at")
    if len(written) == len(facts):
        return list(events.values())
    _compare(facts, jobs)
    return [events[key[0], key[1]] for key in written]


def _reprice(facts: Sequence[Recorded[JobRepriced]], jobs: Writer, tally: Tally) -> None:
    """Put corrections beside the costs they correct. One that is older than what stands there changes nothing."""
    kept = {(row["job_id"], row["attempt"]): dict(row) for row in jobs.rows({fact.event.job_id for fact in facts})}
    for fact in facts:
        event, row = fact.event, kept.get((fact.event.job_id, fact.event.attempt))
        if row is None or row["recorded_at"] is None:
            log.error("correction_of_nothing", job=event.job_id, attempt=event.attempt, sequence=fact.sequence)
        elif fact.sequence > (row["repriced_by"] or 0):
            before = effective(row)
            row.update(_correction(fact))
            tally.correct(row, before, effective(row))
    changed = [row for row in kept.values() if row["repriced_by"] is not None]
    jobs.upsert([{name: row[name] for name in ("job_id", "attempt", *_CORRECTION)} for row in changed])


_CORRECTION = ("repriced_pico_usd", "repriced_revision", "repriced_at", "repriced_by")


def _correction(fact: Recorded[JobRepriced]) -> dict[str, Any]:
    event = fact.event
    return dict(
        zip(_CORRECTION, (event.cost_pico_usd, event.price_revision, event.repriced_at, fact.sequence), strict=True)
    )


def effective(row: Mapping[str, Any]) -> int | None:
    """What an attempt cost: by its latest correction, else by itself."""
    cost: int | None = row["cost_pico_usd"] if row["repriced_at"] is None else row["repriced_pico_usd"]
    return cost


def effective_cost(jobs: Table) -> ColumnElement[Any]:
    """The same in a query."""
    return case((jobs.c.repriced_at.is_(None), jobs.c.cost_pico_usd), else_=jobs.c.repriced_pico_usd)


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


def view_of(row: RowMapping) -> JobView:
    """A row as others see it."""
    return JobView(id=row["job_id"], **{name: row[name] for name in _SHOWN})


_SHOWN = tuple(name for name in JobView.__struct_fields__ if name != "id")
