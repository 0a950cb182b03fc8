"""Feedback: what a listener says about a track or an artist. Said by catalog on LIBRARY."""

from typing import Annotated, ClassVar, Literal

import msgspec

from tonetouch_contracts.identity import FeedbackId, TrackId, UserId
from tonetouch_contracts.message import Command, Event, Page
from tonetouch_contracts.personal import CONDUCT

Said = Literal["like", "unlike", "dislike", "undislike", "save", "unsave", "skip", "never_again", "allow_again"]
"""`like` and `dislike` take each other's place; `un...` and `allow_again` take back; a `skip` is of one moment."""


class FeedbackGiven(Event, frozen=True, kw_only=True, tag="feedback.given"):
    """The listener said this about ``track:<id>`` or ``artist:<id>``, at `at` (UTC, RFC 3339).

    Of two that contradict each other the later in the log counts. It is no proof that anything was heard, and saying
    the same twice does not make it stronger.
    """

    entity_field: ClassVar[str] = "feedback_id"

    feedback_id: FeedbackId
    user_id: UserId
    about: Annotated[str, CONDUCT]
    said: Annotated[Said, CONDUCT]
    at: Annotated[str, CONDUCT]


class FeedbackTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The feedback is in the log under this id."""

    feedback_id: FeedbackId


class GiveFeedback(Command[FeedbackTaken], frozen=True, kw_only=True, tag="catalog.give-feedback"):
    """Keep what this listener says of a published track or an artist.

    `at` defaults to now; the same `feedback_id` is one feedback. Of an artist only `never_again` and `allow_again` can
    be said.
    """

    feedback_id: FeedbackId
    user_id: UserId
    about: Annotated[str, CONDUCT]
    said: Annotated[Said, CONDUCT]
    at: Annotated[str, CONDUCT] | None = None


class LikeView(msgspec.Struct, frozen=True, kw_only=True):
    """A track that a listener likes or has saved, and since when."""

    track_id: TrackId
    at: str


class ListLikes(Command[Page[LikeView]], frozen=True, kw_only=True, tag="catalog.list-likes"):
    """The tracks that a listener likes, or those they have saved, the newest first."""

    user_id: UserId
    said: Literal["like", "save"] = "like"
    limit: int = 50
    cursor: str | None = None
