"""What there is to write about: artists, albums and published tracks with their lyrics.

Keeps `ArtistRow`, `AlbumRow` and `TrackRow` from CATALOG.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import JSON
from sqlmodel import Field, SQLModel

from tonetouch_contracts.track import AlbumAdded, ArtistAdded, TrackPublished
from tonetouch_runtime import Recorded, Router, Writer

router = Router()


class ArtistRow(SQLModel, table=True):
    """An artist, as the first track spelled the name."""

    __tablename__ = "agents_artists"

    artist_id: str = Field(primary_key=True)
    name: str | None = Field(default=None, index=True)


class AlbumRow(SQLModel, table=True):
    """An album of one artist."""

    __tablename__ = "agents_albums"

    album_id: str = Field(primary_key=True)
    title: str | None = Field(default=None, index=True)
    artist_id: str | None = Field(default=None, index=True)


class TrackRow(SQLModel, table=True):
    """A published track: what a text about it, its album or its artist can stand on."""

    __tablename__ = "agents_tracks"

    track_id: str = Field(primary_key=True)
    title: str | None = None
    artist: str | None = None
    artist_id: str | None = Field(default=None, index=True)
    album: str | None = None
    album_id: str | None = Field(default=None, index=True)
    genres: list[str] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    moods: list[str] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    duration_seconds: float | None = None
    bpm: float | None = None
    key: str | None = None
    loudness_lufs: float | None = None
    lyrics: str | None = None
    year: int | None = None
    track_number: int | None = None
    guessed: list[str] | None = Field(default=None, sa_type=JSON(none_as_null=True))


_SAID = tuple(name for name in TrackPublished.__struct_fields__ if name in TrackRow.model_fields)


@router.keeps(ArtistRow, hears=(ArtistAdded,))
@router.keeps(AlbumRow, hears=(AlbumAdded,))
def keep_entries(facts: Sequence[Recorded[Any]], entries: Writer) -> None:
    """The fields of the event are the columns of the row; an entry never changes."""
    entries.insert_new([msgspec.structs.asdict(fact.event) for fact in facts])


@router.keeps(TrackRow, hears=(TrackPublished,))
def keep_tracks(facts: Sequence[Recorded[TrackPublished]], tracks: Writer) -> None:
    """A track is published once."""
    tracks.insert_new([msgspec.to_builtins({name: getattr(fact.event, name) for name in _SAID}) for fact in facts])
