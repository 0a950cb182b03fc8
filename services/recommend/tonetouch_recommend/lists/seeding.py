"""Seeding: where a list starts, looked up from what was asked for: a track, an artist, a mood or a genre."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from sqlalchemy import Connection, select

from tonetouch_contracts.identity import is_entity_id
from tonetouch_recommend.indexes.index import is_id
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.learning import ShelfRow
from tonetouch_recommend.lists.alchemy import centres
from tonetouch_recommend.lists.recipe import of_genre, of_mood
from tonetouch_recommend.vectors.collection import Point, Term, Vector
from tonetouch_runtime import Floor, Refused

MOST_OF_AN_ARTIST: Final = 60
"""Tracks of an artist that are looked at for where their music lies: the newest."""
TYPICAL: Final = 100
"""Tracks of a mood or a genre that are looked at for its middle."""
MOST_NAMED: Final = 12
LONGEST: Final = 200

Kind = Literal["track", "artist", "mood", "genre"]
_HOW: Final = "A seed is track:<id>, artist:<id>, mood:<name> or genre:<name>."


class Start(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Where a list starts: the vectors to ask around, what a track has to be besides, and the tracks it was made of."""

    about: str
    name: str
    vectors: tuple[Vector, ...]
    track_ids: tuple[str, ...] = ()
    where: tuple[Term, ...] = ()


async def start_of(about: str, floor: Floor) -> Start:
    """The start that ``kind:subject`` names. Raises Refused where it is none, or nothing is known by that name."""
    kind, _, subject = about[:LONGEST].partition(":")
    subject = " ".join(subject.split())
    if not subject or (kind in ("track", "artist") and not is_entity_id(subject)):
        raise Refused("invalid", f"'{about[:LONGEST]}' is nothing to start from.", _HOW)
    match kind:
        case "track":
            return await start_of_track(subject, floor)
        case "artist":
            return await _start_of_artist(subject, floor)
        case "mood":
            return await _start_of_tag("mood", subject, of_mood(subject), floor)
        case "genre":
            return await _start_of_tag("genre", subject, of_genre(subject), floor)
    raise Refused("invalid", f"Nothing starts from a {kind!r}.", _HOW)


async def start_of_track(track_id: str, floor: Floor) -> Start:
    """A published track. Raises Refused where there is none of this id."""
    indexes = floor.get(Indexes)
    points = await indexes.engine.get(indexes.collections.tracks, [track_id]) if is_id(track_id) else []
    if not points:
        raise Refused("not_found", f"There is no published track {track_id}.", "Look for one at /api/v1/search.")
    name = (await titles([track_id], floor)).get(track_id, track_id)
    return Start(about=f"track:{track_id}", name=name, vectors=(points[0].vector,), track_ids=(track_id,))


async def titles(track_ids: Sequence[str], floor: Floor) -> dict[str, str]:
    """The titles of those that are on the shelf, by id."""
    shelf = floor.tables.live(ShelfRow)
    query = select(shelf.c.track_id, shelf.c.title).where(shelf.c.track_id.in_(track_ids))
    return await floor.read.glance(lambda connection: {row.track_id: row.title for row in connection.execute(query)})


async def _start_of_artist(artist_id: str, floor: Floor) -> Start:
    """An artist's published tracks, in up to three centres."""
    shelf, indexes = floor.tables.live(ShelfRow), floor.get(Indexes)
    newest = select(shelf.c.track_id, shelf.c.artist).where(shelf.c.artist_id == artist_id)
    newest = newest.order_by(shelf.c.published_at.desc(), shelf.c.track_id).limit(MOST_OF_AN_ARTIST)

    def look_up(connection: Connection) -> dict[str, str]:
        return {row.track_id: row.artist for row in connection.execute(newest)}

    tracks = await floor.read.read(look_up)
    points = await indexes.engine.get(indexes.collections.tracks, list(tracks))
    if not points:
        raise Refused("not_found", f"No artist {artist_id} has a published track.", "Look for one at /api/v1/search.")
    vectors = centres([point.vector for point in points])
    ids = tuple(point.id for point in points)
    return Start(about=f"artist:{artist_id}", name=tracks[ids[0]], vectors=tuple(vectors), track_ids=ids)


async def _start_of_tag(kind: Literal["mood", "genre"], name: str, condition: Term, floor: Floor) -> Start:
    """A mood or a genre: its tracks, and where the middle of some of them lies."""
    indexes = floor.get(Indexes)
    page = await indexes.engine.scroll(indexes.collections.tracks, where=[condition], limit=TYPICAL)
    if not page.points:
        raise Refused("not_found", f"No track has the {kind} '{name}'.", await _others(kind, floor))
    return Start(about=f"{kind}:{name}", name=name, vectors=(_middle(page.points),), where=(condition,))


async def _others(kind: Literal["mood", "genre"], floor: Floor) -> str:
    """What there is instead, in words: the most frequent ones of some tracks."""
    indexes = floor.get(Indexes)
    page = await indexes.engine.scroll(indexes.collections.tracks, limit=TYPICAL)
    counted = Counter[str]()
    for point in page.points:
        entries = point.payload.get(f"{kind}s", [])
        counted.update(entries if isinstance(entries, list) else [])
    names = [name for name, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST_NAMED]]
    return f"There are: {', '.join(names)}." if names else "No published track has one yet."


def _middle(points: list[Point]) -> Vector:
    """The mean of their vectors at length one; the first where they cancel out."""
    mean = np.mean([point.vector.astype(np.float64) for point in sorted(points, key=lambda one: one.id)], axis=0)
    length = float(np.linalg.norm(mean))
    return np.asarray(mean / length, dtype=np.float32) if length else points[0].vector
