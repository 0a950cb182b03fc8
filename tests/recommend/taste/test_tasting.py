"""What the taste index holds of a listener is what their signals say, and is read back as it was written."""

import numpy as np
import pytest

from tests.recommend.indexes.test_indexing import caught_up
from tests.recommend.saying import on_shelf, played, said, say, track_id
from tonetouch_recommend.indexes.index import Collections
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.taste.interests import MOST_INTERESTS, Interest, Repel, Tastes
from tonetouch_recommend.taste.tasting import points_of, read_points, taste_of, taste_points
from tonetouch_recommend.vectors.collection import Vector
from tonetouch_recommend.vectors.memory import MemoryEngine
from tonetouch_runtime import Floor

ANN = "0192f0c4-7a1e-7c53-9c0d-5f2d9b6a4e10"


def axis(number: int) -> Vector:
    return np.asarray(np.eye(1024)[number], dtype=np.float32)


def interest(number: int) -> Interest:
    tracks = tuple(f"t{number}{place}" for place in range(3))
    return Interest(vector=axis(number), weight=1 / (number + 2), tracks=tracks, at=f"2026-01-0{number + 1}T00:00:00Z")


@pytest.mark.parametrize("number", [1, 3, MOST_INTERESTS])
async def test_tastes_come_back_as_they_were_written(number: int) -> None:
    """Interests in their order, with weight, medoid and time; what repels beside them."""
    taste, engine = Collections.of("model").taste, MemoryEngine()
    await engine.open(taste)
    repel = Repel(vector=axis(100), weight=0.25, at="2026-02-01T00:00:00Z")
    made = Tastes(running=axis(99), interests=tuple(interest(place) for place in range(number)), repel=repel)
    points = taste_points(ANN, made, 12)
    assert {point.id for point in points} <= set(points_of(ANN))
    await engine.upsert(taste, list(reversed(points)))
    back = await taste_of(ANN, taste, engine)
    assert [(one.medoid, one.weight, one.tracks, one.at) for one in back.interests] == [
        (one.medoid, one.weight, one.tracks, one.at) for one in made.interests
    ]
    assert all(np.array_equal(one.vector, own.vector) for one, own in zip(back.interests, made.interests, strict=True))
    assert back.running is not None
    assert np.array_equal(back.running, axis(99))
    assert back.repel is not None
    assert (back.repel.weight, back.repel.at) == (0.25, "2026-02-01T00:00:00Z")


def test_nothing_is_no_taste() -> None:
    """Who said nothing has no points, and no points are no taste."""
    assert taste_points(ANN, Tastes(), 0) == []
    nothing = read_points([])
    assert (nothing.running, nothing.interests, nothing.repel) == (None, (), None)


async def test_an_interest_that_is_gone_leaves_no_point(floor: Floor) -> None:
    """And what was said of a track counts as soon as its vector is there."""
    indexes = floor.get(Indexes)

    async def of_ann() -> Tastes:
        return await taste_of("ann", indexes.collections.taste, indexes.engine)

    await caught_up(floor, await say(floor.log, played("ann", "calm", 0), said("ann", "track:loud", "like", 1)))
    assert (await of_ann()).interests == ()
    shelf = [*on_shelf("calm", "slow, 60 bpm; sad, calm; Solo Piano"), *on_shelf("loud", "fast, 180 bpm; angry; Metal")]
    await caught_up(floor, await say(floor.log, *shelf))
    assert {one.medoid for one in (await of_ann()).interests} == {track_id("calm"), track_id("loud")}
    await caught_up(floor, await say(floor.log, said("ann", "track:loud", "unlike", 2)))
    assert [one.medoid for one in (await of_ann()).interests] == [track_id("calm")]
    await caught_up(floor, await say(floor.log, said("ann", "track:loud", "dislike", 3)))
    disliked = await of_ann()
    assert [one.medoid for one in disliked.interests] == [track_id("calm")]
    assert disliked.repel is not None
