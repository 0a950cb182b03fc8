"""What is known of an artist, an album or a track, as named values in a fixed order. Pure.

The same rows give the same facts, whatever order they come in. Unknown things are not facts, guessed names neither.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from tonetouch_contracts.copy import CitedFact, Known

Row = Mapping[str, Any]
R = TypeVar("R", bound=Row)

MOST_TRACKS = 36
MOST_ALBUMS = 40
MOST_GENRES = 5
MOST_MOODS = 3
"""Together they keep a context and a track beside it under 500 facts: an embedded writer takes no more."""

PEOPLE_WROTE = ("artist", "album", "title", "genre", "opening", "closing", "slowest", "fastest")
"""How the names of those facts end whose values are other people's words; all others are measured or counted."""


def is_peoples_words(name: str) -> bool:
    """Whether a fact of this name holds what somebody called something."""
    return name.endswith(PEOPLE_WROTE)


def numbered(known: Sequence[Known], letter: str) -> tuple[CitedFact, ...]:
    """Facts with the numbers they are cited by: `F1`, `F2`, ..."""
    return tuple(
        CitedFact(id=f"{letter}{number}", name=one.name, value=one.value, source=one.source)
        for number, one in enumerate(known, 1)
    )


def in_order(tracks: Sequence[R]) -> list[R]:
    """Tracks by year, album, place on it, title."""
    return sorted(tracks, key=_place)


def of_artist(artist: Row, albums: Sequence[Row], tracks: Sequence[Row]) -> list[Known]:
    """An artist with all albums and the tracks of the first years."""
    return list(_artist(artist, albums, in_order(tracks)))


def of_album(album: Row, artist: Row | None, tracks: Sequence[Row]) -> list[Known]:
    """An album with its tracks."""
    return list(_album(album, artist, in_order(tracks)))


def of_track(track: Row) -> list[Known]:
    """One published track by itself; the names are those its upload gave them."""
    return list(_track(track, ""))


def _artist(artist: Row, albums: Sequence[Row], tracks: Sequence[Row]) -> Iterator[Known]:
    source = f"artist.added.{artist['artist_id']}"
    yield Known(name="artist", value=artist["name"], source=source)
    yield Known(name="tracks", value=_counted(len(tracks), "track"), source="counted from track.published")
    if albums:
        yield Known(name="albums", value=_counted(len(albums), "album"), source="counted from album.added")
    for album in sorted(albums, key=lambda one: (one["title"], one["album_id"]))[:MOST_ALBUMS]:
        yield Known(name="album", value=album["title"], source=f"album.added.{album['album_id']}")
    yield from _in_common(tracks)
    yield from _one_by_one(tracks, album=True)


def _album(album: Row, artist: Row | None, tracks: Sequence[Row]) -> Iterator[Known]:
    yield Known(name="album", value=album["title"], source=f"album.added.{album['album_id']}")
    if artist is not None:
        yield Known(name="artist", value=artist["name"], source=f"artist.added.{artist['artist_id']}")
    yield Known(name="tracks", value=_counted(len(tracks), "track"), source="counted from track.published")
    if tracks:
        seconds = sum(track["duration_seconds"] for track in tracks)
        yield Known(name="length", value=_length(seconds), source="summed over track.published")
    yield from _in_common(tracks)
    if len(tracks) > 1:
        yield _said(tracks[0], "opening", tracks[0]["title"])
        yield _said(tracks[-1], "closing", tracks[-1]["title"])
        yield from _extremes(tracks)
    yield from _one_by_one(tracks, album=False)


def _in_common(tracks: Sequence[Row]) -> Iterator[Known]:
    """What many tracks say together: the commonest genres and moods, and the years."""
    source = "counted from track.published"
    genres = _commonest(tracks, "genres")
    yield from (Known(name="main_genre", value=genre, source=source) for genre in genres[:1])
    yield from (Known(name="genre", value=genre, source=source) for genre in genres[:MOST_GENRES])
    yield from (Known(name="mood", value=mood, source=source) for mood in _commonest(tracks, "moods")[:MOST_MOODS])
    years = sorted({track["year"] for track in tracks if track["year"]})
    if len(years) == 1:
        yield Known(name="year", value=str(years[0]), source=source)
    if len(years) > 1:
        yield Known(name="first_year", value=str(years[0]), source=source)
        yield Known(name="last_year", value=str(years[-1]), source=source)


def _extremes(tracks: Sequence[Row]) -> Iterator[Known]:
    timed = [track for track in tracks if track["bpm"]]
    if len({round(track["bpm"]) for track in timed}) > 1:
        for name, track in (("slowest", min(timed, key=_tempo)), ("fastest", max(timed, key=_tempo))):
            yield _said(track, name, track["title"])
            yield _said(track, f"{name}_tempo", f"{track['bpm']:.0f}")


def _one_by_one(tracks: Sequence[Row], *, album: bool) -> Iterator[Known]:
    for number, track in enumerate(tracks[:MOST_TRACKS], 1):
        prefix = f"track_{number}_"
        for one in _track(track, prefix):
            if one.name != f"{prefix}artist" and (album or one.name != f"{prefix}album"):
                yield one


def _track(track: Row, prefix: str) -> Iterator[Known]:
    guessed = track["guessed"] or ()
    yield _said(track, f"{prefix}title", track["title"])
    if "artist" not in guessed:
        yield _said(track, f"{prefix}artist", track["artist"])
    if track["album"]:
        yield _said(track, f"{prefix}album", track["album"])
    yield from (_said(track, f"{prefix}genre", genre) for genre in (track["genres"] or ())[:1])
    if track["year"]:
        yield _said(track, f"{prefix}year", str(track["year"]))
    yield _said(track, f"{prefix}length", _length(track["duration_seconds"]))
    if track["bpm"]:
        yield _said(track, f"{prefix}tempo", f"{track['bpm']:.0f}")
    if track["key"]:
        yield _said(track, f"{prefix}key", track["key"])
    yield from (_said(track, f"{prefix}mood", mood) for mood in (track["moods"] or ())[:MOST_MOODS])
    if track["loudness_lufs"] is not None:
        yield _said(track, f"{prefix}loudness", f"{track['loudness_lufs']:.0f}")


def _said(track: Row, name: str, value: str) -> Known:
    return Known(name=name, value=value, source=f"track.published.{track['track_id']}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _commonest(tracks: Sequence[Row], column: str) -> list[str]:
    counts = Counter(value for track in tracks for value in track[column] or ())
    return sorted(counts, key=lambda value: (-counts[value], value))


def _tempo(track: Row) -> tuple[float, str]:
    return track["bpm"], track["track_id"]


def _place(track: Row) -> tuple[Any, ...]:
    unknown = 9999
    return (
        track["year"] or unknown,
        track["album"] or "",
        track["track_number"] or unknown,
        track["title"],
        track["track_id"],
    )
