"""A play: somebody heard a part of a track. Said by catalog on LIBRARY."""

from typing import Annotated, ClassVar

import msgspec

from tonetouch_contracts.identity import PlayId, TrackId, UserId
from tonetouch_contracts.message import Command, Event
from tonetouch_contracts.personal import CONDUCT


class PlayRecorded(Event, frozen=True, kw_only=True, tag="play.recorded"):
    """The listener heard this many seconds of the track, from the time `at` (UTC, ISO 8601) on.

    It does not say that they liked it; a skip is a play with few seconds.
    """

    entity_field: ClassVar[str] = "play_id"

    play_id: PlayId
    user_id: UserId
    track_id: Annotated[TrackId, CONDUCT]
    heard_seconds: Annotated[float, CONDUCT]
    duration_seconds: float | None
    at: Annotated[str, CONDUCT]


class PlayTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The play is in the log under this id."""

    play_id: PlayId


class RecordPlay(Command[PlayTaken], frozen=True, kw_only=True, tag="catalog.record-play"):
    """Keep that this listener heard a published track. `at` defaults to now; the same `play_id` is one play."""

    play_id: PlayId
    user_id: UserId
    track_id: Annotated[TrackId, CONDUCT]
    heard_seconds: Annotated[float, CONDUCT]
    at: Annotated[str, CONDUCT] | None = None
