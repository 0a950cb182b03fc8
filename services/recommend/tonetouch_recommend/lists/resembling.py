"""Resembling: published tracks that are like a given one. Answers `FindSimilar`.

Like means: described by similar facts (tempo, moods, key, energy, genre, names). How it sounds is not in there yet.
"""

from collections.abc import Sequence
from typing import Final

from tonetouch_contracts.finding import FindSimilar, Found, MixTrack
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Page
from tonetouch_contracts.serving import Seed, Weighed
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.lists.choosing import FURTHER_OFF, kept_from
from tonetouch_recommend.lists.recipe import Made, Recipe
from tonetouch_recommend.lists.serving import makes, served
from tonetouch_recommend.search.fusing import Ranked
from tonetouch_recommend.search.searching import depth, page_of
from tonetouch_recommend.taste.signalling import KeptOut
from tonetouch_recommend.vectors.collection import Hit
from tonetouch_runtime import Floor, Refused, Router, decode_cursor

router = Router()

SURFACE: Final = "similar"


@router.answers(FindSimilar)
async def find_similar(command: FindSimilar, floor: Floor) -> Page[Found]:
    """The nearest first, without the track itself. Raises Refused where it is unknown or not published."""
    deep = depth(command.limit, command.cursor)
    await floor.get(Indexes).settled("track")
    kept = await kept_from(command.user_id, floor) if command.user_id else KeptOut()
    recipe = Recipe(
        surface=SURFACE,
        user_id=command.user_id or "",
        region=command.region,
        explicit_allowed=command.explicit_allowed,
        limit=command.limit,
        seeds=(Seed(about=f"track:{command.track_id}"),),
        weights={"depth": deep, "start": int(decode_cursor(command.cursor, int)[0]) if command.cursor else 0},
        excluded=tuple(sorted(kept.track_ids)),
        without_artists=tuple(sorted(kept.artist_ids)),
    )
    hits = await _like(command.track_id, recipe, floor)
    shown = page_of([Ranked(hit.id, hit.score, "description") for hit in hits], command.limit, command.cursor)
    if command.user_id:
        served(floor, recipe, _page(hits, recipe))
    return shown.found()


@makes(SURFACE)
async def make_similar(recipe: Recipe, floor: Floor) -> Made:
    """A page of them."""
    return _page(await _like(recipe.seeds[0].about.partition(":")[2], recipe, floor), recipe)


async def _like(track_id: str, recipe: Recipe, floor: Floor) -> list[Hit]:
    indexes = floor.get(Indexes)
    tracks = indexes.collections.tracks
    points = await indexes.engine.get(tracks, [track_id])
    if not points:
        raise Refused("not_found", f"There is no published track {track_id}.", "Look for one at /api/v1/search.")
    return await indexes.engine.query(
        tracks,
        points[0].vector,
        limit=int(recipe.weights["depth"]),
        where=recipe.where,
        exclude=[track_id, *recipe.out],
        with_payload=False,
    )


def _page(hits: Sequence[Hit], recipe: Recipe) -> Made:
    start = int(recipe.weights["start"])
    end = start + recipe.limit
    on_page = hits[start:end]
    return Made(
        name="Similar tracks",
        reason="Described alike." if on_page else "No other track that you can be shown is described.",
        tracks=tuple(MixTrack(track_id=TrackId(hit.id), score=hit.score, because=()) for hit in on_page),
        candidates=[
            Weighed(track_id=TrackId(hit.id), score=round(hit.score, 6), passed_over=_why(place, start, end))
            for place, hit in enumerate(hits)
        ],
    )


def _why(place: int, start: int, end: int) -> str | None:
    if place < start:
        return "on an earlier page"
    return None if place < end else FURTHER_OFF
