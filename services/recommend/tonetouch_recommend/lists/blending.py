"""Blending: tracks near what is added and far from what is subtracted. Answers `MixAlchemy`."""

from collections.abc import Sequence
from typing import Final

from tonetouch_contracts.finding import MixAlchemy, Selection
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.serving import Seed, Weighed
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.lists.alchemy import RADIUS, in_turns, is_too_near, radii
from tonetouch_recommend.lists.choosing import best_of, choose, given, kept_from, mixed, nearest, songs_of
from tonetouch_recommend.lists.ordering import in_order
from tonetouch_recommend.lists.recipe import Made, Recipe
from tonetouch_recommend.lists.seeding import Start, start_of
from tonetouch_recommend.lists.serving import makes
from tonetouch_recommend.vectors.collection import LARGEST_LIMIT, Hit, Vector
from tonetouch_runtime import Floor, Refused, Router, page_size

router = Router()

SURFACE: Final = "alchemy"
MOST_SEEDS: Final = 10
_HOW: Final = "Add and subtract track:<id> and artist:<id>."


@router.answers(MixAlchemy)
async def mix_alchemy(command: MixAlchemy, floor: Floor) -> Selection:
    """A list of them. Raises Refused for seeds that are none, too many, or on both sides."""
    page_size(command.limit)
    _check(command)
    await floor.get(Indexes).settled("track")
    seeds = [Seed(about=about) for about in dict.fromkeys(command.add)]
    seeds += [Seed(about=about, weight=-1.0) for about in dict.fromkeys(command.subtract)]
    kept = await kept_from(command.user_id, floor)
    recipe = Recipe(
        surface=SURFACE,
        user_id=command.user_id,
        region=command.region,
        explicit_allowed=command.explicit_allowed,
        limit=min(command.limit, LARGEST_LIMIT),
        seeds=tuple(seeds),
        weights={"radius": RADIUS},
        excluded=tuple(sorted(kept.track_ids)),
        without_artists=tuple(sorted(kept.artist_ids)),
    )
    return given(floor, recipe, await make_alchemy(recipe, floor))


@makes(SURFACE)
async def make_alchemy(recipe: Recipe, floor: Floor) -> Made:
    """Each thing that is added has as many turns as every other."""
    added = [await start_of(seed.about, floor) for seed in recipe.seeds if seed.weight > 0]
    away = [await start_of(seed.about, floor) for seed in recipe.seeds if seed.weight < 0]
    seeds = {track for start in (*added, *away) for track in start.track_ids}
    found = [await _around(start, recipe, floor) for start in added]
    fits, too_near = _parted(found, _vectors(added), _vectors(away))
    hits = [hit for hit in in_turns(fits) if hit.id not in seeds]
    choice = choose(hits, recipe.limit)
    ordered = in_order(await songs_of(choice.hits, floor))
    return Made(
        name=_name(added, away),
        reason=_reason(added, away, len(ordered), len(too_near)),
        tracks=mixed(ordered, choice.hits, [track for start in added for track in start.track_ids[:1]][:3]),
        candidates=[*choice.weighed, *too_near],
    )


async def _around(start: Start, recipe: Recipe, floor: Floor) -> list[Hit]:
    # Far more than are wanted: much of it may lie within a radius.
    return best_of(await nearest(start.vectors, recipe, floor, most=LARGEST_LIMIT, with_vectors=True))


def _parted(
    found: Sequence[Sequence[Hit]], added: Sequence[Vector], away: Sequence[Vector]
) -> tuple[list[list[Hit]], list[Weighed]]:
    """What was found outside the radii, and what lies within one."""
    cosines, near = radii(away, added), dict[str, Hit]()
    for hit in (hit for hits in found for hit in hits):
        assert hit.vector is not None, "it was asked for"
        if is_too_near(hit.vector, away, cosines):
            near[hit.id] = hit
    why = "too near to what is subtracted"
    weighed = [Weighed(track_id=TrackId(hit.id), score=round(hit.score, 6), passed_over=why) for hit in near.values()]
    return [[hit for hit in hits if hit.id not in near] for hits in found], weighed


def _vectors(starts: Sequence[Start]) -> list[Vector]:
    return [vector for start in starts for vector in start.vectors]


def _check(command: MixAlchemy) -> None:
    if not command.add:
        raise Refused("invalid", "Nothing is added, so there is nothing to be near to.", _HOW)
    if len(command.add) + len(command.subtract) > MOST_SEEDS:
        raise Refused("invalid", f"At most {MOST_SEEDS} things can be added and subtracted.", "Choose fewer.")
    if both := set(command.add) & set(command.subtract):
        raise Refused("invalid", f"{min(both)[:100]} is both added and subtracted.", "Leave it out on one side.")
    for about in (*command.add, *command.subtract):
        if about.partition(":")[0] not in ("track", "artist"):
            raise Refused("invalid", f"'{about[:100]}' can be neither added nor subtracted.", _HOW)


def _name(added: Sequence[Start], away: Sequence[Start]) -> str:
    names = " + ".join(start.name for start in added)
    return f"{names} without {_listed(away)}" if away else names


def _reason(added: Sequence[Start], away: Sequence[Start], size: int, too_near: int) -> str:
    if size:
        return f"Near {_listed(added)}{f', away from {_listed(away)}' if away else ''}."
    if too_near:
        return f"Everything near {_listed(added)} is also near {_listed(away)}."
    return f"Nothing that you can be shown lies near {_listed(added)}."


def _listed(starts: Sequence[Start]) -> str:
    return " and ".join(start.name for start in starts)
