"""Suggesting: a mix around something: a track that was heard, what is new, a mood.

Answers `MakeBecause`, `MakeNewForYou`, `MakeMoodMix`. No model reranks a mood mix: a description read against one
word says less of how strongly a track has the mood than the place of the mood among the track's own.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, select

from tonetouch_contracts.finding import Filters, MakeBecause, MakeMoodMix, MakeNewForYou, Selection
from tonetouch_contracts.serving import Seed
from tonetouch_recommend.indexes.index import as_tag, day_of
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.learning import HeardRow, ShelfRow
from tonetouch_recommend.lists.alchemy import in_turns
from tonetouch_recommend.lists.choosing import best_of, choose, given, kept_from, mixed, nearest, songs_of
from tonetouch_recommend.lists.ordering import in_order
from tonetouch_recommend.lists.recipe import Made, Recipe
from tonetouch_recommend.lists.seeding import Start, start_of, start_of_track, titles
from tonetouch_recommend.lists.serving import makes
from tonetouch_recommend.taste.tasting import taste_of
from tonetouch_recommend.vectors.collection import LARGEST_LIMIT, Between, Hit
from tonetouch_runtime import Floor, Router, page_size, stamp

router = Router()

BECAUSE: Final = "because"
NEW: Final = "new-for-you"
MOOD: Final = "mood"
LATELY: Final = timedelta(days=30)
MOOD_PLACE: Final = 0.1
"""What it adds to a track's cosine that the mood is its first; half of it, that it is its second; and so on."""
NAMED: Final = 2


@router.answers(MakeBecause)
async def make_because(command: MakeBecause, floor: Floor) -> Selection:
    """Raises Refused where there is no such track."""
    recipe = await _recipe(command, BECAUSE, (Seed(about=f"track:{command.track_id}"),), floor, is_rested=True)
    return given(floor, recipe, await make_around(recipe, floor))


@makes(BECAUSE)
async def make_around(recipe: Recipe, floor: Floor) -> Made:
    """One similarity query around the track, without itself."""
    start = await start_of_track(recipe.seeds[0].about.partition(":")[2], floor)
    [track_id] = start.track_ids
    hits = [hit for hit in best_of(await nearest(start.vectors, recipe, floor)) if hit.id != track_id]
    why = "Because you listened to" if await _has_heard(recipe.user_id, track_id, floor) else "More like"
    name = f"{why} {start.name}"
    reason = f"{name}." if hits else f"Nothing is like {start.name} that you can be shown and have not just heard."
    return await _mix(recipe, hits, [track_id], name, reason, floor)


@router.answers(MakeNewForYou)
async def make_new_for_you(command: MakeNewForYou, floor: Floor) -> Selection:
    """What the listener has not heard of what was published in the last 30 days."""
    since = stamp(floor.clock.now() - LATELY)
    seeds = await _interests(command.user_id, floor)
    heard = await _heard_since(command, since, floor)
    recipe = await _recipe(command, NEW, seeds, floor, weights={"since_day": day_of(since)}, without=heard)
    return given(floor, recipe, await make_new(recipe, floor))


@makes(NEW)
async def make_new(recipe: Recipe, floor: Floor) -> Made:
    """Around each interest in turn; without any the newest tracks."""
    since = Between("published", recipe.weights["since_day"])
    starts = await _starts(recipe.seeds, floor)
    found = await nearest([start.vectors[0] for start in starts], recipe, floor, where=[since])
    hits = in_turns(found) if starts else await _newest(recipe, floor)
    medoids = [start.track_ids[0] for start in starts]
    return await _mix(recipe, hits, medoids[:NAMED], "New for you", _why_new(hits, starts), floor)


@router.answers(MakeMoodMix)
async def make_mood_mix(command: MakeMoodMix, floor: Floor) -> Selection:
    """Raises Refused for a mood that no track has."""
    seeds = (Seed(about=f"mood:{command.mood}"), *await _interests(command.user_id, floor))
    recipe = await _recipe(command, MOOD, seeds, floor, filters=command.filters)
    return given(floor, recipe, await make_mood(recipe, floor))


@makes(MOOD)
async def make_mood(recipe: Recipe, floor: Floor) -> Made:
    """Of the mood's tracks those around each interest in turn; without any those nearest to the mood's middle."""
    mood = await start_of(recipe.seeds[0].about, floor)
    starts = await _starts(recipe.seeds[1:], floor)
    vectors = [start.vectors[0] for start in starts] or list(mood.vectors)
    found = await nearest(vectors, recipe, floor, where=mood.where)
    hits = in_turns([_strongest_first(hits, mood.name) for hits in found])
    which = f"near {_named(starts)}" if starts else "the most typical"
    reason = f"{mood.name.capitalize()} tracks, {which}."
    if not hits:
        reason = f"No {mood.name} track passes the filters and what you want to hear."
    medoids = [start.track_ids[0] for start in starts]
    return await _mix(recipe, hits, medoids[:NAMED], mood.name.capitalize(), reason, floor)


async def _mix(
    recipe: Recipe, hits: Sequence[Hit], because: Sequence[str], name: str, reason: str, floor: Floor
) -> Made:
    choice = choose(hits, recipe.limit)
    ordered = in_order(await songs_of(choice.hits, floor))
    tracks = mixed(ordered, choice.hits, because)
    return Made(name=name, reason=reason, tracks=tracks, candidates=choice.weighed)


async def _recipe(
    command: MakeBecause | MakeNewForYou | MakeMoodMix,
    surface: str,
    seeds: tuple[Seed, ...],
    floor: Floor,
    *,
    is_rested: bool = False,
    weights: dict[str, float] | None = None,
    without: Sequence[str] = (),
    filters: Filters | None = None,
) -> Recipe:
    page_size(command.limit)
    kept = await kept_from(command.user_id, floor, is_rested=is_rested)
    return Recipe(
        surface=surface,
        user_id=command.user_id,
        region=command.region,
        explicit_allowed=command.explicit_allowed,
        limit=min(command.limit, LARGEST_LIMIT),
        filters=filters or Filters(),
        seeds=seeds,
        weights=weights or {},
        excluded=tuple(sorted(kept.track_ids.union(without))),
        without_artists=tuple(sorted(kept.artist_ids)),
    )


async def _interests(user_id: str, floor: Floor) -> tuple[Seed, ...]:
    """The track in the middle of each interest: a vector of a listener moves on, a track can be asked for again."""
    indexes = floor.get(Indexes)
    await indexes.settled("user")
    tastes = await taste_of(user_id, indexes.collections.taste, indexes.engine)
    return tuple(Seed(about=f"track:{one.medoid}", weight=round(one.weight, 6)) for one in tastes.interests)


async def _starts(seeds: Sequence[Seed], floor: Floor) -> list[Start]:
    """Where the interests lie; a track that is gone meanwhile is none."""
    indexes = floor.get(Indexes)
    ids = [seed.about.partition(":")[2] for seed in seeds]
    points = await indexes.engine.get(indexes.collections.tracks, ids)
    named = await titles(ids, floor)
    return [
        Start(about=f"track:{one.id}", name=named.get(one.id, one.id), vectors=(one.vector,), track_ids=(one.id,))
        for one in points
    ]


async def _has_heard(user_id: str, track_id: str, floor: Floor) -> bool:
    heard = floor.tables.live(HeardRow)
    query = select(heard.c.play_id).where(heard.c.track_id == track_id, heard.c.user_id == user_id).limit(1)
    return await floor.read.glance(lambda connection: connection.execute(query).first() is not None)


async def _heard_since(command: MakeNewForYou, since: str, floor: Floor) -> list[str]:
    """What the listener has heard of what was published since then."""
    heard, shelf = floor.tables.live(HeardRow), floor.tables.live(ShelfRow)
    query = select(heard.c.track_id).join(shelf, shelf.c.track_id == heard.c.track_id).distinct()
    query = query.where(heard.c.user_id == command.user_id, shelf.c.published_at >= since)

    def read(connection: Connection) -> list[str]:
        return [row.track_id for row in connection.execute(query.order_by(heard.c.track_id))]

    return await floor.read.read(read)


async def _newest(recipe: Recipe, floor: Floor) -> list[Hit]:
    """The newest tracks that the recipe lets pass."""
    shelf, out, barred = floor.tables.live(ShelfRow), recipe.out, recipe.without_artists
    query = select(shelf.c.track_id, shelf.c.artist_id).where(shelf.c.region == recipe.region)
    if not recipe.explicit_allowed:
        query = query.where(shelf.c.explicit == 0)
    newest = query.order_by(shelf.c.published_at.desc(), shelf.c.track_id.desc()).limit(LARGEST_LIMIT)

    def read(connection: Connection) -> list[Hit]:
        rows = connection.execute(newest).all()
        return [Hit(row.track_id, 0.0, {"artist": row.artist_id or row.track_id}) for row in rows]

    hits = await floor.read.read(read)
    return [hit for hit in hits if hit.id not in out and hit.payload["artist"] not in barred]


def _strongest_first(hits: Sequence[Hit], mood: str) -> list[Hit]:
    """By cosine and by how strongly the track has the mood: its moods stand strongest first."""

    def strength(hit: Hit) -> float:
        moods = hit.payload["moods"]
        assert isinstance(moods, list), "only tracks with the mood were asked for"
        return hit.score + MOOD_PLACE / (1 + moods.index(as_tag(mood)))

    return sorted(hits, key=lambda hit: (-strength(hit), hit.id))


def _why_new(hits: Sequence[Hit], starts: Sequence[Start]) -> str:
    if not hits:
        return "Nothing new that you can be shown was published in the last 30 days."
    if not starts:
        return "We do not know yet what you like: these are the newest tracks."
    return f"Published in the last 30 days, near {_named(starts)}."


def _named(starts: Sequence[Start]) -> str:
    return " and ".join(start.name for start in starts[:NAMED])
