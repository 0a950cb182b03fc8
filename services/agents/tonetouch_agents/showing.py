"""Texts as they are shown, with the way back from each sentence to its facts and its job.

Keeps `CopyRow` from AGENTS; answers `ListCopy`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import JSON, RowMapping, select
from sqlmodel import Field, SQLModel

from tonetouch_agents.subject import Subject
from tonetouch_contracts.copy import CopyAsked, CopyFailed, CopySkipped, CopyView, CopyWritten, ListCopy
from tonetouch_contracts.message import Page
from tonetouch_runtime import Floor, Recorded, Refused, Router, Writer

router = Router()

_JSON = JSON(none_as_null=True)


class CopyRow(SQLModel, table=True):
    """One text; while a new one is being written, or when that failed, the last one stays."""

    __tablename__ = "agents_copy"

    copy_id: str = Field(primary_key=True)
    kind: str | None = None
    subject: str | None = Field(default=None, index=True)
    status: str | None = None
    text: str | None = None
    sentences: list[dict[str, Any]] | None = Field(default=None, sa_type=_JSON)
    facts: list[dict[str, Any]] | None = Field(default=None, sa_type=_JSON)
    dropped: list[dict[str, Any]] | None = Field(default=None, sa_type=_JSON)
    job_id: str | None = None
    attempt: int | None = None
    written_by: str | None = None
    prompt: str | None = None
    provider: str | None = None
    model: str | None = None
    context_sha256: str | None = None
    reason: str | None = None
    asked_at: str | None = None
    written_at: str | None = None


_WRITTEN = tuple(name for name in CopyWritten.__struct_fields__ if name in CopyRow.model_fields)


@router.keeps(CopyRow, hears=(CopyAsked, CopyWritten, CopySkipped, CopyFailed))
def keep_copy(facts: Sequence[Recorded[Any]], copies: Writer) -> None:
    """Each event fills the columns it knows of."""
    copies.upsert([_columns(fact) for fact in facts])


def _columns(fact: Recorded[Any]) -> dict[str, Any]:
    event = fact.event
    which = {"copy_id": event.copy_id, "kind": event.kind, "subject": event.subject}
    match event:
        case CopyAsked():
            return {**which, "status": "asked", "asked_at": fact.time}
        case CopyWritten():
            said = msgspec.to_builtins({name: getattr(event, name) for name in _WRITTEN})
            return {**said, "status": "written", "reason": None, "written_at": fact.time}
        case CopySkipped():
            return {**which, "status": "skipped", "reason": event.reason}
    return {**which, "status": "failed", "reason": event.reason}


@router.answers(ListCopy)
async def list_copy(command: ListCopy, floor: Floor) -> Page[CopyView]:
    """The texts about a subject by kind; none where nobody has asked for any."""
    copies = floor.tables.live(CopyRow)
    query = select(copies).where(copies.c.subject == str(Subject.read(command.subject)))
    if command.kind is not None:
        query = query.where(copies.c.kind == command.kind)
    rows = await floor.tables.all(query.order_by(copies.c.kind))
    return Page(items=tuple(_view(row) for row in rows))


async def view_of(copy_id: str, floor: Floor) -> CopyView:
    """One text as it stands. Raises Refused where nobody has asked for it."""
    copies = floor.tables.live(CopyRow)
    row = await floor.tables.one(select(copies).where(copies.c.copy_id == copy_id))
    if row is None:
        raise Refused("not_found", "Nobody has asked for this text.")
    return _view(row)


def _view(row: RowMapping) -> CopyView:
    known = {name: row[name] for name in CopyView.__struct_fields__ if row.get(name) is not None}
    return msgspec.convert({"id": row["copy_id"], **known}, CopyView)
