"""Signalling: what listeners say of tracks and artists, beside the plays; and all of it together, as their signals.

Keeps `FeedbackRow` from LIBRARY. Plays are kept in `learning`, what is put into playlists in `gathering`.
"""

import functools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select, String, Table, bindparam, func, literal, or_, select, union, union_all
from sqlalchemy.sql.selectable import CompoundSelect
from sqlmodel import Field, SQLModel

from tonetouch_contracts.feedback import FeedbackGiven
from tonetouch_contracts.feedback import Said as Told
from tonetouch_recommend.indexes.gathering import PlaylistTrackRow
from tonetouch_recommend.learning import HeardRow
from tonetouch_recommend.taste.running import MOST_SIGNALS, Play, Signal, Word, latest
from tonetouch_runtime import Floor, Recorded, Router, Writer, stamp

router = Router()

RESTING: Final = timedelta(days=60)
MOST_RESTING: Final = 200
"""Of the last 60 days at most the newest 200 plays count as lately: the filter stays as small as that."""

_KEPT_OUT: Final = ("dislike", "never_again")
_MEANS: Final[Mapping[Told, tuple[str, Told | None]]] = {
    "like": ("opinion", "like"),
    "unlike": ("opinion", None),
    "dislike": ("opinion", "dislike"),
    "undislike": ("opinion", None),
    "save": ("saved", "save"),
    "unsave": ("saved", None),
    "skip": ("skipped", "skip"),
    "never_again": ("barred", "never_again"),
    "allow_again": ("barred", None),
}
"""What each word is about, and what is true after it; null: nothing is said any more."""


class FeedbackRow(SQLModel, table=True):
    """What a listener says of a track or an artist, one row for each thing it is about. Null: they took it back."""

    __tablename__ = "recommend_feedback"

    user_id: str = Field(primary_key=True)
    about: str = Field(primary_key=True)
    aspect: str = Field(primary_key=True)
    said: str | None = None
    track_id: str | None = Field(default=None, index=True)
    artist_id: str | None = None
    at: str | None = None


class KeptOut(msgspec.Struct, frozen=True, kw_only=True):
    """What no list shows this listener: tracks and artists they want never again, and tracks they dislike."""

    track_ids: frozenset[str] = frozenset()
    artist_ids: frozenset[str] = frozenset()


@router.keeps(FeedbackRow, hears=(FeedbackGiven,))
def keep_feedback(facts: Sequence[Recorded[FeedbackGiven]], feedback: Writer) -> None:
    """The last word in the log counts."""
    feedback.upsert([_feedback(fact) for fact in facts])


def _feedback(fact: Recorded[FeedbackGiven]) -> dict[str, str | None]:
    event = fact.event
    aspect, said = _MEANS[event.said]
    kind, _, subject = event.about.partition(":")
    return {
        "user_id": event.user_id,
        "about": event.about,
        "aspect": aspect,
        "said": said,
        "track_id": subject if kind == "track" else None,
        "artist_id": subject if kind == "artist" else None,
        "at": _in_utc(event.at, fact.time),
    }


def _in_utc(at: str, otherwise: str) -> str:
    """One spelling of the time, so that words sort among plays."""
    try:
        told = datetime.fromisoformat(at)
    except ValueError:
        return otherwise
    return stamp(told if told.tzinfo else told.replace(tzinfo=UTC))


async def signals_of(user_id: str, floor: Floor) -> list[Signal]:
    """A listener's newest 500 signals, newest first."""
    return await floor.read.read(lambda connection: signals_by(user_id, floor, connection))


def signals_by(user_id: str, floor: Floor, connection: Connection, until: str | None = None) -> list[Signal]:
    """`signals_of`, on a connection that is there already; `until` a moment, if not all.

    Of what was said of a track the last word alone is known: one that was changed since is in no earlier moment.
    """
    return latest([*_plays(user_id, floor, connection, until), *_words(user_id, floor, connection, until)])


async def kept_out(user_id: str, floor: Floor) -> KeptOut:
    """What is never shown to the listener."""
    return await floor.read.glance(lambda connection: kept_out_by(user_id, floor, connection))


def kept_out_by(user_id: str, floor: Floor, connection: Connection) -> KeptOut:
    """`kept_out`, on a connection that is there already."""
    rows = connection.execute(_barred(floor.tables.live(FeedbackRow)), {"user": user_id})
    return _kept_out([tuple(row) for row in rows])


def resting_for(user_id: str, floor: Floor, connection: Connection) -> list[str]:
    """The tracks that were played lately, the one not played for longest first."""
    newest = _played_since(floor.tables.live(HeardRow))
    rows = connection.execute(newest, {"user": user_id, "since": stamp(floor.clock.now() - RESTING)})
    return list(dict.fromkeys(row.track_id for row in rows))[::-1]


async def left_out(user_id: str, floor: Floor) -> tuple[list[str], KeptOut]:
    """`resting_for` and `kept_out`, without a transaction: for who has to answer at once."""
    since = {"user": user_id, "since": stamp(floor.clock.now() - RESTING)}
    played = await floor.read.look(_played_since(floor.tables.live(HeardRow)), since)
    barred = await floor.read.look(_barred(floor.tables.live(FeedbackRow)), {"user": user_id})
    return list(dict.fromkeys(track for (track,) in played))[::-1], _kept_out(barred)


def _kept_out(rows: Sequence[tuple[Any, ...]]) -> KeptOut:
    return KeptOut(
        track_ids=frozenset(track for track, _ in rows if track),
        artist_ids=frozenset(artist for _, artist in rows if artist),
    )


@functools.cache
def _barred(feedback: Table) -> Select[Any]:
    query = select(feedback.c.track_id, feedback.c.artist_id)
    query = query.where(feedback.c.user_id == bindparam("user", type_=String))
    return query.where(or_(*(feedback.c.said == said for said in _KEPT_OUT)))


@functools.cache
def _played_since(heard: Table) -> Select[Any]:
    query = select(heard.c.track_id).where(heard.c.user_id == bindparam("user", type_=String))
    query = query.where(heard.c.at >= bindparam("since", type_=String))
    return query.order_by(heard.c.at.desc(), heard.c.play_id.desc()).limit(MOST_RESTING)


def listeners(floor: Floor, track_ids: Sequence[str] | None = None) -> CompoundSelect[tuple[str]]:
    """Everybody whose taste may follow from these tracks (or any): who played them or said something of them."""
    tables = [floor.tables.live(model) for model in (HeardRow, FeedbackRow, PlaylistTrackRow)]
    return union(*(_told_of(table, track_ids) for table in tables))


def _told_of(table: Table, track_ids: Sequence[str] | None) -> Select[tuple[str]]:
    query = select(table.c.user_id).where(table.c.user_id.is_not(None))
    return query if track_ids is None else query.where(table.c.track_id.in_(track_ids))


def _plays(user_id: str, floor: Floor, connection: Connection, until: str | None) -> list[Play]:
    heard = floor.tables.live(HeardRow)
    newest = select(heard).where(heard.c.user_id == user_id).order_by(heard.c.at.desc(), heard.c.play_id.desc())
    if until is not None:
        newest = newest.where(heard.c.at <= until)
    names = ("play_id", "track_id", "heard_seconds", "share", "at")
    rows = connection.execute(newest.limit(MOST_SIGNALS)).mappings()
    return [Play(**{name: row[name] for name in names}) for row in rows]


def _words(user_id: str, floor: Floor, connection: Connection, until: str | None) -> list[Word]:
    feedback, added = floor.tables.live(FeedbackRow), floor.tables.live(PlaylistTrackRow)
    told = select(feedback.c.track_id, feedback.c.said, feedback.c.at).where(feedback.c.user_id == user_id)
    told = told.where(feedback.c.said.is_not(None), feedback.c.track_id.is_not(None))
    # In several playlists a track was put there once, and lately.
    put = select(added.c.track_id, literal("added").label("said"), func.max(added.c.added_at).label("at"))
    put = put.where(added.c.user_id == user_id, added.c.added.is_not(None)).group_by(added.c.track_id)
    if until is not None:
        told, put = told.where(feedback.c.at <= until), put.where(added.c.added_at <= until)
    words = union_all(told, put).subquery()
    newest = select(words).order_by(words.c.at.desc(), words.c.track_id.desc(), words.c.said.desc())
    return [
        Word(track_id=row.track_id, said=row.said, at=row.at)
        for row in connection.execute(newest.limit(MOST_SIGNALS))
        if row.at is not None
    ]
