"""Mixes made for the listener who asks.

Asks `MakeForYou`, then `ListTracks` for what there is to see of the tracks.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tonetouch_contracts.finding import MakeForYou
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.browsing import tracks_by_id
from tonetouch_gateway.identifying import Identified
from tonetouch_gateway.listing import Listing
from tonetouch_gateway.track import Track

router = APIRouter(tags=["recommending"])


class MixedTrack(BaseModel):
    """A track of a mix."""

    track: Track
    score: float = Field(description="Cosine to the listener's taste: the higher, the nearer.")
    because: list[str] = Field(description="The ids of the tracks the listener heard that speak for it.")


class Mix(BaseModel):
    """A list made for one listener."""

    id: str
    name: str
    reason: str = Field(description="Why these tracks, in words.")
    tracks: list[MixedTrack]


@router.get("/me/made-for-you")
async def made_for_you(
    ask: Ask,
    user: Identified,
    limit: Annotated[int, Query(ge=1, le=100, description="The most tracks of one mix.")] = 20,
) -> Listing[Mix]:
    """Mixes from what the listener has heard, without what they have just heard."""
    page = await ask(
        MakeForYou(user_id=user.id, region=user.region, explicit_allowed=user.explicit_allowed, limit=limit)
    )
    ids = [track.track_id for mix in page.items for track in mix.tracks]
    tracks = await tracks_by_id(ask, ids) if ids else {}
    mixes = [
        Mix(
            id=mix.id,
            name=mix.name,
            reason=mix.reason,
            tracks=[
                MixedTrack(track=tracks[mixed.track_id], score=mixed.score, because=list(mixed.because))
                for mixed in mix.tracks
                if mixed.track_id in tracks
            ],
        )
        for mix in page.items
    ]
    return Listing(items=mixes, next_cursor=page.next_cursor)
