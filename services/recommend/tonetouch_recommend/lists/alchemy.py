"""Alchemy: what several tracks and artists have around them, without what lies around others. Pure.

The mean of unlike things is like none of them, so nothing is averaged: an artist is up to three centres, each centre is
asked for by itself, and what is found is taken in turn. What is subtracted is not subtracted from a vector either: it
has a hard radius, and nothing within it comes through.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonetouch_recommend.vectors.collection import Hit, Vector

MOST_CENTRES: Final = 3
SPREAD: Final = 0.8
"""Cosine from which on a track belongs to a centre that is there already."""
RADIUS: Final = 0.7
"""How far around a centre is subtracted: this share of the angle to the nearest centre that is added."""
_ROUNDS: Final = 3


def centres(vectors: Sequence[Vector]) -> list[Vector]:
    """Up to three unit vectors that stand for all of these; float32, the largest group's first.

    Spherical k-means from the vectors that lie furthest apart; as many centres as are needed to have every vector
    within a cosine of 0.8, three at the most. In whatever order the vectors come, nearly the same centres.
    """
    if not len(vectors):
        return []
    places: NDArray[np.float64] = np.array(vectors, dtype=np.float64)
    found = _unit(places.mean(axis=0))[None]
    while len(found) < MOST_CENTRES:
        nearest = (places @ found.T).max(axis=1)
        if nearest.min() >= SPREAD:
            break
        seeds = found if len(found) > 1 else places[[np.argmin(nearest)]]
        furthest = places[np.argmin((places @ seeds.T).max(axis=1))]
        found = _settled(places, np.vstack([seeds, furthest]))
    groups = np.bincount(np.argmax(places @ found.T, axis=1), minlength=len(found))
    return [np.asarray(found[place], dtype=np.float32) for place in np.argsort(-groups, kind="stable")]


def radii(subtracted: Sequence[Vector], added: Sequence[Vector]) -> list[float]:
    """For each centre that is subtracted the cosine from which on a track lies too near to it.

    The radius is a share of the angle to what is added, not a number: how far apart tracks lie differs from one
    embedding model to another.
    """
    found = []
    for centre in subtracted:
        nearest = max(float(np.clip(centre @ one, -1.0, 1.0)) for one in added)
        found.append(float(np.cos(RADIUS * np.arccos(nearest))))
    return found


def is_too_near(vector: Vector, subtracted: Sequence[Vector], cosines: Sequence[float]) -> bool:
    """Whether a track lies within the radius of something that is subtracted."""
    return any(float(vector @ centre) >= cosine for centre, cosine in zip(subtracted, cosines, strict=True))


def in_turns(found: Sequence[Sequence[Hit]]) -> list[Hit]:
    """The first of each, then the second of each, and so on; what was taken is not taken again."""
    taken: dict[str, Hit] = {}
    for place in range(max(map(len, found), default=0)):
        for hits in found:
            if place < len(hits):
                taken.setdefault(hits[place].id, hits[place])
    return list(taken.values())


def _settled(places: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    for _ in range(_ROUNDS):
        nearest = np.argmax(places @ found.T, axis=1)
        found = np.array([_unit(places[nearest == one].sum(axis=0)) for one in np.unique(nearest)])
    return found


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length else vector)
