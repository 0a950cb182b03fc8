"""Choosing: from where a list starts to its tracks: what lies near, what stays out, and the order to play it in."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, select

from tonetouch_contracts.finding import MixTrack, Selection
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.serving import Weighed
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.learning import ShelfRow
from tonetouch_recommend.lists.ordering import Song
from tonetouch_recommend.lists.recipe import Made, Recipe
from tonetouch_recommend.lists.serving import served
from tonetouch_recommend.taste.signalling import KeptOut, kept_out_by, resting_for
from tonetouch_recommend.vectors.collection import LARGEST_LIMIT, Hit, Term, Vector
from tonetouch_runtime import Floor

MORE: Final = 3
"""How many times as many tracks as a list has are looked at for it."""
MOST_OF_AN_ARTIST: Final = 3
"""In one list, as long as there are others."""

TOO_SOON: Final = "its artist was just heard"
TOO_OFTEN: Final = "its artist is in the list often enough"
FURTHER_OFF: Final = "others are nearer"


class Choice(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The hits of a list, best first, and all that were looked at, with why some are not in it."""

    hits: Sequence[Hit]
    weighed: Sequence[Weighed]


async def nearest(
    vectors: Sequence[Vector],
    recipe: Recipe,
    floor: Floor,
    *,
    where: Iterable[Term] = (),
    most: int | None = None,
    with_vectors: bool = False,
) -> list[list[Hit]]:
    """For each vector the tracks near it that the recipe lets pass, nearest first, with their payload."""
    indexes, conditions = floor.get(Indexes), (*recipe.where, *where)
    limit = min(LARGEST_LIMIT, MORE * recipe.limit if most is None else most)
    return [
        await indexes.engine.query(
            indexes.collections.tracks,
            vector,
            limit=limit,
            where=conditions,
            exclude=recipe.out,
            with_vectors=with_vectors,
        )
        for vector in vectors
    ]


def best_of(found: Iterable[Sequence[Hit]]) -> list[Hit]:
    """Each track once, with its best score, best first; equals by id."""
    best: dict[str, Hit] = {}
    for hit in (hit for hits in found for hit in hits):
        if hit.id not in best or hit.score > best[hit.id].score:
            best[hit.id] = hit
    return sorted(best.values(), key=lambda hit: (-hit.score, hit.id))


def choose(
    hits: Sequence[Hit],
    size: int,
    *,
    artists_before: Sequence[str] = (),
    apart: int = 0,
    of_an_artist: int = MOST_OF_AN_ARTIST,
) -> Choice:
    """At most `size` of the hits in their order, but no artist too often, nor again within `apart` tracks.

    `artists_before` were heard last. Where only such artists are left, the one that was heard longest ago comes. A mix
    that is ordered afterwards needs nothing apart: something unlike the rest would come in to fill the gaps.
    """
    waiting, taken, heard = list(hits), list[Hit](), list(artists_before)
    ours = Counter[str]()
    while waiting and len(taken) < size:
        late = set(heard[-apart:]) if apart else set[str]()
        fits = (hit for hit in waiting if _artist(hit) not in late and ours[_artist(hit)] < of_an_artist)
        found = next(fits, None) or min(waiting, key=lambda hit: _last(heard, _artist(hit)))
        taken.append(found)
        heard.append(_artist(found))
        ours[heard[-1]] += 1
        waiting.remove(found)
    ids = {hit.id for hit in taken}
    lowest = min((hit.score for hit in taken), default=1.0)
    weighed = [_weighed(hit, None if hit.id in ids else _why(hit, lowest, ours, of_an_artist)) for hit in hits]
    return Choice(hits=taken, weighed=weighed)


async def songs_of(hits: Sequence[Hit], floor: Floor) -> list[Song]:
    """What the order goes by, in the order of the hits."""
    known = await look_up([hit.id for hit in hits], floor)
    return [known.get(hit.id) or Song(track_id=hit.id, artist_id=_artist(hit)) for hit in hits]


async def look_up(track_ids: Sequence[str], floor: Floor) -> Mapping[str, Song]:
    """What the order goes by of those of the tracks that are on the shelf."""
    if not track_ids:
        return {}
    shelf = floor.tables.live(ShelfRow)
    columns = (shelf.c.track_id, shelf.c.artist_id, shelf.c.bpm, shelf.c.key, shelf.c.energy)

    def read(connection: Connection) -> dict[str, Song]:
        rows = connection.execute(select(*columns).where(shelf.c.track_id.in_(track_ids))).mappings()
        return {row["track_id"]: Song(**{**row, "artist_id": row["artist_id"] or row["track_id"]}) for row in rows}

    return await floor.read.glance(read)


async def kept_from(user_id: str, floor: Floor, *, is_rested: bool = False) -> KeptOut:
    """What a listener's lists keep out: what they want never again, and where asked what they heard lately."""

    def read(connection: Connection) -> KeptOut:
        never = kept_out_by(user_id, floor, connection)
        resting = resting_for(user_id, floor, connection) if is_rested else {}
        return KeptOut(track_ids=never.track_ids.union(resting), artist_ids=never.artist_ids)

    return await floor.read.glance(read)


def mixed(songs: Iterable[Song], hits: Iterable[Hit], because: Sequence[str] = ()) -> tuple[MixTrack, ...]:
    """The songs as they are answered, each with its score."""
    scores = {hit.id: hit.score for hit in hits}
    speaking = tuple(map(TrackId, because))
    return tuple(
        MixTrack(track_id=TrackId(song.track_id), score=scores.get(song.track_id, 0.0), because=speaking)
        for song in songs
    )


def given(floor: Floor, recipe: Recipe, made: Made) -> Selection:
    """The answer, which is recorded."""
    list_id = served(floor, recipe, made)
    return Selection(list_id=list_id, name=made.name, reason=made.reason, tracks=made.tracks)


def _artist(hit: Hit) -> str:
    return str(hit.payload.get("artist") or hit.id)


def _last(heard: Sequence[str], artist: str) -> int:
    """When an artist was heard last; never is longest ago."""
    return max((place for place, one in enumerate(heard) if one == artist), default=-1)


def _weighed(hit: Hit, passed_over: str | None) -> Weighed:
    return Weighed(track_id=TrackId(hit.id), score=round(hit.score, 6), passed_over=passed_over)


def _why(hit: Hit, lowest: float, ours: Mapping[str, int], of_an_artist: int) -> str:
    if hit.score < lowest:
        return FURTHER_OFF
    return TOO_OFTEN if ours[_artist(hit)] >= of_an_artist else TOO_SOON
