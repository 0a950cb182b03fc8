"""What recommend learns from the log, as tables; the indexes follow these tables.

Keeps `EmbeddingRow` and `SoundRow` from INGEST, `ShelfRow` and `AsideRow` from CATALOG, `HeardRow` from LIBRARY, and
from all three `DirtyRow`: what an index has to look at again.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Literal

from sqlalchemy import JSON, BigInteger, Index
from sqlmodel import Field, SQLModel

from tonetouch_contracts.feedback import FeedbackGiven
from tonetouch_contracts.indexing import EmbeddingRenewed
from tonetouch_contracts.play import PlayRecorded
from tonetouch_contracts.playlist import PlaylistDeleted, PlaylistTracksAdded, PlaylistTracksRemoved
from tonetouch_contracts.track import TrackPublished, TrackRelated
from tonetouch_contracts.upload import AudioFingerprinted, DuplicateDetected, EmbeddingDone, RelationRuled
from tonetouch_runtime import Recorded, Router, Writer, stamp

router = Router()

Kind = Literal["sound", "track", "renewed", "user", "playlist"]
"""What points are made of. `renewed` is a track again, by a vector that only matters to the model it is of."""


class EmbeddingRow(SQLModel, table=True):
    """The vector that a model gave one text about a track, little-endian float16, published or not.

    Null where the model refused the text. `renewed` is 1 where another model had embedded it first.
    """

    __tablename__ = "recommend_embeddings"
    # With the track: asked for some tracks of one model, a database takes this index and must not read all of a model.
    __table_args__ = (Index("ix_recommend_embeddings_model", "model", "track_id"),)

    track_id: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    passage: int = Field(primary_key=True)
    model: str = Field(primary_key=True)
    text: str | None = None
    dimension: int | None = None
    vector: bytes | None = None
    refused: str | None = None
    renewed: int | None = None


class SoundRow(SQLModel, table=True):
    """How a recording sounds, and where on INGEST that was said first: what stands before is earlier."""

    __tablename__ = "recommend_sounds"

    track_id: str = Field(primary_key=True)
    sequence: int | None = Field(default=None, sa_type=BigInteger)
    vector: bytes | None = None
    model: str | None = None
    progression: bytes | None = None
    progression_model: str | None = None
    duration_seconds: float | None = Field(default=None, index=True)
    duplicate_of: str | None = None


class Shelved(SQLModel):
    """A published track."""

    track_id: str = Field(primary_key=True)
    title: str | None = None
    artist: str | None = None
    artist_id: str | None = None
    region: str | None = None
    explicit: int | None = None
    genres: list[str] | None = Field(default=None, sa_type=JSON)
    moods: list[str] | None = Field(default=None, sa_type=JSON)
    energy: float | None = None
    bpm: float | None = None
    key: str | None = None
    year: int | None = None
    language: str | None = None
    published_at: str | None = Field(default=None, index=True)


class ShelfRow(Shelved, table=True):
    """A published track that is on offer."""

    __tablename__ = "recommend_shelf"


class AsideRow(Shelved, table=True):
    """A published track that a person called a duplicate: nobody is shown it, and it may be put back."""

    __tablename__ = "recommend_aside"


class HeardRow(SQLModel, table=True):
    """One play. `share` is how much of the track was heard, 0 to 1; null where its length is not known."""

    __tablename__ = "recommend_heard"
    # A listener's newest plays are read in this order, however many there are.
    __table_args__ = (Index("ix_recommend_heard_newest", "user_id", "at", "play_id"),)

    play_id: str = Field(primary_key=True)
    user_id: str | None = None
    track_id: str | None = Field(default=None, index=True)
    heard_seconds: float | None = None
    share: float | None = None
    at: str | None = Field(default=None, index=True)


class DirtyRow(SQLModel, table=True):
    """Something an index has to look at again, and the event that made it so; without a stream: a start anew did.

    A row of its own for each stream, since there is no order across them.
    """

    __tablename__ = "recommend_dirty"

    stream: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    id: str = Field(primary_key=True)
    sequence: int | None = Field(default=None, sa_type=BigInteger)
    since: str | None = None


@router.keeps(EmbeddingRow, hears=(EmbeddingDone, EmbeddingRenewed))
def keep_embeddings(facts: Sequence[Recorded[EmbeddingDone | EmbeddingRenewed]], embeddings: Writer) -> None:
    """One for each model: while the indexes change over to another one both are needed, and the old one stays."""
    embeddings.upsert([_embedding(fact.event) for fact in facts])


def _embedding(event: EmbeddingDone | EmbeddingRenewed) -> dict[str, Any]:
    same = ("track_id", "kind", "passage", "text", "model", "dimension", "vector")
    renewed = isinstance(event, EmbeddingRenewed)
    refused = (event.refused or None) if isinstance(event, EmbeddingRenewed) else None
    return {name: getattr(event, name) for name in same} | {"refused": refused, "renewed": int(renewed)}


@router.keeps(SoundRow, hears=(AudioFingerprinted, DuplicateDetected, RelationRuled))
def keep_sounds(facts: Sequence[Recorded[Any]], sounds: Writer) -> None:
    """The first fingerprint of a track counts: one that was said again would otherwise make it a later track."""
    taken = {key for key, row in sounds.get({fact.event.track_id for fact in facts}).items() if row["sequence"]}
    for fact in facts:
        event = fact.event
        if isinstance(event, DuplicateDetected):
            sounds.upsert([{"track_id": event.track_id, "duplicate_of": event.of}])
        elif isinstance(event, RelationRuled):
            of = event.of if event.relation == "duplicate" else None
            sounds.upsert([{"track_id": event.track_id, "duplicate_of": of}])
        elif event.track_id not in taken:
            taken.add(event.track_id)
            sounds.upsert([_sound(fact)])


def _sound(fact: Recorded[AudioFingerprinted]) -> dict[str, Any]:
    return {
        "track_id": fact.event.track_id,
        "sequence": fact.sequence,
        "vector": fact.event.vector,
        "model": fact.event.vector_model,
        "progression": fact.event.progression,
        "progression_model": fact.event.progression_model,
        "duration_seconds": fact.event.duration_seconds,
    }


@router.keeps(ShelfRow, AsideRow, hears=(TrackPublished, TrackRelated))
def keep_shelf(facts: Sequence[Recorded[Any]], shelf: Writer, aside: Writer) -> None:
    """What can be found, and what it may be filtered by; beside it what a person called a duplicate."""
    for is_related, some in groupby(facts, key=lambda fact: isinstance(fact.event, TrackRelated)):
        if not is_related:
            shelf.upsert([_on_shelf(fact) for fact in some])
            continue
        for fact in some:
            here, there = (shelf, aside) if fact.event.relation == "duplicate" else (aside, shelf)
            there.upsert([dict(row) for row in here.rows([fact.event.track_id])])
            here.delete([fact.event.track_id])


def _on_shelf(fact: Recorded[TrackPublished]) -> dict[str, Any]:
    track = fact.event
    same = ("track_id", "title", "artist", "artist_id", "region", "energy", "bpm", "key", "year", "language")
    return {name: getattr(track, name) for name in same} | {
        "explicit": int(track.explicit),
        "genres": list(track.genres),
        "moods": list(track.moods),
        "published_at": fact.time,
    }


@router.keeps(HeardRow, hears=(PlayRecorded,))
def keep_heard(facts: Sequence[Recorded[PlayRecorded]], heard: Writer) -> None:
    """Every play, skips included."""
    heard.upsert(
        [
            {
                "play_id": fact.event.play_id,
                "user_id": fact.event.user_id,
                "track_id": fact.event.track_id,
                "heard_seconds": fact.event.heard_seconds,
                "share": _share(fact.event),
                "at": _in_utc(fact.event.at, fact.time),
            }
            for fact in facts
        ]
    )


# The last of the projections: where tables are written one by one, nothing is dirty before its row is there.
@router.keeps(
    DirtyRow,
    hears=(
        EmbeddingDone,
        EmbeddingRenewed,
        AudioFingerprinted,
        DuplicateDetected,
        RelationRuled,
        TrackPublished,
        TrackRelated,
        PlayRecorded,
        FeedbackGiven,
        PlaylistTracksAdded,
        PlaylistTracksRemoved,
        PlaylistDeleted,
    ),
    is_list_of_work=True,
)
def keep_dirty(facts: Sequence[Recorded[Any]], dirty: Writer) -> None:
    """In the transaction that changes the row: what is not indexed yet can be seen, whenever the process dies."""
    dirty.upsert(
        [
            {"stream": fact.stream, "kind": kind, "id": subject, "sequence": fact.sequence, "since": fact.time}
            for fact in facts
            for kind, subject in _changed(fact.event)
        ]
    )


def _changed(event: Any) -> Iterator[tuple[Kind, str]]:
    """Which points the event may change. A playlist tells of its owner's taste as well."""
    match event:
        case AudioFingerprinted() | DuplicateDetected() | RelationRuled():
            yield "sound", event.track_id
        case EmbeddingRenewed():
            yield "renewed", event.track_id
        case PlayRecorded() | FeedbackGiven():
            yield "user", event.user_id
        case PlaylistTracksAdded() | PlaylistTracksRemoved() | PlaylistDeleted():
            yield "playlist", event.playlist_id
            yield "user", event.user_id
        case _:
            yield "track", event.track_id


def _share(play: PlayRecorded) -> float | None:
    return play.heard_seconds / play.duration_seconds if play.duration_seconds else None


def _in_utc(at: str, otherwise: str) -> str:
    """One spelling of the time, so that times sort as text; the event's own time where `at` cannot be read."""
    try:
        told = datetime.fromisoformat(at)
    except ValueError:
        return otherwise
    return stamp(told if told.tzinfo else told.replace(tzinfo=UTC))
