"""The five indexes: what each holds, and how rows become its points. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from sqlalchemy import RowMapping

from tonetouch_recommend.vectors.collection import (
    MOST_BYTES,
    Collection,
    FieldType,
    Is,
    Payload,
    PayloadValue,
    Point,
    Term,
    UnfitPointError,
    Vector,
)
from tonetouch_runtime import moment

Row = Mapping[str, Any] | RowMapping

SOUND_MODEL: Final = "chromaprint-1+fourier-256@1"
PROGRESSION_MODEL: Final = "chromaprint-1+progression-256@1"

EMBEDDED_FOR: Final = "ingest.embed"
"""The feature that vectors of tracks are made for: the indexes are of the model that the routing table gives it."""

DIMENSION: Final = 1024
"""Numbers in a text's vector. Of every model: one that gives more or fewer fits no index."""

FINGERPRINTS: Final = Collection(
    name="fingerprints",
    dimension=256,
    model=SOUND_MODEL,
    fields={"seq": "integer", "duration": "float", "form": "keyword"},
)
"""Every fingerprinted track that is not a duplicate, published or not; `seq` is its place on INGEST.

Up to two points for a track, told apart by `form`: ``sound`` under the track's id, by which the same recording is
found, and ``progression`` under ``track:progression``, by which one on the same accompaniment is.
"""


class Collections(msgspec.Struct, frozen=True, kw_only=True):
    """The five indexes, four of them of one embedding model.

    `tracks`: published tracks by the description made from their facts; the id is the track's.
    `lyrics`: passages of published tracks' lyrics; the id is ``track:passage``.
    `taste`: for each listener one running vector, whose id is the user's, up to eight interests, ``user:1`` being the
    strongest, and what they turned from lately, ``user:repel``.
    `playlists`: playlists where the mean of their published tracks lies; the id is the playlist's.
    """

    tracks: Collection
    lyrics: Collection
    taste: Collection
    playlists: Collection
    fingerprints: Collection = FINGERPRINTS

    @classmethod
    def of(cls, model: str) -> "Collections":
        """The indexes of an embedding model."""
        return cls(
            tracks=_texts("tracks", model, _TRACK_FIELDS),
            lyrics=_texts("lyrics", model, _PASSAGE_FIELDS),
            taste=_texts("taste", f"{model}+taste@2", _TASTE_FIELDS),
            playlists=_texts("playlists", model, _PLAYLIST_FIELDS),
        )

    @property
    def all(self) -> tuple[Collection, ...]:
        """Each of them."""
        return self.tracks, self.lyrics, self.fingerprints, self.taste, self.playlists


_TRACK_FIELDS: Final[Mapping[str, FieldType]] = {
    "region": "keyword",
    "explicit": "integer",
    "artist": "keyword",
    "genres": "keywords",
    "moods": "keywords",
    "energy": "float",
    "bpm": "float",
    "year": "integer",
    "language": "keyword",
    "published": "integer",
}
_PASSAGE_FIELDS: Final[Mapping[str, FieldType]] = {
    "track": "keyword",
    "region": "keyword",
    "explicit": "integer",
    "language": "keyword",
}
_TASTE_FIELDS: Final[Mapping[str, FieldType]] = {
    "user": "keyword",
    "signals": "integer",
    "weight": "float",
    "medoid": "keyword",
    "tracks": "keywords",
    "at": "keyword",
}
_PLAYLIST_FIELDS: Final[Mapping[str, FieldType]] = {
    "region": "keyword",
    "explicit": "integer",
    "owner": "keyword",
    "tracks": "integer",
}


def _texts(name: str, model: str, fields: Mapping[str, FieldType]) -> Collection:
    return Collection(name=name, dimension=DIMENSION, model=model, fields=fields)


def track_point(shelf: Row, embedding: Row) -> Point:
    """A published track where its description points to. Unknown facts are absent, not zero."""
    payload = _filters(shelf) | {
        "artist": shelf["artist_id"],
        "genres": [as_tag(genre) for genre in shelf["genres"] or ()],
        "moods": [as_tag(mood) for mood in shelf["moods"] or ()],
        "energy": shelf["energy"],
        "bpm": shelf["bpm"],
        "year": shelf["year"],
        "published": None if shelf["published_at"] is None else day_of(shelf["published_at"]),
    }
    return Point(shelf["track_id"], halves(embedding["vector"]), _known(payload))


def passage_point(shelf: Row, embedding: Row) -> Point:
    """A passage of a published track's lyrics."""
    payload = _filters(shelf) | {"track": shelf["track_id"]}
    return Point(passage_id(shelf["track_id"], embedding["passage"]), halves(embedding["vector"]), _known(payload))


def passage_id(track_id: str, passage: int) -> str:
    """The id of a passage's point."""
    return f"{track_id}:{passage}"


def passage_of(point_id: str) -> tuple[str, int]:
    """Track and number of a passage's point."""
    track_id, _, passage = point_id.rpartition(":")
    return track_id, int(passage)


def playlist_point(playlist: Row, shelf: Sequence[Row], mean: Vector) -> Point:
    """A playlist among its published tracks: of a region where all are of it, explicit where one is."""
    regions = {cut(row["region"] or "") for row in shelf}
    payload = {
        "region": regions.pop() if len(regions) == 1 else None,
        "explicit": max(row["explicit"] or 0 for row in shelf),
        "owner": cut(playlist["user_id"] or ""),
        "tracks": len(shelf),
    }
    return Point(playlist["playlist_id"], mean, _known(payload))


def sound_point(sound: Row) -> Point:
    """A recording where it sounds."""
    return Point(sound["track_id"], halves(sound["vector"]), _heard(sound, "sound"))


def progression_point(sound: Row) -> Point:
    """A recording by how it goes on in time. Raises UnfitPointError for a vector of another model."""
    if sound["progression_model"] != PROGRESSION_MODEL:
        raise UnfitPointError(f"made by {sound['progression_model']}, not by {PROGRESSION_MODEL}")
    point_id = progression_id(sound["track_id"])
    return Point(point_id, halves(sound["progression"]), _heard(sound, "progression"))


def progression_id(track_id: str) -> str:
    """The id of the second point of a recording."""
    return f"{track_id}:progression"


def recording_of(point_id: str) -> str:
    """The track of either point."""
    return point_id.partition(":")[0]


def _heard(sound: Row, form: str) -> Payload:
    return _known({"seq": sound["sequence"], "duration": sound["duration_seconds"], "form": form})


def on_offer(region: str | None, explicit_allowed: bool) -> tuple[Term, ...]:
    """The filter of everything that is shown: the listener's region, and nothing explicit unless allowed."""
    where: list[Term] = [] if explicit_allowed else [Is("explicit", 0)]
    if region is not None:
        where.append(Is("region", cut(region)))
    return tuple(where)


def day_of(time: str) -> int:
    """The day of a time (RFC 3339, UTC), counted from 1970 on."""
    return int(moment(time).timestamp() // 86_400)


def halves(raw: bytes) -> Vector:
    """A vector that travelled as little-endian float16. Raises ValueError for half a number."""
    return np.frombuffer(raw, dtype="<f2").astype(np.float32)


def cut(text: str) -> str:
    """As much of a text as a keyword may hold, whole characters only."""
    return text.encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore")


def as_tag(name: str) -> str:
    """A genre or a mood as it is compared: without case and extra spaces.

    >>> as_tag(" Drum  And bass")
    'drum and bass'
    """
    return cut(" ".join(name.split()).casefold())


def is_id(text: str) -> bool:
    """Whether a point can have this id; one that cannot is in no index."""
    return 1 <= len(text.encode()) <= MOST_BYTES


def fits(embedding: Row, collection: Collection) -> bool:
    """Whether a stored vector belongs into this collection."""
    width = len(embedding["vector"] or b"") // 2
    return embedding["model"] == collection.model and width == collection.dimension


def _filters(shelf: Row) -> dict[str, Any]:
    language = shelf["language"]
    return {
        "region": cut(shelf["region"] or ""),
        "explicit": shelf["explicit"],
        "language": None if language is None else cut(language),
    }


def _known(payload: Mapping[str, PayloadValue | None]) -> Payload:
    return {field: value for field, value in payload.items() if value is not None}
