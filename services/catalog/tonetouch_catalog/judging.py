"""A listener says what they think of a track or an artist.

Answers `GiveFeedback`; says `FeedbackGiven`; keeps `OpinionRow` from LIBRARY; answers `ListLikes`. The log keeps every
word; the row is what they come to: liking twice is one like, and of two that contradict each other the later counts.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Index, select, tuple_
from sqlmodel import Field, SQLModel

from tonetouch_catalog.feedback import Feedback, give, subject_of
from tonetouch_catalog.playing import moment_said
from tonetouch_catalog.shelving import must_be_an_artist, published
from tonetouch_contracts.feedback import FeedbackGiven, FeedbackTaken, GiveFeedback, LikeView, ListLikes, Said
from tonetouch_contracts.identity import TrackId, is_entity_id
from tonetouch_contracts.message import Page
from tonetouch_runtime import (
    Answered,
    Floor,
    Recorded,
    Refused,
    Router,
    Writer,
    decode_cursor,
    encode_cursor,
    page_size,
    stamp,
)

router = Router()


class OpinionRow(SQLModel, table=True):
    """What a listener says by now about one thing; a time where it holds, null where it does not."""

    __tablename__ = "catalog_opinions"
    __table_args__ = (
        Index("catalog_opinions_liked", "user_id", "liked_at"),
        Index("catalog_opinions_saved", "user_id", "saved_at"),
    )

    user_id: str = Field(primary_key=True)
    about: str = Field(primary_key=True)
    liked_at: str | None = None
    disliked_at: str | None = None
    saved_at: str | None = None
    never_again_at: str | None = None


_HOLDS: Final[dict[Said, str]] = {
    "like": "liked_at",
    "dislike": "disliked_at",
    "save": "saved_at",
    "never_again": "never_again_at",
}
"""The column of what holds from then on; the first time of it stays."""

_ENDS: Final[dict[Said, str]] = {
    "like": "disliked_at",
    "unlike": "liked_at",
    "dislike": "liked_at",
    "undislike": "disliked_at",
    "unsave": "saved_at",
    "allow_again": "never_again_at",
}
"""The column of what holds no longer."""


@router.answers(GiveFeedback)
async def give_feedback(command: GiveFeedback, floor: Floor) -> Answered[FeedbackTaken]:
    """Keep what was said of a published track or an artist; the same `feedback_id` again is the same feedback."""
    for name in ("feedback_id", "user_id"):
        if not is_entity_id(getattr(command, name)):
            raise Refused("invalid", f"{name} has letters, digits, '-' and '_' only, 64 at most.")
    kind, subject = subject_of(command.about, command.said)
    given = FeedbackGiven(
        feedback_id=command.feedback_id,
        user_id=command.user_id,
        about=command.about,
        said=command.said,
        at=stamp(moment_said(command.at, floor.clock.now())),
    )
    if kind == "artist":
        await must_be_an_artist(subject, floor)
    else:
        await published([subject], floor)
    outcome = await floor.log.transact("LIBRARY", command.feedback_id, Feedback(), partial(give, given=given))
    return Answered(value=FeedbackTaken(feedback_id=command.feedback_id), positions=outcome.positions)


@router.keeps(OpinionRow, hears=(FeedbackGiven,))
def keep_opinions(facts: Sequence[Recorded[FeedbackGiven]], opinions: Writer) -> None:
    """In the order of the log. A skip is of one moment, and no opinion."""
    for fact in facts:
        said = fact.event
        key = {"user_id": said.user_id, "about": said.about}
        if ended := _ENDS.get(said.said):
            opinions.upsert([{**key, ended: None}])
        if begun := _HOLDS.get(said.said):
            opinions.upsert([{**key, begun: said.at}], while_null=begun)


@router.answers(ListLikes)
async def list_likes(command: ListLikes, floor: Floor) -> Page[LikeView]:
    """The newest first."""
    size, opinions = page_size(command.limit), floor.tables.live(OpinionRow)
    since = opinions.c[_HOLDS[command.said]]
    query: Any = select(opinions.c.about, since.label("at")).where(opinions.c.user_id == command.user_id)
    query = query.where(since.is_not(None), opinions.c.about.like("track:%"))
    if command.cursor:
        query = query.where(tuple_(since, opinions.c.about) < tuple_(*decode_cursor(command.cursor, str, str)))
    rows = await floor.tables.all(query.order_by(since.desc(), opinions.c.about.desc()).limit(size + 1))
    more = encode_cursor(rows[size - 1]["at"], rows[size - 1]["about"]) if len(rows) > size else None
    views = [LikeView(track_id=TrackId(row["about"].partition(":")[2]), at=row["at"]) for row in rows[:size]]
    return Page(items=tuple(views), next_cursor=more)
