"""Tracks as they are shown and listed.

Keeps `TrackRow` from CATALOG and, in columns of their own, from INGEST: the two streams have no order between them.
Answers `ShowTrack` and `ListTracks`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import JSON, ColumnElement, Connection, RowMapping, Select, Table, and_, case, func, or_, select
from sqlmodel import Field, SQLModel

from tonetouch_catalog.relating import LinkRow, versions_of
from tonetouch_contracts.identity import is_entity_id
from tonetouch_contracts.message import Page
from tonetouch_contracts.track import (
    ListTracks,
    ShowTrack,
    TrackDescribed,
    TrackDuplicated,
    TrackPublished,
    TrackRejected,
    TrackRelated,
    TrackUploaded,
    TrackView,
    VersionView,
)
from tonetouch_contracts.upload import IngestFailed, IngestRetried, IngestStarted
from tonetouch_runtime import Floor, Recorded, Refused, Router, Writer, decode_cursor, encode_cursor, page_size

router = Router()

_JSON = JSON(none_as_null=True)


class TrackRow(SQLModel, table=True):
    """One track. `ended` and all but the last two columns are CATALOG's; `progress` and its reason are INGEST's.

    `related` and the two after it are a person's word, which outweighs `ended`, `duplicate_of` and `version_of`.
    """

    __tablename__ = "catalog_tracks"

    id: str = Field(primary_key=True)
    ended: str | None = None
    ended_because: str | None = None
    uploaded_at: str | None = Field(default=None, index=True)
    published_at: str | None = None
    file_name: str | None = None
    title: str | None = None
    artist: str | None = None
    artist_id: str | None = Field(default=None, index=True)
    album: str | None = None
    album_id: str | None = Field(default=None, index=True)
    genres: list[str] | None = Field(default=None, sa_type=_JSON)
    moods: list[str] | None = Field(default=None, sa_type=_JSON)
    duration_seconds: float | None = None
    bpm: float | None = None
    bpm_candidates: list[float] | None = Field(default=None, sa_type=_JSON)
    key: str | None = None
    key_strength: float | None = None
    energy: float | None = None
    loudness_lufs: float | None = None
    explicit: bool | None = None
    region: str | None = None
    audio: dict[str, Any] | None = Field(default=None, sa_type=_JSON)
    cover: dict[str, Any] | None = Field(default=None, sa_type=_JSON)
    about: str | None = None
    lyrics: str | None = None
    duplicate_of: str | None = None
    version_of: str | None = None
    guessed: list[str] | None = Field(default=None, sa_type=_JSON)
    related: str | None = None
    related_to: str | None = None
    related_because: str | None = None
    progress: str | None = None
    progress_stopped_because: str | None = None


_PUBLISHED = tuple(name for name in TrackPublished.__struct_fields__ if name in TrackRow.model_fields)


@router.keeps(
    TrackRow,
    hears=(
        TrackUploaded,
        TrackPublished,
        TrackDuplicated,
        TrackRejected,
        TrackDescribed,
        TrackRelated,
        IngestStarted,
        IngestFailed,
        IngestRetried,
    ),
)
def keep_tracks(facts: Sequence[Recorded[Any]], tracks: Writer) -> None:
    """Each event fills the columns it knows of; whichever stream is ahead makes the row."""
    tracks.upsert([{"id": fact.event.track_id, **_columns(fact)} for fact in facts])


def _columns(fact: Recorded[Any]) -> dict[str, Any]:
    event = fact.event
    match event:
        case TrackUploaded():
            return _uploaded(event, fact.time)
        case TrackPublished():
            said = msgspec.to_builtins({name: getattr(event, name) for name in _PUBLISHED})
            # It may have been a duplicate until a person said otherwise.
            ended = {"ended": "published", "ended_because": None, "duplicate_of": None}
            return {**said, **ended, "published_at": fact.time}
        case TrackDuplicated():
            return {"ended": "duplicate", "ended_because": event.reason, "duplicate_of": event.of}
        case TrackRejected():
            return {"ended": "rejected", "ended_because": event.reason}
        case TrackDescribed():
            return {"about": event.about}
        case TrackRelated():
            return {"related": event.relation, "related_to": event.of, "related_because": event.reason}
        case IngestFailed(rejected=False):
            return {"progress": "failed", "progress_stopped_because": event.reason}
    # A rejection is catalog's to say; until it has, the upload is being worked on.
    return {"progress": "processing", "progress_stopped_because": None}


def _uploaded(event: TrackUploaded, time: str) -> dict[str, Any]:
    return {
        "uploaded_at": time,
        "file_name": event.file_name,
        "title": event.title,
        "artist": event.artist,
        "album": event.album,
        "genres": [event.genre] if event.genre else [],
        "explicit": event.explicit,
        "region": event.region,
    }


@router.answers(ShowTrack)
async def show_track(command: ShowTrack, floor: Floor) -> TrackView:
    """One track, or Refused where nobody uploaded one under this id."""
    tracks = floor.tables.live(TrackRow)
    query = _shown(tracks).where(tracks.c.id == command.track_id)
    views = await _views(query, floor) if is_entity_id(command.track_id) else []
    if not views:
        raise Refused("not_found", "There is no such track.", "Look for its id in the list of tracks.")
    return views[0]


@router.answers(ListTracks)
async def list_tracks(command: ListTracks, floor: Floor) -> Page[TrackView]:
    """Newest upload first."""
    size = page_size(command.limit)
    views = await _views(_page(command, floor.tables.live(TrackRow)).limit(size + 1), floor)
    more = encode_cursor(views[size - 1].uploaded_at or "", views[size - 1].id) if len(views) > size else None
    return Page(items=tuple(views[:size]), next_cursor=more)


async def _views(query: Select[Any], floor: Floor) -> list[TrackView]:
    """Tracks with what they are linked to, as the tables stood at one moment."""

    def look_up(connection: Connection) -> list[TrackView]:
        rows = connection.execute(query).mappings().all()
        links, tracks = floor.tables.live(LinkRow), floor.tables.live(TrackRow)
        versions = versions_of(connection, links, tracks, [row["id"] for row in rows])
        return [_view(row, versions.get(row["id"], ())) for row in rows]

    return await floor.read.read(look_up)


def _page(command: ListTracks, tracks: Table) -> Select[Any]:
    query = _shown(tracks)
    if command.track_ids:
        query = query.where(tracks.c.id.in_([found for found in command.track_ids if is_entity_id(found)]))
    if command.status:
        query = query.where(_status(tracks) == command.status)
    if command.cursor:
        uploaded_at, track_id = decode_cursor(command.cursor, str, str)
        older = and_(tracks.c.uploaded_at == uploaded_at, tracks.c.id < track_id)
        query = query.where(or_(tracks.c.uploaded_at < uploaded_at, older))
    return query.order_by(tracks.c.uploaded_at.desc(), tracks.c.id.desc())


def _shown(tracks: Table) -> Select[Any]:
    """Rows with their status. A row that only ingest has spoken of is nobody's upload yet."""
    return select(tracks, _status(tracks).label("status")).where(tracks.c.uploaded_at.is_not(None))


def _status(tracks: Table) -> ColumnElement[str]:
    """What a person said, else how it ended, else how the work on it goes, else that it is there."""
    is_wanted_after_all = and_(tracks.c.related.is_not(None), tracks.c.ended == "duplicate")
    return case(
        (tracks.c.related == "duplicate", "duplicate"),
        (is_wanted_after_all, func.coalesce(tracks.c.progress, "uploaded")),
        else_=func.coalesce(tracks.c.ended, tracks.c.progress, "uploaded"),
    )


def _view(row: RowMapping, versions: tuple[VersionView, ...]) -> TrackView:
    known = {name: row[name] for name in TrackView.__struct_fields__ if row.get(name) is not None}
    view = msgspec.convert({**known, "reason": _reason(row)}, TrackView)
    if (related := row["related"]) is not None:
        to = {"duplicate": "duplicate_of", "version": "version_of"}
        linked = {name: row["related_to"] if to.get(related) == name else None for name in to.values()}
        view = msgspec.structs.replace(view, **linked)
    return msgspec.structs.replace(view, versions=versions)


def _reason(row: RowMapping) -> str | None:
    """Why it is not published: null where it is."""
    if row["related"] == "duplicate":
        return str(row["related_because"])
    is_over = row["ended"] is not None and (row["related"] is None or row["ended"] != "duplicate")
    reason = row["ended_because"] if is_over else row["progress_stopped_because"]
    return None if reason is None else str(reason)
