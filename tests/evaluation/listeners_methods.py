"""Ways to choose twenty tracks for a listener: some that are there to be beaten, and ours, the code of the product."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np

from tests.evaluation.listeners_world import Catalogue, World
from tonetouch_recommend.lists.mixing import Near, filled, in_turn, shortlisted
from tonetouch_recommend.lists.recommending import DEPTH, DEPTH_ALONE
from tonetouch_recommend.taste.interests import tastes
from tonetouch_recommend.taste.running import Play, Signal, latest, taste, weight
from tonetouch_recommend.taste.signalling import MOST_RESTING, RESTING
from tonetouch_recommend.vectors.collection import Vector
from tonetouch_runtime import moment, stamp

SIZE: Final = 20
POPULAR_DAYS: Final = 14.0

Method = Callable[["Asked"], list[str]]


class Crowd:
    """The catalogue, and what everybody had played up to the cut."""

    def __init__(self, world: World) -> None:
        self.catalogue: Catalogue = world.catalogue
        self.now: datetime = world.now
        plays = [one for listener in world.listeners for one in listener.signals if isinstance(one, Play)]
        self.plays = Counter(play.track_id for play in plays)
        recent = defaultdict[str, float](float)
        for play in plays:
            days = (world.now - moment(play.at)).total_seconds() / 86_400
            recent[play.track_id] += 0.5 ** (days / POPULAR_DAYS) if weight(play) > 0 else 0.0
        self.popular = [track for track, _ in sorted(recent.items(), key=lambda item: (-item[1], item[0]))]

    def nearest(self, vector: Vector, most: int, out: frozenset[str]) -> list[Near]:
        """The nearest tracks without these, compared with every one."""
        cosines = self.catalogue.vectors @ vector
        first = np.argpartition(-cosines, min(most + len(out), len(cosines) - 1))[: most + len(out) + 1]
        found = [f"{row}" for row in sorted(first.tolist(), key=lambda row: (-cosines[row], row))]
        near = [Near(track, float(cosines[int(track)]), self.artist(track)) for track in found if track not in out]
        return near[:most]

    def artist(self, track: str) -> str:
        """Whose track it is."""
        return f"{self.catalogue.artists[int(track)]}"

    def vector(self, track: str) -> Vector:
        """Where a track lies."""
        return np.asarray(self.catalogue.vectors[int(track)])


class Asked:
    """A listener's signals, as much of them as a method may know."""

    def __init__(self, name: str, signals: Sequence[Signal], crowd: Crowd) -> None:
        self.name = name
        self.signals = latest(signals)
        self.crowd = crowd
        self.vectors: Mapping[str, Vector] = {one.track_id: crowd.vector(one.track_id) for one in self.signals}
        since = stamp(crowd.now - RESTING)
        lately = [one.track_id for one in self.signals if isinstance(one, Play) and one.at >= since][:MOST_RESTING]
        disliked = (one.track_id for one in self.signals if not isinstance(one, Play) and one.said == "dislike")
        self.out = frozenset((*lately, *disliked))


def popular(asked: Asked) -> list[str]:
    """What everybody plays most, half as much every 14 days."""
    return asked.crowd.popular[:SIZE]


def by_chance(asked: Asked) -> list[str]:
    """Any tracks."""
    seed = int.from_bytes(asked.name.encode(), "little")
    drawn = np.random.default_rng(seed).choice(asked.crowd.catalogue.size, SIZE, replace=False)
    return [f"{track}" for track in drawn.tolist()]


def like_the_last(asked: Asked) -> list[str]:
    """Around the track that was liked last."""
    last = next((one.track_id for one in asked.signals if weight(one) > 0), None)
    return popular(asked) if last is None else _around(asked.crowd.vector(last), asked)


def running_mean(asked: Asked) -> list[str]:
    """Around the one running vector."""
    middle = taste(asked.signals, asked.vectors)
    return popular(asked) if middle is None else _around(middle, asked)


def ours(asked: Asked) -> list[str]:
    """The blended mix of the product: around each interest, in turns. Without any what everybody plays."""
    crowd, made = asked.crowd, tastes(asked.signals, asked.vectors)
    if not made.interests:
        return popular(asked)
    depth = SIZE * (DEPTH if len(made.interests) > 1 else DEPTH_ALONE)
    found = [crowd.nearest(one.vector, depth, asked.out) for one in made.interests]
    shortlist = shortlisted(found, [one.weight for one in made.interests], SIZE, asked.name)
    vectors = {track: crowd.vector(track) for track in shortlist.track_ids}
    return [one.track_id for one in filled(shortlist, vectors, made, SIZE)]


METHODS: Final[Mapping[str, Method]] = {
    "popular": popular,
    "by chance": by_chance,
    "last track": like_the_last,
    "running mean": running_mean,
    "ours": ours,
}


def _around(vector: Vector, asked: Asked) -> list[str]:
    near = asked.crowd.nearest(vector, 3 * SIZE, asked.out)
    return [one.track_id for one in in_turn(near, SIZE)]
