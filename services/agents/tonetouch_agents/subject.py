"""What a text is about: an artist, an album or a track, by its id. Pure."""

from typing import Literal, Self

import msgspec

from tonetouch_contracts.copy import CopyKind
from tonetouch_contracts.identity import derived, is_entity_id
from tonetouch_runtime import Refused

About = Literal["artist", "album", "track"]

ABOUT: dict[CopyKind, About] = {
    "artist_bio": "artist",
    "album_review": "album",
    "track_notes": "album",
    "about_track": "track",
}
"""What each kind of text is about."""


class Subject(msgspec.Struct, frozen=True):
    """``artist:<id>``, ``album:<id>`` or ``track:<id>``."""

    about: About
    id: str

    @classmethod
    def read(cls, text: str) -> Self:
        """From its written form. Raises Refused."""
        about, _, entity_id = text.partition(":")
        if about not in ("artist", "album", "track") or not is_entity_id(entity_id):
            raise Refused("invalid", f"{text!r} is no subject.", "Say artist:<id>, album:<id> or track:<id>.")
        return cls(about, entity_id)  # type: ignore[arg-type]  # one of the three

    def __str__(self) -> str:
        return f"{self.about}:{self.id}"

    @property
    def kinds(self) -> tuple[CopyKind, ...]:
        """The texts there can be about it."""
        return tuple(kind for kind, about in ABOUT.items() if about == self.about)

    @property
    def context_id(self) -> str:
        """The entity of its context."""
        return derived("context", str(self))

    def copy_id(self, kind: CopyKind) -> str:
        """The entity of one text about it."""
        return derived("copy", kind, str(self))
