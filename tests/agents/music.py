"""A catalogue to write about: facts as catalog says them."""

from typing import Any

import msgspec

from tonetouch_contracts.identity import AlbumId, ArtistId, ContentHash, TrackId, named
from tonetouch_contracts.message import Event, Positions
from tonetouch_contracts.track import AlbumAdded, ArtistAdded, Audio, TrackPublished
from tonetouch_runtime import Floor


class Nothing(msgspec.Struct, frozen=True):
    """A noun without rules."""

    def evolve(self, event: Event) -> "Nothing":
        return self


def artist_id(name: str = "Ada Lund") -> ArtistId:
    return ArtistId(named("artist", name))


def album_id(title: str = "Winter Light", artist: str = "Ada Lund") -> AlbumId:
    return AlbumId(named("album", artist_id(artist), title))


def track(number: int = 1, **said: Any) -> TrackPublished:
    """The track of this number on an album of four."""
    titles = ("Night Bus", "Slow Harbour", "Paper Lamps", "First Snow")
    artist, album = said.get("artist", "Ada Lund"), said.get("album", "Winter Light")
    fields: dict[str, Any] = {
        "track_id": TrackId(f"0192f0c4-7a1e-7c53-9c0d-{number:012}"),
        "title": titles[(number - 1) % 4],
        "artist": artist,
        "artist_id": artist_id(artist),
        "album": album,
        "album_id": album_id(album, artist) if album else None,
        "genres": ("Trip-Hop",),
        "moods": ("calm",),
        "duration_seconds": 200.0 + number,
        "bpm": 80.0 + number,
        "bpm_candidates": (),
        "key": "D minor",
        "key_strength": 0.9,
        "energy": 0.3,
        "loudness_lufs": -14.0,
        "explicit": False,
        "region": "GB",
        "audio": Audio(sha256=ContentHash("a" * 64), size_bytes=1, content_type="audio/flac", codec="flac"),
        "cover": None,
        "year": 1998,
        "track_number": number,
    }
    return TrackPublished(**(fields | said))


async def publish(floor: Floor, *tracks: TrackPublished) -> None:
    """Put tracks into the log as catalog does, with their artists and albums, and wait until agents knows them."""
    for one in tracks:
        await say(floor, ArtistAdded(artist_id=one.artist_id, name=one.artist), once=True)
        if one.album and one.album_id:
            await say(floor, AlbumAdded(album_id=one.album_id, title=one.album, artist_id=one.artist_id), once=True)
        await floor.seen(await say(floor, one))


async def say(floor: Floor, event: Event, *, stream: str = "CATALOG", once: bool = False) -> Positions:
    """Append one fact; `once` leaves an entity as it is that has one."""
    if once and await floor.log.history(stream, event.entity_id):
        return {}
    return (await floor.log.transact(stream, event.entity_id, Nothing(), lambda _: event)).positions
