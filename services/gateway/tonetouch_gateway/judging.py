"""A listener says what they think of a track or an artist, and sees what they like.

Asks `GiveFeedback` and `ListLikes`, then `ListTracks` for what there is to see of the tracks.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, ConfigDict, Field

from tonetouch_contracts.feedback import GiveFeedback, ListLikes, Said
from tonetouch_contracts.identity import FeedbackId, derived
from tonetouch_gateway.asking import Ask, Asking, OnFloor
from tonetouch_gateway.browsing import tracks_by_id
from tonetouch_gateway.copywriting import ArtistInPath
from tonetouch_gateway.identifying import Identified, User
from tonetouch_gateway.listing import Cursor, Limit, Listing, TrackInPath
from tonetouch_gateway.problems import documented
from tonetouch_gateway.track import Track
from tonetouch_runtime import Floor

router = APIRouter(tags=["judging"])

IdempotencyKey = Annotated[
    str | None, Header(max_length=255, description="Any word of the client's own: the same word is the same request.")
]


class FeedbackOnTrack(BaseModel):
    """What a listener says of a track."""

    model_config = ConfigDict(extra="forbid")

    said: Said = Field(
        description="`like` and `dislike` take each other's place; `unlike`, `undislike`, `unsave` and `allow_again` "
        "take back; `skip` is of the moment; `never_again` keeps the track away."
    )


class FeedbackOnArtist(BaseModel):
    """What a listener says of an artist."""

    model_config = ConfigDict(extra="forbid")

    said: Literal["never_again", "allow_again"] = Field(description="Whether everything of theirs is kept away.")


class FeedbackTaken(BaseModel):
    """The feedback is kept."""

    id: str


class Like(BaseModel):
    """A track that the listener likes or has saved."""

    track: Track
    at: str = Field(description="Since when: RFC 3339, UTC.")


@router.post("/tracks/{track_id}/feedback", status_code=201, responses=documented("not_found", "conflict"))
async def give_feedback_on_track(
    track_id: TrackInPath,
    feedback: FeedbackOnTrack,
    ask: Ask,
    floor: OnFloor,
    user: Identified,
    idempotency_key: IdempotencyKey = None,
) -> FeedbackTaken:
    """Say what you think of a published track. Saying the same twice is saying it once."""
    return await _give(f"track:{track_id}", feedback.said, ask, floor, user, idempotency_key)


@router.post("/artists/{artist_id}/feedback", status_code=201, responses=documented("not_found"))
async def give_feedback_on_artist(
    artist_id: ArtistInPath,
    feedback: FeedbackOnArtist,
    ask: Ask,
    floor: OnFloor,
    user: Identified,
    idempotency_key: IdempotencyKey = None,
) -> FeedbackTaken:
    """Keep an artist away from everything that is made for you, or let them in again."""
    return await _give(f"artist:{artist_id}", feedback.said, ask, floor, user, idempotency_key)


@router.get("/me/likes")
async def list_likes(
    ask: Ask,
    user: Identified,
    said: Annotated[Literal["like", "save"], Query(description="Tracks you like, or tracks you have saved.")] = "like",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Listing[Like]:
    """The tracks you like, or those you have saved, the newest first."""
    page = await ask(ListLikes(user_id=user.id, said=said, limit=limit, cursor=cursor))
    tracks = await tracks_by_id(ask, [like.track_id for like in page.items])
    likes = [Like(track=tracks[like.track_id], at=like.at) for like in page.items if like.track_id in tracks]
    return Listing(items=likes, next_cursor=page.next_cursor)


async def _give(about: str, said: Said, ask: Asking, floor: Floor, user: User, key: str | None) -> FeedbackTaken:
    feedback_id = derived("feedback", user.id, about, said, key) if key else floor.clock.new_id()
    command = GiveFeedback(feedback_id=FeedbackId(feedback_id), user_id=user.id, about=about, said=said)
    return FeedbackTaken(id=(await ask(command)).feedback_id)
