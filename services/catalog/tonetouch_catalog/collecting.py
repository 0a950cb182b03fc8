"""What tracks bring along, one row each: artists, albums, genres, texts and objects.

Keeps `ArtistRow`, `AlbumRow`, `GenreRow`, `LyricsRow` and `MediaRow` from CATALOG.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from tonetouch_contracts.message import Event
from tonetouch_contracts.track import AlbumAdded, ArtistAdded, GenreAdded, LyricsAdded, MediaAdded
from tonetouch_runtime import Recorded, Router, Writer

router = Router()


class ArtistRow(SQLModel, table=True):
    """An artist, as the first track spelled the name."""

    __tablename__ = "catalog_artists"

    artist_id: str = Field(primary_key=True)
    name: str | None = None


class AlbumRow(SQLModel, table=True):
    """An album of one artist."""

    __tablename__ = "catalog_albums"

    album_id: str = Field(primary_key=True)
    title: str | None = None
    artist_id: str | None = Field(default=None, index=True)


class GenreRow(SQLModel, table=True):
    """A genre, as the first track spelled it."""

    __tablename__ = "catalog_genres"

    genre_id: str = Field(primary_key=True)
    name: str | None = None


class LyricsRow(SQLModel, table=True):
    """The text of a track."""

    __tablename__ = "catalog_lyrics"

    lyrics_id: str = Field(primary_key=True)
    track_id: str | None = Field(default=None, index=True)
    sha256: str | None = None
    synced: bool | None = None
    language: str | None = None


class MediaRow(SQLModel, table=True):
    """An object that some track uses."""

    __tablename__ = "catalog_media"

    media_id: str = Field(primary_key=True)
    sha256: str | None = None
    object_key: str | None = None
    content_type: str | None = None
    size_bytes: int | None = Field(default=None, sa_type=BigInteger)


@router.keeps(ArtistRow, hears=(ArtistAdded,))
@router.keeps(AlbumRow, hears=(AlbumAdded,))
@router.keeps(GenreRow, hears=(GenreAdded,))
@router.keeps(LyricsRow, hears=(LyricsAdded,))
@router.keeps(MediaRow, hears=(MediaAdded,))
def keep_entries(facts: Sequence[Recorded[Event]], entries: Writer) -> None:
    """The fields of the event are the columns of the row; an entry never changes."""
    entries.insert_new([_row(fact.event) for fact in facts])


def _row(event: Event) -> dict[str, object]:
    return msgspec.structs.asdict(event)
