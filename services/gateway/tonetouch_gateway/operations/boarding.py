"""The pipeline board: every upload at the step where it stands, those that need somebody on top.

Asks `ListIngests`; an upload is sent on again at ``/ingest/{track_id}/retry``.
"""

import asyncio
from typing import get_args

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tonetouch_contracts.upload import IngestView, ListIngests, StepName
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.listing import Cursor, Limit
from tonetouch_gateway.watching import Ingest

router = APIRouter(tags=["operating"])

STEPS: tuple[StepName, ...] = get_args(StepName)
_ENDED_EARLY = ("duplicate", "rejected")


class Standing(Ingest):
    """An upload, and where on the board it belongs."""

    at: StepName | None = Field(description="The first step that is not at its end; null where all are.")
    stuck: bool = Field(description="It is under way, and nothing new has happened for two minutes.")


class Board(BaseModel):
    """One page of the board."""

    steps: list[StepName] = Field(description="The columns, in their order.")
    items: list[Standing] = Field(
        description="On the first page stuck uploads, then failed ones, then all others, the newest first. Further "
        "pages go on with the newest; there an upload that was on top comes again in its place."
    )
    next_cursor: str | None


@router.get("/operations/pipeline")
async def show_pipeline(ask: Ask, limit: Limit = 50, cursor: Cursor = None) -> Board:
    """Every upload by step. `limit` is for the stuck, the failed and the newest each."""
    stuck, failed, newest = await asyncio.gather(
        ask(ListIngests(state="stuck", limit=limit)),
        ask(ListIngests(state="failed", limit=limit)),
        ask(ListIngests(limit=limit, cursor=cursor)),
    )
    standing_still = {view.track_id for view in stuck.items}
    on_top = () if cursor else (*stuck.items, *(view for view in failed.items if view.status == "failed"))
    views = {view.track_id: view for view in (*on_top, *newest.items)}
    items = [_standing(view, stuck=view.track_id in standing_still) for view in views.values()]
    return Board(steps=list(STEPS), items=items, next_cursor=newest.next_cursor)


def _standing(view: IngestView, *, stuck: bool) -> Standing:
    waiting = [step.name for step in view.steps if step.state not in ("done", "skipped")]
    at = waiting[0] if waiting and view.status not in _ENDED_EARLY else None
    return Standing(**Ingest.of(view).model_dump(), at=at, stuck=stuck)
