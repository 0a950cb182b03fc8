"""The entry: what tracks bring along and share (artists, albums, genres, texts, objects). Pure.

An entry's id comes from its name or its bytes, so two tracks that bring the same one at the same moment meet on it.
"""

from collections.abc import Mapping
from typing import Self

import msgspec

from tonetouch_contracts.identity import (
    AlbumId,
    ArtistId,
    ContentHash,
    GenreId,
    LyricsId,
    MediaId,
    TrackId,
    derived,
    named,
)
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import AlbumAdded, ArtistAdded, GenreAdded, LyricsAdded, MediaAdded, PublishTrack

_ADDED = (ArtistAdded, AlbumAdded, GenreAdded, LyricsAdded, MediaAdded)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Something the catalogue has or has not; nothing about it ever changes."""

    is_there: bool = False

    def evolve(self, event: Event) -> Self:
        """It is there from its first event on."""
        return msgspec.structs.replace(self, is_there=True) if isinstance(event, _ADDED) else self


def brought_by(command: PublishTrack) -> Mapping[str, Event]:
    """What would be added with this track, by entity, for those that are not there yet."""
    artist_id = artist_id_of(command.artist)
    brought: list[Event] = [ArtistAdded(artist_id=artist_id, name=command.artist)]
    if command.album:
        album_id = album_id_of(artist_id, command.album)
        brought.append(AlbumAdded(album_id=album_id, title=command.album, artist_id=artist_id))
    brought += [GenreAdded(genre_id=genre_id_of(name), name=name) for name in command.genres]
    if command.lyrics_sha256:
        brought.append(_lyrics(command, command.lyrics_sha256))
    brought += _media(command)
    # Two spellings of one genre are one entity, and an entity is added once: the first spelling stays.
    return {event.entity_id: event for event in reversed(brought)}


def _lyrics(command: PublishTrack, sha256: ContentHash) -> LyricsAdded:
    return LyricsAdded(
        lyrics_id=lyrics_id_of(command.track_id, sha256),
        track_id=command.track_id,
        sha256=sha256,
        synced=command.lyrics_synced,
        language=command.language,
    )


def _media(command: PublishTrack) -> list[MediaAdded]:
    audio, cover = command.audio, command.cover
    objects = [("audio", audio.sha256, audio.content_type, audio.size_bytes)]
    if cover is not None:
        objects.append(("image", cover.sha256, cover.content_type, command.cover_size_bytes))
    return [
        MediaAdded(
            media_id=media_id_of(sha256),
            sha256=sha256,
            object_key=f"{folder}/{sha256}",
            content_type=content_type,
            size_bytes=size_bytes,
        )
        for folder, sha256, content_type, size_bytes in objects
    ]


def artist_id_of(name: str) -> ArtistId:
    """One artist per name: two who share a name cannot be told apart yet."""
    return ArtistId(named("artist", name))


def album_id_of(artist_id: ArtistId, title: str) -> AlbumId:
    """One album per title and artist."""
    return AlbumId(named("album", artist_id, title))


def genre_id_of(name: str) -> GenreId:
    """One genre per name, whatever its case."""
    return GenreId(named("genre", name))


def lyrics_id_of(track_id: TrackId, sha256: ContentHash) -> LyricsId:
    """One text per track and content."""
    return LyricsId(derived("lyrics", track_id, sha256))


def media_id_of(sha256: ContentHash) -> MediaId:
    """One object per content: its hash is its id."""
    return MediaId(sha256)
