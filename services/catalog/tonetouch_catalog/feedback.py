"""Feedback: what a listener said once about one thing. Pure."""

from collections.abc import Sequence
from typing import Final, Self

import msgspec

from tonetouch_contracts.feedback import FeedbackGiven, Said
from tonetouch_contracts.identity import is_entity_id
from tonetouch_contracts.message import Event
from tonetouch_runtime import Refused

OF_ARTISTS: Final[Sequence[Said]] = ("never_again", "allow_again")
"""What can be said of an artist: whether they are to be kept away. Their tracks are liked one by one."""


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """One word of feedback, or none yet."""

    given: FeedbackGiven | None = None

    def evolve(self, event: Event) -> Self:
        """The feedback after this event."""
        return msgspec.structs.replace(self, given=event) if isinstance(event, FeedbackGiven) else self


def give(feedback: Feedback, given: FeedbackGiven) -> Sequence[Event]:
    """Keep it. The same id again is the same feedback, as it was said first."""
    return () if feedback.given is not None else (given,)


def subject_of(about: str, said: Said) -> tuple[str, str]:
    """Kind and id of what it is about. Raises Refused for what nobody can say anything of."""
    kind, _, subject = about.partition(":")
    if kind not in ("track", "artist") or not is_entity_id(subject):
        raise Refused("invalid", "Feedback is about 'track:<id>' or 'artist:<id>'.")
    if kind == "artist" and said not in OF_ARTISTS:
        raise Refused(
            "invalid", f"Of an artist one can say {' or '.join(OF_ARTISTS)}, not {said}.", "Say it of tracks."
        )
    return kind, subject
