"""Ids. What happens once gets a UUIDv7 (it sorts by time); what is known by name or by its bytes gets an id from them.

A name-based id lets two writers who meet the same artist at the same moment address one entity instead of making two.
"""

import re
import unicodedata
import uuid
from typing import Annotated, NewType

from tonetouch_contracts.personal import IDENTITY

TrackId = NewType("TrackId", str)
ArtistId = NewType("ArtistId", str)
AlbumId = NewType("AlbumId", str)
GenreId = NewType("GenreId", str)
LyricsId = NewType("LyricsId", str)
MediaId = NewType("MediaId", str)
UserId = NewType("UserId", Annotated[str, IDENTITY])
"""A person. The mark goes with the type, so that no field of it can be forgotten."""
PlayId = NewType("PlayId", str)
FeedbackId = NewType("FeedbackId", str)
PlaylistId = NewType("PlaylistId", str)
JobId = NewType("JobId", str)
ListId = NewType("ListId", str)
ContentHash = NewType("ContentHash", str)
"""Lower-case hexadecimal SHA-256 of some bytes."""

_NAMES = uuid.UUID("0192f0c4-7a1e-7c53-9c0d-5f2d9b6a4e10")
_ENTITY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def uuid7(unix_ms: int, randomness: bytes) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) from a Unix time in milliseconds and ten random bytes."""
    value = (unix_ms & (1 << 48) - 1) << 80 | int.from_bytes(randomness[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def named(kind: str, *names: str) -> str:
    """The id of what is known by its names: the same for any spelling of case, accents' composition and spaces.

    >>> named("artist", "Björk ") == named("artist", "björk")
    True
    """
    folded = (" ".join(_folded(name).split()) for name in names)
    return str(uuid.uuid5(_NAMES, "\x1f".join((kind, *folded))))


def _folded(name: str) -> str:
    # Folding undoes composition and composing undoes folding, hence the turns: see Unicode's D146, caseless matching.
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
    return unicodedata.normalize("NFKC", text.casefold())


def derived(*parts: str) -> str:
    """A deterministic id: asking for the same thing twice makes the same id, so the second time changes nothing."""
    return str(uuid.uuid5(_NAMES, "\x1e".join(parts)))


def is_entity_id(text: str) -> bool:
    """Whether ``text`` may be the entity token of a subject: no dots, wildcards or spaces, 64 characters at most."""
    return _ENTITY_ID.fullmatch(text) is not None
