"""Watching an upload on its way: where it stands, what happens as it happens, and another try.

Asks `ShowIngest`, `ListIngests`, `RetryIngest` and `ShowTrack`.
"""

from typing import Annotated, Literal, Self, get_args

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from tonetouch_contracts.track import ShowTrack, TrackStatus
from tonetouch_contracts.upload import (
    IngestView,
    ListIngests,
    RetryIngest,
    ShowIngest,
    StepName,
    StepState,
    StepView,
)
from tonetouch_gateway.asking import Ask, OnFloor
from tonetouch_gateway.ending import Ending
from tonetouch_gateway.listing import Cursor, Limit, Listing, TrackInPath
from tonetouch_gateway.problems import documented
from tonetouch_gateway.telling import Telling, tell
from tonetouch_runtime import Refused

router = APIRouter(tags=["watching"])

LastEventId = Annotated[
    str | None, Header(description="The id of the last event the client has; it is told what came after that.")
]


class Step(BaseModel):
    """Where one step stands."""

    name: StepName
    state: StepState
    attempts: int
    error: str | None
    job_id: str | None = Field(description="The row of AIJobs of the last attempt.")
    started_at: str | None
    ended_at: str | None

    @classmethod
    def of(cls, view: StepView) -> Self:
        """A step as ingest shows it."""
        return cls.model_validate({name: getattr(view, name) for name in cls.model_fields})


class Ingest(BaseModel):
    """Where one upload stands."""

    track_id: str
    status: TrackStatus
    steps: list[Step]
    file_name: str
    started_at: str | None = Field(description="Null as long as ingest has not taken it on.")
    updated_at: str | None
    reason: str | None = Field(description="Why it ended without being published.")
    notes: list[str] = Field(description="What was left out or mended without harm, in words.")

    @classmethod
    def of(cls, view: IngestView) -> Self:
        """An upload as ingest shows it."""
        same = {name: getattr(view, name) for name in cls.model_fields if name != "steps"}
        return cls(**same, steps=[Step.of(step) for step in view.steps])


@router.get("/ingest")
async def list_ingests(
    ask: Ask,
    state: Annotated[
        Literal["stuck", "running", "failed"] | None,
        Query(description="`stuck`: under way, and nothing new for two minutes."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[Ingest]:
    """Uploads and where they stand, the newest first."""
    page = await ask(ListIngests(state=state, limit=limit, cursor=cursor))
    return Listing(items=[Ingest.of(view) for view in page.items], next_cursor=page.next_cursor)


@router.get("/ingest/{track_id}", responses=documented("not_found"))
async def show_ingest(track_id: TrackInPath, ask: Ask) -> Ingest:
    """One upload with all its steps."""
    try:
        return Ingest.of(await ask(ShowIngest(track_id=track_id)))
    except Refused as refused:
        if refused.problem.code != "not_found":
            raise
    # Uploaded a moment ago, and ingest has not heard of it yet: every step waits.
    track = await ask(ShowTrack(track_id=track_id))
    waiting = [StepView(name=name, state="waiting", attempts=0) for name in get_args(StepName)]
    return Ingest(
        track_id=track.id,
        status=track.status,
        steps=[Step.of(step) for step in waiting],
        file_name=track.file_name,
        started_at=None,
        updated_at=None,
        reason=None,
        notes=[],
    )


@router.post("/ingest/{track_id}/retry", status_code=202, responses=documented("not_found", "conflict"))
async def retry_ingest(track_id: TrackInPath, ask: Ask) -> Ingest:
    """Go on from the step that failed."""
    return Ingest.of(await ask(RetryIngest(track_id=track_id)))


@router.get(
    "/ingest/{track_id}/events",
    response_class=Response,
    responses={
        200: {
            "description": "Server-sent events: `id` is the place in the log, `event` the wire name, `data` its JSON.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {"description": "The client has everything, and nothing more will come: do not ask again."},
        **documented("not_found"),
    },
)
async def watch_ingest(
    track_id: TrackInPath, request: Request, ask: Ask, floor: OnFloor, last_event_id: LastEventId = None
) -> Response:
    """What has happened to an upload and what happens to it now, until nothing more can come."""
    after = _place(last_event_id)
    past = await floor.log.history("INGEST", track_id)
    if not past:
        await ask(ShowTrack(track_id=track_id))
    ending = Ending()
    for fact in past:
        ending = ending.evolve(fact.event)
    if ending.is_reached and all(fact.sequence <= after for fact in past):
        # Without a body this is how a server tells an EventSource to stop reconnecting.
        return Response(status_code=204)
    return Telling(tell(floor, track_id, past=past, ending=ending, after=after, leaving=request.app.state.leaving))


def _place(last_event_id: str | None) -> int:
    """The place in the log after which to go on. Raises Refused for what was never the id of an event."""
    if not last_event_id:
        return 0
    if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) <= 18):
        raise Refused("invalid", "Last-Event-ID is not the id of an event.", "Leave it out to be told everything.")
    return int(last_event_id)
