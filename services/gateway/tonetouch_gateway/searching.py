"""Finding tracks by what they mean, and tracks that are like another.

Asks `SearchTracks` and `FindSimilar`, then `ListTracks` for what there is to see of them.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, Field

from tonetouch_contracts.finding import FindSimilar, Found, SearchTracks
from tonetouch_contracts.message import Page
from tonetouch_gateway.asking import Ask, Asking
from tonetouch_gateway.browsing import tracks_by_id
from tonetouch_gateway.identifying import Identified
from tonetouch_gateway.listing import Cursor, Limit, Listing, TrackInPath
from tonetouch_gateway.problems import documented
from tonetouch_gateway.track import Track

router = APIRouter(tags=["searching"])


def _worded(text: str) -> str:
    words = " ".join(text.replace("\0", " ").split())
    if not words:
        raise ValueError("there are no words in it")
    return words


Question = Annotated[str, Query(max_length=500, description="A sentence or a few words."), AfterValidator(_worded)]


class FoundTrack(BaseModel):
    """A track that answers the question."""

    track: Track
    score: float = Field(description="Cosine: the higher, the nearer.")
    where: str = Field(description="Where it was found: in its description or its lyrics.")
    passage: str | None = Field(description="The passage of the lyrics.")


@router.get("/search")
async def search_tracks(
    q: Question, ask: Ask, user: Identified, limit: Limit = 20, cursor: Cursor = None
) -> Listing[FoundTrack]:
    """Published tracks by the meaning of a sentence, the nearest first."""
    question = SearchTracks(query=q, limit=limit, cursor=cursor, explicit_allowed=user.explicit_allowed)
    return await _shown(ask, await ask(question))


@router.get("/tracks/{track_id}/similar", responses=documented("not_found", "conflict"))
async def find_similar(
    track_id: TrackInPath, ask: Ask, user: Identified, limit: Limit = 20, cursor: Cursor = None
) -> Listing[FoundTrack]:
    """Published tracks that are like this one, the nearest first."""
    question = FindSimilar(
        track_id=track_id,
        limit=limit,
        cursor=cursor,
        region=user.region,
        explicit_allowed=user.explicit_allowed,
        user_id=user.id,
    )
    return await _shown(ask, await ask(question))


async def _shown(ask: Asking, page: Page[Found]) -> Listing[FoundTrack]:
    """What was found with what there is to see of it. What catalog does not show (any more) is left out."""
    tracks = await tracks_by_id(ask, (found.track_id for found in page.items)) if page.items else {}
    items = [
        FoundTrack(track=tracks[found.track_id], score=found.score, where=found.where, passage=found.passage)
        for found in page.items
        if found.track_id in tracks
    ]
    return Listing(items=items, next_cursor=page.next_cursor)
