"""Tasting: what the taste index holds of a listener, made from their signals, and read back from it.

The cost of a change is bounded by the newest 500 signals, however many there were: nothing is kept between two changes,
so signals may come late and in any order, and what is made again is the same to the byte.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from tonetouch_recommend.indexes.index import Collections, is_id
from tonetouch_recommend.indexes.pointing import Change, vectors_by
from tonetouch_recommend.taste.interests import MOST_INTERESTS, Interest, Repel, Tastes, tastes
from tonetouch_recommend.taste.signalling import signals_by
from tonetouch_recommend.vectors.collection import Collection, Point, UnfitPointError
from tonetouch_recommend.vectors.engine import VectorEngine
from tonetouch_runtime import Floor

REPEL: Final = "repel"


def points_of(user_id: str) -> list[str]:
    """The ids of all points a listener may have: the running vector, the interests, and what repels."""
    return [user_id, *(f"{user_id}:{number + 1}" for number in range(MOST_INTERESTS)), f"{user_id}:{REPEL}"]


async def pointing_users(ids: Sequence[str], collections: Collections, floor: Floor) -> list[Change]:
    """The listeners' tastes."""
    points, refused = list[Point](), dict[str, str]()
    for user_id in ids:
        made, signals = await floor.read.read(functools.partial(_made, user_id, collections.tracks, floor))
        try:
            points.extend([collections.taste.admit(point) for point in taste_points(user_id, made, signals)])
        except UnfitPointError as error:
            refused[user_id] = str(error)
    possible = [point_id for user_id in ids for point_id in points_of(user_id)]
    return [Change(collections.taste, possible, points, refused)]


def _made(
    user_id: str, tracks: Collection, floor: Floor, connection: Connection, until: str | None = None
) -> tuple[Tastes, int]:
    signals = signals_by(user_id, floor, connection, until)
    vectors = vectors_by({signal.track_id for signal in signals}, tracks, floor, connection)
    return tastes(signals, vectors), len(signals)


def taste_points(user_id: str, made: Tastes, signals: int) -> list[Point]:
    """A listener's tastes as points; `taste_of` reads them back."""
    said: dict[str, Any] = {"user": user_id, "signals": signals}
    found = [] if made.running is None else [Point(user_id, made.running, said)]
    for number, one in enumerate(made.interests, start=1):
        payload = said | {"weight": one.weight, "medoid": one.medoid, "tracks": list(one.tracks), "at": one.at}
        found.append(Point(f"{user_id}:{number}", one.vector, payload))
    if made.repel is not None:
        payload = said | {"weight": made.repel.weight, "at": made.repel.at}
        found.append(Point(f"{user_id}:{REPEL}", made.repel.vector, payload))
    return found


async def taste_of(user_id: str, taste: Collection, engine: VectorEngine) -> Tastes:
    """A listener's tastes, as the index has them."""
    return read_points(await engine.get(taste, points_of(user_id))) if is_id(user_id) else Tastes()


async def taste_until(user_id: str, moment: str, collections: Collections, floor: Floor) -> Tastes:
    """A listener's tastes of what they had heard and said by a moment (RFC 3339, UTC), on the vectors of now."""
    if not is_id(user_id):
        return Tastes()
    work = functools.partial(_made, user_id, collections.tracks, floor, until=moment)
    made, signals = await floor.read.read(work)
    return read_points([collections.taste.admit(point) for point in taste_points(user_id, made, signals)])


def read_points(points: Iterable[Point]) -> Tastes:
    """The points of one listener as tastes: the interests by their numbers."""
    by_end = {point.id.rpartition(":")[2] if "weight" in point.payload else "": point for point in points}
    interests = [by_end[f"{number}"] for number in range(1, MOST_INTERESTS + 1) if f"{number}" in by_end]
    running, repel = by_end.get(""), by_end.get(REPEL)
    return Tastes(
        running=None if running is None else running.vector,
        interests=tuple(_interest(point) for point in interests),
        repel=None if repel is None else Repel(vector=repel.vector, weight=_number(repel), at=str(repel.payload["at"])),
    )


def _interest(point: Point) -> Interest:
    tracks = point.payload["tracks"]
    assert isinstance(tracks, list), "it was written so"
    return Interest(vector=point.vector, weight=_number(point), tracks=tuple(tracks), at=str(point.payload["at"]))


def _number(point: Point) -> float:
    weight = point.payload["weight"]
    assert isinstance(weight, float | int), "it was written so"
    return float(weight)
