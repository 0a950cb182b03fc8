"""The five indexes: what each holds, and how rows become its points. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from sqlalchemy import RowMapping

from tonetouch_recommend.vectors.collection import (
    MOST_BYTES,
    Collection,
    Is,
    Payload,
    PayloadValue,
    Point,
    Term,
    Vector,
)
from tonetouch_runtime.ai.local.models import EMBEDDING

Row = Mapping[str, Any] | RowMapping

SOUND_MODEL: Final = "chromaprint-1+fourier-256@1"
TASTE_MODEL: Final = f"{EMBEDDING}+taste@1"

TRACKS: Final = Collection(
    name="tracks",
    dimension=1024,
    model=EMBEDDING,
    fields={
        "region": "keyword",
        "explicit": "integer",
        "artist": "keyword",
        "genres": "keywords",
        "moods": "keywords",
        "energy": "float",
        "bpm": "float",
        "year": "integer",
        "language": "keyword",
    },
)
"""Published tracks by the description made from their facts; the id is the track's."""

LYRICS: Final = Collection(
    name="lyrics",
    dimension=1024,
    model=EMBEDDING,
    fields={"track": "keyword", "region": "keyword", "explicit": "integer", "language": "keyword"},
)
"""Passages of published tracks' lyrics; the id is ``track:passage``."""

FINGERPRINTS: Final = Collection(
    name="fingerprints", dimension=256, model=SOUND_MODEL, fields={"seq": "integer", "duration": "float"}
)
"""Every fingerprinted track that is not a duplicate, published or not; `seq` is its place on INGEST."""

TASTE: Final = Collection(name="taste", dimension=1024, model=TASTE_MODEL, fields={"plays": "integer"})
"""One running vector for each listener; the id is the user's."""

PLAYLISTS: Final = Collection(name="playlists", dimension=1024, model=EMBEDDING, fields={"region": "keyword"})
"""Empty until there are playlists."""

COLLECTIONS: Final = (TRACKS, LYRICS, FINGERPRINTS, TASTE, PLAYLISTS)


def track_point(shelf: Row, embedding: Row) -> Point:
    """A published track where its description points to. Unknown facts are absent, not zero."""
    payload = _filters(shelf) | {
        "artist": shelf["artist_id"],
        "genres": [cut(genre) for genre in shelf["genres"] or ()],
        "moods": [cut(mood) for mood in shelf["moods"] or ()],
        "energy": shelf["energy"],
        "bpm": shelf["bpm"],
        "year": shelf["year"],
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


def sound_point(sound: Row) -> Point:
    """A recording where it sounds."""
    payload = {"seq": sound["sequence"], "duration": sound["duration_seconds"]}
    return Point(sound["track_id"], halves(sound["vector"]), _known(payload))


def on_offer(region: str | None, explicit_allowed: bool) -> tuple[Term, ...]:
    """The filter of everything that is shown: the listener's region, and nothing explicit unless allowed."""
    where: list[Term] = [] if explicit_allowed else [Is("explicit", 0)]
    if region is not None:
        where.append(Is("region", cut(region)))
    return tuple(where)


def halves(raw: bytes) -> Vector:
    """A vector that travelled as little-endian float16. Raises ValueError for half a number."""
    return np.frombuffer(raw, dtype="<f2").astype(np.float32)


def cut(text: str) -> str:
    """As much of a text as a keyword may hold, whole characters only."""
    return text.encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore")


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
