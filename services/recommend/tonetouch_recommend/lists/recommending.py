"""Recommending: mixes made for one listener. Answers `MakeForYou`.

One similarity query around each of the listener's interests, filtered by region, explicit, what they want never again
and what they played lately. The first mix blends them all; each strong interest has one of its own. In a small library
little is left of that: tracks played lately come again then, those not heard for longest first, and the reason says so.
Who has no taste yet gets what others play and the newest tracks, and is told that.
"""

import contextlib
import functools
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from typing import Any, Final

import msgspec
from sqlalchemy import Select, String, Table, bindparam, cast, select

from tonetouch_contracts.finding import MakeForYou, Mix, MixTrack
from tonetouch_contracts.identity import TrackId, derived
from tonetouch_contracts.message import Page
from tonetouch_contracts.serving import Seed, Weighed
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.indexes.pointing import vectors_at_once
from tonetouch_recommend.learning import ShelfRow
from tonetouch_recommend.lists.ahead import Ahead, Mixes, making_ahead
from tonetouch_recommend.lists.beginning import for_beginners
from tonetouch_recommend.lists.mixing import (
    HANDFUL,
    MOST_REASONS,
    Candidate,
    Near,
    apart,
    because,
    filled,
    in_turn,
    shortlisted,
    spoken_for,
)
from tonetouch_recommend.lists.ordering import Song, in_order
from tonetouch_recommend.lists.recipe import Made, Recipe
from tonetouch_recommend.lists.serving import makes, served
from tonetouch_recommend.taste.interests import Interest, Tastes, on_day
from tonetouch_recommend.taste.signalling import KeptOut, kept_out, left_out
from tonetouch_recommend.taste.tasting import taste_of, taste_until
from tonetouch_recommend.vectors.collection import LARGEST_LIMIT, Hit, Vector
from tonetouch_runtime import Floor, Router, page_size

router = Router()

NAME: Final = "Made for you"
BLENDED: Final = "made-for-you"
OF_ONE: Final = "made-for-you-interest"
NAMED: Final = 2
"""How many tracks the reason names."""
STRONG: Final = 0.1
"""The share of all a listener likes from which on an interest has a mix of its own."""
MOST_MIXES: Final = 5
DEPTH: Final = 2
"""How many tracks are asked for around each of several interests, for each place of a mix."""
DEPTH_ALONE: Final = 5
NOTHING: Final = "Nothing that you may be shown here is left that you would like and have not asked to leave out."
OTHERS: Final = "others came first"


class Around(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What lies around a listener: for each interest what was found, and if that is little what they know already."""

    tastes: Tastes
    found: Sequence[Sequence[Near]]
    known: Sequence[Near]
    songs: Mapping[str, Song]


class Told(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the tables say of the tracks of an answer."""

    vectors: Mapping[str, Vector]
    shelf: Mapping[str, "Titled"]


class Titled(msgspec.Struct, frozen=True):
    """What a track is called and what kind of music it is."""

    title: str
    genres: Sequence[str]
    moods: Sequence[str]


@router.answers(MakeForYou)
async def make_for_you(command: MakeForYou, floor: Floor) -> Page[Mix]:
    """The blended mix first, then one for each strong interest where there are several; each of `limit` tracks."""
    page_size(command.limit)
    await floor.get(Indexes).settled("user")
    return Page(items=tuple(_mix(each, mix, floor) for each, mix in await mixes_for(command, floor)))


async def mixes_for(command: MakeForYou, floor: Floor) -> Mixes:
    """Every mix of the answer with its recipe, from memory where nothing has changed since."""
    ahead = floor.get(Ahead)
    edition = ahead.edition(command.user_id)
    lately, kept = await left_out(command.user_id, floor)
    recipe = Recipe(
        surface=BLENDED,
        user_id=command.user_id,
        region=command.region,
        explicit_allowed=command.explicit_allowed,
        limit=command.limit,
        weights={"day": float(floor.clock.now().toordinal())},
        excluded=(*sorted(kept.track_ids), *(track for track in lately if track not in kept.track_ids)),
        without_artists=tuple(sorted(kept.artist_ids)),
    )
    if (known := ahead.known(command, recipe)) is not None:
        return known
    around = await _around(recipe, kept, floor)
    if around is None:
        # What others play changes without a change of theirs.
        return [(recipe, await for_beginners(recipe, kept, floor))]
    made = await _all_made(recipe, around, floor)
    ahead.remember(command, recipe, made, edition)
    return made


@contextlib.asynccontextmanager
async def making_mixes_ahead(floor: Floor) -> AsyncIterator[Ahead]:
    """Make the mixes of who asked lately anew when their taste has changed, for as long as the service runs."""
    async with making_ahead(floor, mixes_for) as ahead:
        yield ahead


@makes(BLENDED)
async def make_blended(recipe: Recipe, floor: Floor) -> Made:
    """The mix of everything, from the listener's taste."""
    kept = await kept_out(recipe.user_id, floor)
    around = await _around(recipe, kept, floor)
    if around is None:
        return await for_beginners(recipe, kept, floor)
    return (await _all_made(recipe, around, floor))[0][1]


@makes(OF_ONE)
async def make_of_one(recipe: Recipe, floor: Floor) -> Made:
    """The mix of the interest that the first seed is the medoid of, if it is one still."""
    around = await _around(recipe, await kept_out(recipe.user_id, floor), floor)
    every = await _all_made(recipe, around, floor) if around else []
    found = [made for each, made in every[1:] if each.seeds[:1] == recipe.seeds[:1]]
    return found[0] if found else Made(name=NAME, reason="This is no interest of yours any more.")


async def _around(recipe: Recipe, kept: KeptOut, floor: Floor) -> Around | None:
    """What was not played lately, nearest first; and where that is no handful what was, longest ago first."""
    tastes = on_day(await _tastes(recipe, floor), recipe.weights.get("day", 0.0))
    if not tastes.interests:
        return None
    depth = DEPTH if len(tastes.interests) > 1 else DEPTH_ALONE
    most, out = min(LARGEST_LIMIT, depth * recipe.limit), recipe.out
    found = [await _near(interest, recipe, out, most, floor) for interest in tastes.interests]
    fresh = {hit.id for hits in found for hit in hits}
    if len(fresh) >= min(HANDFUL, recipe.limit):
        songs = await _songs_of(fresh, floor)
        return Around(tastes=tastes, found=[_by_artist(hits, songs) for hits in found], known=(), songs=songs)
    again = [await _near(one, recipe, fresh | kept.track_ids, most, floor) for one in tastes.interests]
    songs = await _songs_of(fresh | {hit.id for hits in again for hit in hits}, floor)
    near = {one.track_id: one for hits in again for one in _by_artist(hits, songs)}
    known = [near[track] for track in recipe.excluded if track in near]
    return Around(tastes=tastes, found=[_by_artist(hits, songs) for hits in found], known=known, songs=songs)


async def _tastes(recipe: Recipe, floor: Floor) -> Tastes:
    indexes = floor.get(Indexes)
    if recipe.as_of is not None:
        return await taste_until(recipe.user_id, recipe.as_of, indexes.collections, floor)
    return await taste_of(recipe.user_id, indexes.collections.taste, indexes.engine)


async def _near(interest: Interest, recipe: Recipe, out: Set[str], most: int, floor: Floor) -> list[Hit]:
    indexes = floor.get(Indexes)
    tracks = indexes.collections.tracks
    # Whose they are is read from the tables, for all of them at once: the payload costs a quarter of a query.
    return await indexes.engine.query(
        tracks, interest.vector, limit=most, where=recipe.where, exclude=out, with_payload=False
    )


async def _songs_of(track_ids: Set[str], floor: Floor) -> dict[str, Song]:
    rows = await floor.read.look(_songs(floor.tables.live(ShelfRow)), {"tracks": list(track_ids)}) if track_ids else []
    return {
        track: Song(track_id=track, artist_id=artist or track, bpm=bpm, key=key, energy=energy)
        for track, artist, bpm, key, energy in rows
    }


def _by_artist(hits: Sequence[Hit], songs: Mapping[str, Song]) -> list[Near]:
    return [Near(hit.id, hit.score, songs[hit.id].artist_id) for hit in hits if hit.id in songs]


async def _all_made(recipe: Recipe, around: Around, floor: Floor) -> list[tuple[Recipe, Made]]:
    """Every mix with its recipe: the blended one, and one for each strong interest if there are several."""
    interests = around.tastes.interests
    seed = f"{recipe.user_id}:{recipe.weights.get('day', 0):.0f}"
    shortlist = shortlisted(around.found, [one.weight for one in interests], recipe.limit, seed)
    wanted = {*shortlist.track_ids, *(one.track_id for one in around.known)}
    standing = [track for one in interests for track in one.tracks]
    told = await _told(wanted, standing, floor)
    chosen = filled(shortlist, told.vectors, around.tastes, recipe.limit)
    known = [
        Candidate(one.track_id, one.cosine, told.vectors[one.track_id], one.artist_id)
        for one in around.known
        if one.track_id in told.vectors
    ]
    looked_at = [one for part in (*shortlist.near, *shortlist.further) for one in part]
    blended = _blended(recipe, interests, in_turn([*chosen, *known], recipe.limit), known, told)
    seeded = msgspec.structs.replace(recipe, seeds=tuple(seed for one in interests for seed in _seeds(one)))
    first = (seeded, msgspec.structs.replace(blended, candidates=_weighed(looked_at, blended)))
    # What comes again stays behind what is new.
    return [first] if around.known else _in_order([first, *_of_each(recipe, around, told)], around.songs)


def _in_order(mixes: Sequence[tuple[Recipe, Made]], songs: Mapping[str, Song]) -> list[tuple[Recipe, Made]]:
    """The same mixes, each in the order to play it."""
    ordered = list[tuple[Recipe, Made]]()
    for recipe, made in mixes:
        tracks = {track.track_id: track for track in made.tracks}
        order = _order(tuple(songs[track] for track in tracks))
        played = tuple(tracks[TrackId(song.track_id)] for song in order)
        ordered.append((recipe, msgspec.structs.replace(made, tracks=played)))
    return ordered


def _blended(
    recipe: Recipe, interests: Sequence[Interest], chosen: Sequence[Candidate], known: Sequence[Candidate], told: Told
) -> Made:
    liked = {track: told.vectors[track] for one in interests for track in one.tracks if track in told.vectors}
    reasons = {one.track_id: because(one, liked) for one in chosen}
    titles = [told.shelf[track].title for track in spoken_for(reasons.values()) if track in told.shelf]
    again = {one.track_id for one in known} & reasons.keys()
    tracks = tuple(_track(one.track_id, one.score, reasons[one.track_id]) for one in chosen)
    return Made(name=NAME, reason=_reason(titles, len(again)) if tracks else NOTHING, tracks=tracks)


def _of_each(recipe: Recipe, around: Around, told: Told) -> list[tuple[Recipe, Made]]:
    interests, made = around.tastes.interests, dict[str, tuple[Recipe, Made]]()
    if len(interests) == 1:
        return []
    for interest, own in zip(interests, apart(around.found), strict=True):
        if interest.weight < STRONG or len(own) < HANDFUL or len(made) == MOST_MIXES:
            continue
        rows = [told.shelf[track] for track in interest.tracks if track in told.shelf]
        titles = [row.title for row in rows]
        name = next((name for name in names_for(rows) if name not in made), NAME)
        speaking = interest.tracks[:MOST_REASONS]
        tracks = tuple(_track(one.track_id, one.cosine, speaking) for one in in_turn(own, recipe.limit))
        mix = Made(name=name, reason=_reason(titles, 0), tracks=tracks)
        seeded = msgspec.structs.replace(recipe, surface=OF_ONE, seeds=_seeds(interest))
        made[name] = (seeded, msgspec.structs.replace(mix, candidates=_weighed(own, mix)))
    return list(made.values())


def names_for(rows: Sequence[Titled]) -> list[str]:
    """What a mix around these tracks may be called, best first: by mood and genre, else by the first one's title."""
    moods, genres = (
        [word for word, _ in Counter(word for words in said for word in words).most_common(2)]
        for said in ([row.moods for row in rows], [row.genres for row in rows])
    )
    words = [f"{mood} {genre}" for genre in genres for mood in moods] or genres or moods
    return [*(word[0].upper() + word[1:] for word in words if word.strip()), *(f"Like {row.title}" for row in rows)]


def _seeds(interest: Interest) -> tuple[Seed, ...]:
    return tuple(Seed(about=f"track:{track}", weight=interest.weight) for track in interest.tracks)


def _weighed(looked_at: Sequence[Near], made: Made) -> tuple[Weighed, ...]:
    chosen = {track.track_id for track in made.tracks}
    nearest_first = sorted(looked_at, key=lambda one: (-one.cosine, one.track_id))
    return tuple(
        Weighed(
            track_id=TrackId(one.track_id), score=one.cosine, passed_over=None if one.track_id in chosen else OTHERS
        )
        for one in nearest_first
    )


def _track(track_id: str, score: float, speaking: Sequence[str]) -> MixTrack:
    return MixTrack(track_id=TrackId(track_id), score=score, because=tuple(map(TrackId, speaking)))


def _mix(recipe: Recipe, made: Made, floor: Floor) -> Mix:
    about = "made-for-you" if recipe.surface == BLENDED else recipe.seeds[0].about
    return Mix(
        id=derived("mix", recipe.user_id, about),
        name=made.name,
        reason=made.reason,
        tracks=made.tracks,
        list_id=served(floor, recipe, made),
    )


def _reason(titles: Sequence[str], again: int) -> str:
    """Why these tracks, in words; with how many of them were played lately."""
    reason = f"Because you listened to {', '.join(titles[:NAMED])}." if titles else "Close to what you listen to."
    if not again:
        return reason
    which = "one of them you have" if again == 1 else f"{again} of them you have"
    return f"{reason} There is little else here yet, so {which} heard lately."


async def _told(wanted: Set[str], standing: Sequence[str], floor: Floor) -> Told:
    rows = await floor.read.look(_titles(floor.tables.live(ShelfRow)), {"tracks": list(standing)})
    return Told(
        vectors=await vectors_at_once({*wanted, *standing}, floor.get(Indexes).collections.tracks, floor),
        shelf={track: Titled(title, _words(genres), _words(moods)) for track, title, genres, moods in rows},
    )


def _words(said: str | None) -> list[str]:
    return msgspec.json.decode(said, type=list[str] | None) or [] if said else []


@functools.cache
def _titles(shelf: Table) -> Select[Any]:
    tracks = bindparam("tracks", type_=String, expanding=True)
    words = (cast(shelf.c.genres, String), cast(shelf.c.moods, String))
    return select(shelf.c.track_id, shelf.c.title, *words).where(shelf.c.track_id.in_(tracks))


@functools.cache
def _songs(shelf: Table) -> Select[Any]:
    tracks = bindparam("tracks", type_=String, expanding=True)
    columns = (shelf.c.track_id, shelf.c.artist_id, shelf.c.bpm, shelf.c.key, shelf.c.energy)
    return select(*columns).where(shelf.c.track_id.in_(tracks))


@functools.lru_cache(maxsize=4096)
def _order(songs: tuple[Song, ...]) -> tuple[Song, ...]:
    # Whoever comes again before they have heard anything gets the same tracks.
    return tuple(in_order(songs))
