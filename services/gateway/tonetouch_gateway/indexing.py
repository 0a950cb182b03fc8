"""The vector indexes, for operators: what they hold, how far behind they are, and having them made anew.

Asks `ListIndexes`, `RebuildIndexes` and `CancelRebuild`.
"""

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from tonetouch_contracts.indexing import (
    CancelRebuild,
    IndexesView,
    IndexName,
    ListIndexes,
    RebuildIndexes,
    RebuildPhase,
)
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.problems import documented

router = APIRouter(tags=["indexing"])


class Index(BaseModel):
    """One of the five indexes."""

    name: IndexName
    points: int
    indexed: int = Field(description="About how many of the points are found by index, not one by one.")
    dimension: int
    model: str = Field(description="What made its vectors; one of another model is refused.")
    engine: str
    positions: dict[str, int] = Field(description="Up to where of each stream it shows everything.")
    behind: int = Field(description="Events beyond that.")
    dirty: int = Field(description="Things it still has to look at.")
    refused: int = Field(description="Vectors that did not fit, since the service started.")
    disk_bytes: int | None = Field(description="Null where the engine does not tell.")
    memory_bytes: int | None = Field(description="Null where the engine does not tell.")


class Rebuild(BaseModel):
    """The making of new copies beside the live indexes that is under way, or the last one."""

    id: str
    names: list[IndexName] = Field(description="Empty where only texts are embedded, for the indexes as they are.")
    reason: str = Field(description="`asked`, or `model`: the routing table gives another embedding model.")
    model: str
    phase: RebuildPhase
    done: int
    total: int = Field(description="Texts in the phase `embedding`, else tracks, sounds, listeners and playlists.")
    started_at: str
    per_second: float | None
    seconds_left: float | None
    waiting: str = Field(description="Why it does not go on; empty where it does.")


class Indexes(BaseModel):
    """All five, and the rebuild."""

    items: list[Index]
    rebuild: Rebuild | None
    resident_bytes: int | None = Field(description="Memory of the process that has them, its libraries included.")
    search: str = Field(description="Why questions are understood by names alone; empty where by meaning too.")


class WhichIndexes(BaseModel):
    """Which indexes to make anew."""

    names: list[IndexName] = Field(default=[], description="None means all.")


@router.get("/indexes")
async def list_indexes(ask: Ask) -> Indexes:
    """The five indexes: size, model, position, lag; and the rebuild that is under way."""
    return _shown(await ask(ListIndexes()))


@router.post("/indexes/rebuild", status_code=202, responses=documented("conflict"))
async def rebuild_indexes(which: WhichIndexes, ask: Ask) -> Indexes:
    """Make new copies from the tables beside the live ones, which answer until the new ones are complete."""
    return _shown(await ask(RebuildIndexes(names=tuple(which.names))))


@router.delete("/indexes/rebuild", responses=documented("conflict"))
async def cancel_rebuild(ask: Ask) -> Indexes:
    """Leave the indexes as they are and remove the unfinished copies."""
    return _shown(await ask(CancelRebuild()))


def _shown(view: IndexesView) -> Indexes:
    return Indexes.model_validate(msgspec.to_builtins(view))
