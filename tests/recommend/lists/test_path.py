"""A way between two songs is smooth."""

from itertools import pairwise

import numpy as np

from tonetouch_recommend.lists.path import Stop, points_between, smoothness, way
from tonetouch_recommend.vectors.collection import Vector


def units(size: int, dimension: int = 16, seed: int = 1) -> list[Vector]:
    drawn = np.random.default_rng(seed).standard_normal((size, dimension)).astype(np.float32)
    return list(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


LIBRARY = [Stop(f"{number:04d}", vector, f"artist {number % 300}") for number, vector in enumerate(units(3000, 8))]
START, END = LIBRARY[0], LIBRARY[1]


def near(points: list[Vector], size: int = 12) -> list[list[Stop]]:
    """The tracks of the library nearest to each point, nearest first."""
    places = np.array([stop.vector for stop in LIBRARY])
    return [[LIBRARY[row] for row in np.argsort(-(places @ point))[:size]] for point in points]


def walked(steps: int) -> list[Stop]:
    points = points_between(START.vector, END.vector, steps)
    return way(START, END, points, near(points))


def test_points_lie_at_equal_angles_on_the_great_circle() -> None:
    """All at length one; each step turns as far as every other."""
    one, other = units(2)
    points = [one, *points_between(one, other, 4), other]
    assert np.allclose([np.linalg.norm(point) for point in points], 1.0, atol=1e-5)
    cosines = [float(a @ b) for a, b in pairwise(points)]
    assert np.allclose(cosines, cosines[0], atol=1e-4)


def test_ends_that_are_one_or_opposite_have_points_too() -> None:
    """Nothing is divided by zero: the same point, or a half circle."""
    [one] = units(1)
    assert all(np.allclose(point, one) for point in points_between(one, one, 3))
    half = points_between(one, -one, 1)[0]
    assert abs(float(half @ one)) < 1e-4


def test_a_way_is_smooth() -> None:
    """Its worst step is far smaller than the one jump, and smaller than in a way through the nearest to each point."""
    found = walked(8)
    assert found[0] is START and found[-1] is END and len(found) == 10
    one_jump = float(START.vector @ END.vector)
    assert smoothness([stop.vector for stop in found]) > one_jump + 0.5
    nearest = [START, *(stops[0] for stops in near(points_between(START.vector, END.vector, 8))), END]
    assert smoothness([stop.vector for stop in found]) >= smoothness([stop.vector for stop in nearest])
    middle = float(np.mean([float(a.vector @ b.vector) for a, b in pairwise(found)]))
    assert middle > 0.75


def test_it_moves_towards_the_end() -> None:
    """The further along, the nearer to the end: never back by more than a little."""
    nearness = [float(stop.vector @ END.vector) for stop in walked(8)]
    assert all(later > earlier - 0.1 for earlier, later in pairwise(nearness))


def test_nothing_comes_twice() -> None:
    """With more points than there are tracks near them, the way is shorter instead."""
    points = points_between(START.vector, END.vector, 20)
    few = near(points, 1)
    found = way(START, END, points, [[LIBRARY[2 + number // 5]] for number in range(20)])
    assert [stop.track_id for stop in found] == ["0000", "0002", "0003", "0004", "0005", "0001"]
    assert len({stop.track_id for stop in way(START, END, points, few)}) == len(way(START, END, points, few))
    assert way(START, END, points, [[] for _ in points]) == [START, END]


def test_it_is_always_the_same() -> None:
    """The same library gives the same way."""
    assert [stop.track_id for stop in walked(6)] == [stop.track_id for stop in walked(6)]
