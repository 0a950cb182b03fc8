"""A way leads from one song to another, step by step."""

from itertools import pairwise

import pytest

from tests.recommend.lists.library import ask, names, refusal, tells, track
from tests.recommend.saying import track_id
from tonetouch_contracts.finding import FindPath
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_runtime import Floor

pytestmark = pytest.mark.asyncio(loop_scope="package")

ENDS = {"start": track_id("quiet rain"), "end": track_id("loud rain")}


async def test_a_way_has_both_ends_and_nothing_twice(library: Floor) -> None:
    """First the one kind, then the other: it changes sides once."""
    way = await ask(library, FindPath, limit=8, **ENDS)
    walked = names(way)
    assert (walked[0], walked[-1], len(set(walked))) == ("quiet rain", "loud rain", 8)
    sides = [name.startswith("quiet") for name in walked]
    assert sides == sorted(sides, reverse=True)
    assert way.name == "From quiet rain to loud rain"


async def test_it_is_smoother_than_the_same_tracks_by_chance(library: Floor) -> None:
    """The mean step of the way is nearer than that between the same tracks in the order of their ids."""
    way = await ask(library, FindPath, limit=8, **ENDS)
    indexes = library.get(Indexes)
    ids = [one.track_id for one in way.tracks]

    async def mean_step(order: list[str]) -> float:
        points = await indexes.engine.get(indexes.collections.tracks, order)
        steps = [float(a.vector @ b.vector) for a, b in pairwise(points)]
        return sum(steps) / len(steps)

    assert await mean_step(list(ids)) > await mean_step([ids[0], *sorted(ids[1:-1]), ids[-1]]) + 0.05


async def test_what_may_not_be_shown_is_not_on_the_way(library: Floor) -> None:
    """Region, explicit and never again; an end that may not be shown is refused."""
    clean = await ask(library, FindPath, limit=20, explicit_allowed=False, **ENDS)
    assert not [name for name in names(clean) if name.startswith(("rude", "far"))]
    await tells(library, "tired", track("quiet snow"), "never_again")
    assert "quiet snow" not in names(await ask(library, FindPath, "tired", limit=20, **ENDS))
    for changes in ({"explicit_allowed": False, "end": track_id("rude rain")}, {"region": "DE"}):
        code, next_step = await refusal(library, FindPath, **{**ENDS, **changes})
        assert (code, next_step) == ("conflict", "Choose another to begin or end.")


async def test_a_way_through_little_is_short(library: Floor) -> None:
    """It says that there is not more."""
    way = await ask(library, FindPath, limit=40, explicit_allowed=False, **ENDS)
    assert 2 < len(way.tracks) <= 16
    assert "not more tracks" in way.reason


async def test_what_is_no_way_is_refused(library: Floor) -> None:
    """Unknown ends, one end twice, and lengths that are none."""
    assert (await refusal(library, FindPath, **{**ENDS, "end": track_id("nothing")}))[0] == "not_found"
    assert (await refusal(library, FindPath, **{**ENDS, "end": ENDS["start"]}))[0] == "invalid"
    for limit in (2, 51, -1):
        assert (await refusal(library, FindPath, limit=limit, **ENDS))[0] == "invalid", limit
