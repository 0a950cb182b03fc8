"""Walking: a smooth way from one song to another. Answers `FindPath`."""

from collections.abc import Sequence
from typing import Final

from tonetouch_contracts.finding import FindPath, Selection
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.serving import Seed, Weighed
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.lists.choosing import given, kept_from, look_up, mixed, nearest
from tonetouch_recommend.lists.ordering import Song
from tonetouch_recommend.lists.path import SMOOTH, Stop, points_between, way
from tonetouch_recommend.lists.recipe import Made, Recipe
from tonetouch_recommend.lists.seeding import Start, start_of_track
from tonetouch_recommend.lists.serving import makes
from tonetouch_recommend.vectors.collection import Hit
from tonetouch_recommend.vectors.memory import passes
from tonetouch_runtime import Floor, Refused, Router

router = Router()

SURFACE: Final = "path"
FEWEST, MOST = 3, 50
NEAR: Final = 12
"""Tracks near each point of the way that it may pass through."""


@router.answers(FindPath)
async def find_path(command: FindPath, floor: Floor) -> Selection:
    """The way, with both ends. Raises Refused where an end is unknown or cannot be shown, or both are one."""
    if not FEWEST <= command.limit <= MOST:
        raise Refused("invalid", f"A way has {FEWEST} to {MOST} tracks with both ends, not {command.limit}.")
    if command.start == command.end:
        raise Refused("invalid", "The way leads back to where it begins.", "Choose two tracks.")
    await floor.get(Indexes).settled("track")
    kept = await kept_from(command.user_id, floor)
    recipe = Recipe(
        surface=SURFACE,
        user_id=command.user_id,
        region=command.region,
        explicit_allowed=command.explicit_allowed,
        limit=command.limit,
        seeds=(Seed(about=f"track:{command.start}"), Seed(about=f"track:{command.end}")),
        weights={"smooth": SMOOTH, "near": NEAR},
        excluded=tuple(sorted(kept.track_ids)),
        without_artists=tuple(sorted(kept.artist_ids)),
    )
    await _check_shown([command.start, command.end], recipe, floor)
    return given(floor, recipe, await make_path(recipe, floor))


@makes(SURFACE)
async def make_path(recipe: Recipe, floor: Floor) -> Made:
    """From the first seed to the second."""
    start, end = [await start_of_track(seed.about.partition(":")[2], floor) for seed in recipe.seeds]
    points = points_between(start.vectors[0], end.vectors[0], recipe.limit - 2)
    found = await nearest(points, recipe, floor, most=NEAR, with_vectors=True)
    ends = await _ends(start, end, floor)
    stops = way(*ends, points, [[_stop(hit) for hit in hits] for hits in found])
    songs = [Song(track_id=stop.track_id, artist_id=stop.artist_id) for stop in stops]
    scores = {hit.id: hit for hits in reversed(found) for hit in hits}
    taken = {stop.track_id for stop in stops}
    candidates = [_weighed(hit, taken) for hit in sorted(scores.values(), key=lambda hit: (-hit.score, hit.id))]
    name = f"From {start.name} to {end.name}"
    reason = _reason(start.name, end.name, len(stops), recipe.limit)
    return Made(name=name, reason=reason, tracks=mixed(songs, scores.values()), candidates=candidates)


async def _ends(start: Start, end: Start, floor: Floor) -> tuple[Stop, Stop]:
    known = await look_up([start.track_ids[0], end.track_ids[0]], floor)
    one, other = (
        Stop(each.track_ids[0], each.vectors[0], known[each.track_ids[0]].artist_id if known else "")
        for each in (start, end)
    )
    return one, other


async def _check_shown(track_ids: Sequence[str], recipe: Recipe, floor: Floor) -> None:
    """Both ends are part of the way, so they have to pass what everything passes."""
    indexes = floor.get(Indexes)
    tracks = indexes.collections.tracks
    for point in await indexes.engine.get(tracks, track_ids):
        if point.id in recipe.out or not passes(point.payload, tracks.conditions(recipe.where)):
            raise Refused(
                "conflict", f"The track {point.id} is not one that you are shown.", "Choose another to begin or end."
            )


def _stop(hit: Hit) -> Stop:
    assert hit.vector is not None, "it was asked for"
    return Stop(hit.id, hit.vector, str(hit.payload.get("artist") or hit.id))


def _weighed(hit: Hit, taken: set[str]) -> Weighed:
    passed_over = None if hit.id in taken else "another way is smoother"
    return Weighed(track_id=TrackId(hit.id), score=round(hit.score, 6), passed_over=passed_over)


def _reason(start: str, end: str, size: int, limit: int) -> str:
    if size == 2:
        return f"There is nothing between {start} and {end} that you can be shown."
    steps = f"Each step leads on from {start} towards {end}."
    return steps if size == limit else f"{steps} There are not more tracks between them."
