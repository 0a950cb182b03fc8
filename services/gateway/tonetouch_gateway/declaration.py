"""What an uploader declares about a file: the text fields of the form, read strictly."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tonetouch_runtime import Refused

MOST_CHARACTERS = {"title": 300, "artist": 300, "album": 300, "genre": 100}
_TRUE, _FALSE = ("true", "yes", "1", "on"), ("false", "no", "0", "off")
_REGION = re.compile(r"[A-Za-z]{2}")


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What is None was not said; a field that was sent empty was not said either."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genre: str | None = None
    explicit: bool | None = None
    region: str | None = None
    lyrics: str | None = None

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Self:
        """Read the fields of a form. Raises Refused for one that cannot be meant."""
        return cls(
            title=_line("title", fields),
            artist=_line("artist", fields),
            album=_line("album", fields),
            genre=_line("genre", fields),
            explicit=_truth(fields.get("explicit", "")),
            region=_region(fields.get("region", "")),
            lyrics=fields.get("lyrics", "").strip() or None,
        )


def _line(name: str, fields: Mapping[str, str]) -> str | None:
    """One line of text: what cannot be seen is left out, white space is single spaces."""
    spaced = (" " if one.isspace() else one for one in fields.get(name, ""))
    seen = "".join(one for one in spaced if unicodedata.category(one) not in ("Cc", "Cf", "Cs"))
    text = " ".join(unicodedata.normalize("NFC", seen).split())
    if len(text) > MOST_CHARACTERS[name]:
        raise Refused("invalid", f"The {name} has {len(text)} characters; it may have {MOST_CHARACTERS[name]}.")
    return text or None


def _truth(word: str) -> bool | None:
    said = word.strip().lower()
    if said not in ("", *_TRUE, *_FALSE):
        raise Refused("invalid", "The field 'explicit' is neither yes nor no.", "Say true or false.")
    return said in _TRUE if said else None


def _region(code: str) -> str | None:
    said = code.strip()
    if said and not _REGION.fullmatch(said):
        raise Refused("invalid", "The region is not a country code.", "Say it with two letters (ISO 3166), as in GB.")
    return said.upper() or None
