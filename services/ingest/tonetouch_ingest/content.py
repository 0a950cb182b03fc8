"""Who has claimed some bytes: the same file uploaded twice at one moment has one winner. Pure."""

from typing import Self

import msgspec

from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import ContentClaimed


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """Some bytes, addressed by their hash, and the track they belong to."""

    claimed_by: TrackId | None = None

    def evolve(self, event: Event) -> Self:
        """The latest claim counts."""
        return msgspec.structs.replace(self, claimed_by=event.track_id) if isinstance(event, ContentClaimed) else self
