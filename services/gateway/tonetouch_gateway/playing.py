"""A listener heard something.

Asks `RecordPlay`.
"""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Header
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from tonetouch_contracts.identity import PlayId, TrackId, derived
from tonetouch_contracts.play import RecordPlay
from tonetouch_gateway.asking import Ask, OnFloor
from tonetouch_gateway.identifying import Identified
from tonetouch_gateway.listing import ID_PATTERN
from tonetouch_gateway.problems import documented
from tonetouch_runtime import stamp

router = APIRouter(tags=["playing"])

LONGEST_PLAY_SECONDS = 86_400


def _in_our_time(at: datetime) -> datetime:
    # Beyond these years there is no UTC for every offset, and no play either.
    if not 1970 < at.year < 3000:
        raise ValueError("nothing was played then")
    return at.astimezone(UTC)


class Play(BaseModel):
    """What was heard."""

    model_config = ConfigDict(extra="forbid")

    track_id: TrackId = Field(pattern=ID_PATTERN)
    heard_seconds: float = Field(ge=0, le=LONGEST_PLAY_SECONDS, description="A skip has few.")
    at: Annotated[AwareDatetime, AfterValidator(_in_our_time)] | None = Field(
        None, description="When the listening began, RFC 3339 with an offset; now, where it is not said."
    )


class PlayTaken(BaseModel):
    """The play is kept."""

    id: str


@router.post("/plays", status_code=201, responses=documented("not_found", "conflict", "too_large"))
async def record_play(
    play: Play,
    ask: Ask,
    floor: OnFloor,
    user: Identified,
    idempotency_key: Annotated[
        str | None, Header(max_length=255, description="Any word of the client's own: the same word is the same play.")
    ] = None,
) -> PlayTaken:
    """Keep that a published track was heard."""
    play_id = derived("play", user.id, idempotency_key) if idempotency_key else floor.clock.new_id()
    command = RecordPlay(
        play_id=PlayId(play_id),
        user_id=user.id,
        track_id=play.track_id,
        heard_seconds=play.heard_seconds,
        at=stamp(play.at) if play.at else None,
    )
    return PlayTaken(id=(await ask(command)).play_id)
