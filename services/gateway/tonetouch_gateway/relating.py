"""What one track is to another, when a person says so.

Asks `RelateTrack` and `ShowTrack`.
"""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import RelateTrack, Relation, ShowTrack
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.identifying import Identified
from tonetouch_gateway.listing import ID_PATTERN, TrackInPath
from tonetouch_gateway.problems import documented
from tonetouch_gateway.track import Track

router = APIRouter(tags=["relating"])


class Said(BaseModel):
    """What a track is to another."""

    relation: Relation = Field(
        description="`duplicate`: the same recording, no longer shown. `version`: another form of it, linked. "
        "`none`: neither; a duplicate is published then, and a version unlinked."
    )
    of: Annotated[TrackId | None, Field(pattern=ID_PATTERN)] = Field(
        None, description="The other track; may be left out with `none`."
    )
    reason: str = Field(min_length=1, max_length=500, description="Why, in a sentence; kept in the log.")


@router.post("/tracks/{track_id}/version-of", responses=documented("not_found", "conflict"))
async def relate_track(track_id: TrackInPath, said: Said, user: Identified, ask: Ask) -> Track:
    """Overrule what was found by sound, or link two tracks by hand. Nothing that is found later undoes it.

    A duplicate that is none goes on through the workflow: follow `/ingest/{track_id}` until it is published.
    """
    command = RelateTrack(track_id=track_id, relation=said.relation, reason=said.reason, said_by=user.id, of=said.of)
    await ask(command)
    return Track.of(await ask(ShowTrack(track_id=track_id)))
