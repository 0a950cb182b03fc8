"""Tuning: a radio from a track, an artist, a mood or a genre, that goes on for ever. Answers `TuneRadio`.

Each page is what lies nearest to the seed of what was not played yet, so the radio moves outward in rings. What was
played is read from the record of its pages, which is why a page waits for its record. When everything that fits was
played once, it begins again with what was played longest ago.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from tonetouch_contracts.finding import Selection, TuneRadio
from tonetouch_contracts.identity import ListId
from tonetouch_contracts.serving import Seed, Weighed
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.lists.choosing import best_of, choose, kept_from, look_up, mixed, nearest, songs_of
from tonetouch_recommend.lists.ordering import APART, Song, in_order
from tonetouch_recommend.lists.recipe import Made, Recipe
from tonetouch_recommend.lists.seeding import Start, start_of
from tonetouch_recommend.lists.serving import makes, pages_before, served_page
from tonetouch_recommend.vectors.collection import LARGEST_LIMIT, Hit
from tonetouch_runtime import Floor, Refused, Router, decode_cursor, encode_cursor, page_size

router = Router()

SURFACE: Final = "radio"
STREAM: Final = "RECOMMEND"
OF_AN_ARTIST: Final = 2
"""Tracks of an artist on one page, where there are others; three, where the radio is theirs."""


class _Place(msgspec.Struct, frozen=True):
    """Where a radio is: its first page, the number of the next, and where on RECOMMEND the page before stands."""

    first: ListId
    page: int
    sequence: int


@router.answers(TuneRadio)
async def tune_radio(command: TuneRadio, floor: Floor) -> Selection:
    """The next tracks. Raises Refused for a seed or a cursor that is none."""
    page_size(command.limit)
    await floor.get(Indexes).settled("track")
    place = _place(command.cursor)
    before: list[str] = []
    if place is not None:
        await floor.seen({STREAM: place.sequence})
        before = await pages_before(place.first, place.page, floor)
    kept = await kept_from(command.user_id, floor)
    recipe = Recipe(
        surface=SURFACE,
        user_id=command.user_id,
        region=command.region,
        explicit_allowed=command.explicit_allowed,
        limit=min(command.limit, LARGEST_LIMIT),
        filters=command.filters,
        seeds=(Seed(about=command.seed),),
        weights={"artist_apart": APART, "of_an_artist": OF_AN_ARTIST},
        excluded=tuple(sorted(kept.track_ids)),
        without_artists=tuple(sorted(kept.artist_ids)),
        before=tuple(before),
    )
    return await _given(await make_radio(recipe, floor), recipe, place, floor)


@makes(SURFACE)
async def make_radio(recipe: Recipe, floor: Floor) -> Made:
    """A page of it."""
    start = await start_of(recipe.seeds[0].about, floor)
    fresh = best_of(await nearest(start.vectors, _without(recipe, start), floor, where=start.where))
    again = [] if fresh else await _again(start, recipe, floor)
    tail = await _tail(recipe, floor)
    of_an_artist = OF_AN_ARTIST + int(start.about.startswith("artist:"))
    heard = [song.artist_id for song in tail]
    choice = choose(fresh or again, recipe.limit, artists_before=heard, apart=APART, of_an_artist=of_an_artist)
    songs = await songs_of(choice.hits, floor)
    ordered = in_order(songs, after=tail[-1] if tail else None, has_arc=False)
    ordered = _spaced(ordered, songs, heard)
    return Made(
        name=f"{start.name} radio",
        reason=_reason(start, len(songs), bool(again)),
        tracks=mixed(ordered, choice.hits, start.track_ids[:1]),
        candidates=list[Weighed](choice.weighed),
    )


async def _again(start: Start, recipe: Recipe, floor: Floor) -> list[Hit]:
    """What fits and was played, longest ago first; nothing while nothing was."""
    if not recipe.before:
        return []
    anything = msgspec.structs.replace(_without(recipe, start), before=())
    last = {track: place for place, track in enumerate(recipe.before)}
    hits = best_of(await nearest(start.vectors, anything, floor, where=start.where, most=LARGEST_LIMIT))
    played = [hit for hit in hits if hit.id in last]
    return sorted(played, key=lambda hit: last[hit.id])


def _without(recipe: Recipe, start: Start) -> Recipe:
    """A radio of a track does not begin with it: whoever asks has just heard it."""
    if not start.about.startswith("track:"):
        return recipe
    return msgspec.structs.replace(recipe, excluded=(*recipe.excluded, *start.track_ids))


async def _tail(recipe: Recipe, floor: Floor) -> list[Song]:
    """The last songs before this page."""
    last = list(recipe.before[-APART:])
    known = await look_up(last, floor)
    return [known[track] for track in last if track in known]


def _spaced(ordered: list[Song], chosen: list[Song], artists_before: Sequence[str]) -> list[Song]:
    """The order that flows, unless it brings an artist back sooner than the order they were chosen in."""
    return ordered if _clashes(ordered, artists_before) <= _clashes(chosen, artists_before) else chosen


def _clashes(songs: Sequence[Song], artists_before: Sequence[str]) -> int:
    heard = [*artists_before, *(song.artist_id for song in songs)]
    own = range(len(artists_before), len(heard))
    return sum(heard[place] in heard[max(0, place - APART) : place] for place in own)


def _reason(start: Start, size: int, again: bool) -> str:
    if not size:
        return f"Nothing here goes with {start.name}: no track passes the filters and what you want to hear."
    about = f"Tracks like {start.name}." if start.track_ids else f"Tracks that are {start.name}."
    return f"{about} Everything that fits was played once: it begins again." if again else about


async def _given(made: Made, recipe: Recipe, place: _Place | None, floor: Floor) -> Selection:
    page = 0 if place is None else place.page
    list_id, positions = await served_page(
        floor, recipe, made, continues=None if place is None else place.first, page=page
    )
    first = list_id if place is None else place.first
    cursor = encode_cursor(first, page + 1, positions[STREAM]) if made.tracks else None
    return Selection(list_id=list_id, name=made.name, reason=made.reason, tracks=made.tracks, next_cursor=cursor)


def _place(cursor: str | None) -> _Place | None:
    if cursor is None:
        return None
    first, page, sequence = decode_cursor(cursor, str, int, int)
    if int(page) < 1 or int(sequence) < 1:
        raise Refused("invalid", "The cursor is not one of ours.", "Start again without a cursor.")
    return _Place(ListId(str(first)), int(page), int(sequence))
