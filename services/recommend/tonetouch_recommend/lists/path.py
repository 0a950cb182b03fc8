"""A path: a smooth way between two songs. Pure.

A point moves from the one to the other along the great circle. At each step there are some tracks near the point, and
of all ways through these that use no track twice the one is taken that stays nearest to the point while each track lies
near the one before: a beam search, which keeps the best few ways at each step.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tonetouch_recommend.vectors.collection import Vector

WIDTH: Final = 8
"""How many ways are kept at each step."""
SMOOTH: Final = 1.0
"""How much nearness to the track before counts beside nearness to the moving point."""
SAME_ARTIST: Final = 0.2


class Stop(msgspec.Struct, frozen=True, eq=False):
    """A track that a way may pass through."""

    track_id: str
    vector: Vector
    artist_id: str


class _Way(msgspec.Struct, frozen=True, eq=False):
    cost: float
    stops: tuple[Stop, ...]

    @property
    def order(self) -> tuple[float, tuple[str, ...]]:
        return round(self.cost, 9), tuple(stop.track_id for stop in self.stops)


def points_between(start: Vector, end: Vector, steps: int) -> list[Vector]:
    """`steps` unit vectors at equal angles between two unit vectors, without these; float32.

    Of two that point away from each other every way is as short: then it leads past some third direction.
    """
    one, other = start.astype(np.float64), end.astype(np.float64)
    angle = float(np.arccos(np.clip(one @ other, -1.0, 1.0)))
    if angle < 1e-6:
        return [start] * steps
    across = other - one * float(one @ other)
    if float(np.linalg.norm(across)) < 1e-6:
        across = np.roll(one, 1) - one * float(one @ np.roll(one, 1))
    across /= np.linalg.norm(across)
    angles = [angle * step / (steps + 1) for step in range(1, steps + 1)]
    return [np.asarray(np.cos(turn) * one + np.sin(turn) * across, dtype=np.float32) for turn in angles]


def way(start: Stop, end: Stop, points: Sequence[Vector], near: Sequence[Sequence[Stop]]) -> list[Stop]:
    """The best way found from start to end, with both; `near` are the tracks near each of the points.

    A step at which every track is used already is left out, so the way may be shorter than there are points.
    """
    ways = [_Way(0.0, (start,))]
    for point, stops in zip(points, near, strict=True):
        further = _step(ways, point, [stop for stop in stops if stop.track_id not in (start.track_id, end.track_id)])
        ways = sorted(further, key=lambda one: one.order)[:WIDTH] or ways
    last = [_Way(one.cost + _apart(one.stops[-1].vector, end.vector), (*one.stops, end)) for one in ways]
    return list(min(last, key=lambda one: one.order).stops)


def smoothness(vectors: Sequence[Vector]) -> float:
    """The smallest cosine between two neighbours: a way is as smooth as its worst step."""
    return min(float(one @ other) for one, other in pairwise(vectors))


def _step(ways: Sequence[_Way], point: Vector, stops: Sequence[Stop]) -> list[_Way]:
    if not stops:
        return []
    places: NDArray[np.float32] = np.array([stop.vector for stop in stops], dtype=np.float32)
    off = 1.0 - places @ point
    further = []
    for one in ways:
        used, jumps = {stop.track_id for stop in one.stops}, 1.0 - places @ one.stops[-1].vector
        for stop, distance, jump in zip(stops, off, jumps, strict=True):
            if stop.track_id not in used:
                again = SAME_ARTIST if stop.artist_id == one.stops[-1].artist_id else 0.0
                cost = one.cost + float(distance) + SMOOTH * float(jump) + again
                further.append(_Way(cost, (*one.stops, stop)))
    return further


def _apart(one: Vector, other: Vector) -> float:
    return 1.0 - float(one @ other)
