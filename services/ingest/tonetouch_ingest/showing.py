"""Where uploads stand: the read model behind every progress bar, and the way back in for a failed one.

Keeps `UploadRow` and `StepRow` from INGEST; answers `ShowIngest`, `ListIngests` and `RetryIngest`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import JSON, RowMapping, Select, and_, or_, select
from sqlmodel import Field, SQLModel

from tonetouch_contracts.message import Event, Page
from tonetouch_contracts.upload import (
    AboutWritten,
    AudioAnalysed,
    AudioCompared,
    AudioFingerprinted,
    AudioStaged,
    CoverDescribed,
    DuplicateDetected,
    EmbeddingDone,
    IngestCompleted,
    IngestFailed,
    IngestRetried,
    IngestStarted,
    IngestView,
    ListIngests,
    RelationRuled,
    RetryIngest,
    ShowIngest,
    StepFailed,
    StepName,
    StepSkipped,
    StepStarted,
    StepView,
)
from tonetouch_ingest.upload import STEPS, Upload
from tonetouch_ingest.workflow import retry
from tonetouch_runtime import (
    Answered,
    Floor,
    Recorded,
    Refused,
    Router,
    Writer,
    decode_cursor,
    encode_cursor,
    page_size,
    stamp,
)

router = Router()


class UploadRow(SQLModel, table=True):
    """One upload: its status as the API knows it."""

    __tablename__ = "ingest_uploads"

    id: str = Field(primary_key=True)
    file_name: str | None = None
    status: str | None = Field(default=None, index=True)
    reason: str | None = None
    notes: list[str] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    started_at: str | None = Field(default=None, index=True)
    updated_at: str | None = None


class StepRow(SQLModel, table=True):
    """One step of one upload."""

    __tablename__ = "ingest_steps"

    track_id: str = Field(primary_key=True)
    step: str = Field(primary_key=True)
    state: str | None = None
    attempts: int | None = None
    error: str | None = None
    job_id: str | None = None
    started_at: str | None = None
    ended_at: str | None = None


FINDS: dict[type[Event], StepName] = {
    AudioStaged: "stage",
    AudioFingerprinted: "fingerprint",
    DuplicateDetected: "dedupe",
    AudioCompared: "dedupe",
    AudioAnalysed: "analyse",
    EmbeddingDone: "embed",
    CoverDescribed: "describe_cover",
    AboutWritten: "write_about",
    IngestCompleted: "publish",
}
"""Which step a fact ends."""


@router.keeps(
    UploadRow,
    hears=(IngestStarted, StepStarted, StepFailed, StepSkipped, IngestFailed, IngestRetried, RelationRuled, *FINDS),
)
def keep_uploads(facts: Sequence[Recorded[Any]], uploads: Writer) -> None:
    """Every event moves `updated_at`; some change the status."""
    uploads.upsert([{"id": fact.event.entity_id, "updated_at": fact.time, **_status(fact)} for fact in facts])


def _status(fact: Recorded[Any]) -> dict[str, Any]:
    match fact.event:
        case IngestStarted(file_name=name):
            return {"file_name": name, "status": "processing", "started_at": fact.time, "reason": None}
        case AudioStaged(problems=notes):
            return {"notes": list(notes)}
        case IngestFailed(reason=reason, rejected=rejected):
            return {"status": "rejected" if rejected else "failed", "reason": reason}
        case IngestRetried(step=step) if step != "write_about":
            return {"status": "processing", "reason": None}
        case RelationRuled(reopens=steps) if steps:
            return {"status": "processing", "reason": None}
        case IngestCompleted(outcome=outcome):
            return {"status": outcome}
    return {}


@router.keeps(
    StepRow, hears=(IngestStarted, StepStarted, StepFailed, StepSkipped, IngestRetried, RelationRuled, *FINDS)
)
def keep_steps(facts: Sequence[Recorded[Any]], steps: Writer) -> None:
    """A row for each step from the start, so that what has not begun can be seen waiting."""
    steps.upsert([row for fact in facts for row in _steps(fact)])


def _steps(fact: Recorded[Any]) -> list[dict[str, Any]]:
    event = fact.event
    match event:
        case IngestStarted():
            return [_row(event, step, state="waiting", attempts=0) for step in STEPS]
        case StepStarted():
            began = {"attempts": event.attempt, "job_id": event.job_id, "started_at": fact.time, "ended_at": None}
            return [_row(event, event.step, state="running", **began)]
        case StepFailed():
            return [_row(event, event.step, state="failed", error=event.error, ended_at=fact.time)]
        case StepSkipped():
            return [_row(event, event.step, state="skipped", ended_at=fact.time)]
        case IngestRetried():
            return [_row(event, event.step, state="waiting", ended_at=None)]
        case RelationRuled():
            return [_row(event, step, state="waiting", error=None, ended_at=None) for step in event.reopens]
        case EmbeddingDone(kind="lyrics") | IngestCompleted(outcome="rejected"):
            return []
    return [_row(event, FINDS[type(event)], state="done", error=None, ended_at=fact.time)]


def _row(event: Event, step: str, **columns: Any) -> dict[str, Any]:
    return {"track_id": event.entity_id, "step": step, **columns}


@router.answers(ShowIngest)
async def show_ingest(command: ShowIngest, floor: Floor) -> IngestView:
    uploads = floor.tables.live(UploadRow)
    row = await floor.tables.one(select(uploads).where(uploads.c.id == command.track_id))
    if row is None or row["started_at"] is None:
        raise Refused("not_found", f"There is no upload {command.track_id}.")
    return (await _views([row], floor))[0]


@router.answers(ListIngests)
async def list_ingests(command: ListIngests, floor: Floor) -> Page[IngestView]:
    """Newest first."""
    size = page_size(command.limit)
    rows = await floor.tables.all(_page(command, size + 1, floor))
    views = await _views(rows[:size], floor)
    more = encode_cursor(rows[size - 1]["started_at"], rows[size - 1]["id"]) if len(rows) > size else None
    return Page(items=tuple(views), next_cursor=more)


@router.answers(RetryIngest)
async def retry_ingest(command: RetryIngest, floor: Floor) -> Answered[IngestView]:
    """Say that the step is wanted again; what follows is the workflow's business."""
    outcome = await floor.log.transact("INGEST", command.track_id, Upload(), retry)
    await floor.seen(outcome.positions)
    view = await show_ingest(ShowIngest(track_id=command.track_id), floor)
    return Answered(value=view, positions=outcome.positions)


def _page(command: ListIngests, size: int, floor: Floor) -> Select[Any]:
    uploads = floor.tables.live(UploadRow)
    query = select(uploads).where(uploads.c.started_at.is_not(None))
    if command.state in ("running", "stuck"):
        query = query.where(uploads.c.status == "processing")
    if command.state == "stuck":
        quiet_since = floor.clock.now() - timedelta(seconds=command.stuck_after_seconds)
        query = query.where(uploads.c.updated_at < stamp(quiet_since))
    if command.state == "failed":
        query = query.where(uploads.c.status.in_(("failed", "rejected")))
    if command.cursor:
        started_at, track_id = decode_cursor(command.cursor, str, str)
        older = and_(uploads.c.started_at == started_at, uploads.c.id < track_id)
        query = query.where(or_(uploads.c.started_at < started_at, older))
    return query.order_by(uploads.c.started_at.desc(), uploads.c.id.desc()).limit(size)


async def _views(rows: Sequence[RowMapping], floor: Floor) -> list[IngestView]:
    steps = floor.tables.live(StepRow)
    found = await floor.tables.all(select(steps).where(steps.c.track_id.in_([row["id"] for row in rows])))
    by_key = {(row["track_id"], row["step"]): row for row in found}
    return [
        IngestView(
            track_id=row["id"],
            status=row["status"],
            file_name=row["file_name"],
            started_at=row["started_at"],
            updated_at=row["updated_at"],
            reason=row["reason"],
            notes=tuple(row["notes"] or ()),
            steps=tuple(_step(by_key.get((row["id"], name)), name) for name in STEPS),
        )
        for row in rows
    ]


def _step(row: RowMapping | None, name: StepName) -> StepView:
    if row is None:
        return StepView(name=name, state="waiting", attempts=0)
    columns = {key: row[key] for key in ("state", "attempts", "error", "job_id", "started_at", "ended_at")}
    return msgspec.convert({"name": name, **columns}, StepView)
