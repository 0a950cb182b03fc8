"""How far every projection and consumer of every service is, and whether it moves.

Asks `ShowLag` of every service.
"""

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from tonetouch_contracts.operating import PartKind, PartState, ShowLag
from tonetouch_gateway.asking import OnFloor
from tonetouch_gateway.operations.everybody import OneService, Silent, ask_everybody, named

router = APIRouter(tags=["operating"])


class Part(BaseModel):
    """How far a projection or a consumer of a service is with one stream."""

    service: str
    part: str = Field(description="The name of the table, or of the durable consumer.")
    kind: PartKind
    stream: str
    position: int
    head: int
    events_behind: int
    seconds_behind: float = Field(description="The age of the first event that it has not taken.")
    rate: float = Field(description="Events a second, over the last ten seconds or so.")
    state: PartState = Field(description="`stalled`: there is something to take, and it does not move.")
    in_hand: int
    parked: int
    oldest_parked_seconds: float
    note: str


class Lag(BaseModel):
    """All parts, those that need somebody first."""

    items: list[Part]
    silent: list[Silent] = Field(description="Services that did not answer: of their parts nothing is known.")


_URGENCY: dict[PartState, int] = {"broken": 0, "stalled": 1, "paused": 2, "behind": 3, "following": 4}


@router.get("/operations/lag")
async def show_lag(floor: OnFloor, service: OneService = None) -> Lag:
    """How far each part of each service is behind, in events and in seconds."""
    answers, silent = await ask_everybody(floor, ShowLag(), named(service))
    parts = [
        Part.model_validate({"service": name, **msgspec.to_builtins(part)})
        for name, lag in answers.items()
        for part in lag.parts
    ]
    parts.sort(key=lambda part: (_URGENCY[part.state], part.parked == 0))
    return Lag(items=parts, silent=silent)
