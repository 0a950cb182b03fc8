"""Interests: a listener's taste as several vectors that are kept apart, and one of what they turn from. Pure.

The mean of two tastes is nobody's taste, so beside the running vector there are up to eight others. In the order in
which the tracks were liked, each joins the interest it lies nearest to, or begins one; what grows together is merged.
PinnerSage (arXiv 2007.03634) tells the same of pictures: several medoids serve a person better than one mean.

Two clocks: the profile's (45 days) says what an interest weighs in the long run, the session's (2 days) what is wanted
now. An interest that is under 5 % of the profile is none; nor is one that has not been touched in so many sittings that
it would have been, were it still one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tonetouch_recommend.taste import SESSION_DAYS, Signal, faded, latest, leaning, weight, weights
from tonetouch_recommend.vectors.collection import Vector
from tonetouch_runtime import moment

MOST_INTERESTS: Final = 8
JOINS: Final = 0.55
"""At least so near are two tracks of one interest (cosine); see `_joins`."""
MERGES: Final = 0.85
LEAST_SHARE: Final = 0.05
NOW: Final = 0.4
"""How much of a weight the session has, where the profile has the rest."""
STANDING: Final = 5
"""How many tracks stand for an interest."""
SITTING: Final = timedelta(minutes=30)
"""A longer pause ends a sitting."""
LEFT: Final = 0.02
"""An interest is left when, were it alive, the chance of not being touched for as long would be below this."""
_ROUNDS: Final = 2
_LOOKED_AT: Final = 100
_NEIGHBOUR: Final = 2
_LEAST_REPEL: Final = 0.05
_HALF_REPELLED: Final = 1.2  # two skips

Matrix = NDArray[np.float64]


class Interest(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One of several tastes. `weight` is its share of all of them, `at` when it was last touched.

    `tracks` stand for it, five at most: first the medoid, which lies nearest to its middle, then those that were liked
    most.
    """

    vector: Vector
    weight: float
    tracks: tuple[str, ...]
    at: str

    @property
    def medoid(self) -> str:
        """The track that is most like all of it."""
        return self.tracks[0]


class Repel(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the listener turned from lately: `weight` is 0 to 1, at the moment `at`, and halves every two days."""

    vector: Vector
    weight: float
    at: str


class Tastes(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Everything a listener's signals say: the running vector, the interests (strongest first), and what repels."""

    running: Vector | None = None
    interests: tuple[Interest, ...] = ()
    repel: Repel | None = None


def tastes(signals: Iterable[Signal], vectors: Mapping[str, Vector]) -> Tastes:
    """What the newest 500 signals say, the same bytes in whatever order they come.

    `vectors` holds unit vectors of the tracks, all of one shape; tracks without one do not count.
    """
    newest_first = [signal for signal in latest(signals) if signal.track_id in vectors]
    if not newest_first:
        return Tastes()
    return Tastes(
        running=leaning(weights(newest_first), vectors),
        interests=_interests(newest_first, vectors),
        repel=_repel(newest_first, vectors),
    )


def _repel(newest_first: Sequence[Signal], vectors: Mapping[str, Vector]) -> Repel | None:
    """Skips out of a mood count in full here: moods are what it is for."""
    total, strength = np.zeros(len(vectors[newest_first[0].track_id])), 0.0
    for signal, decay, _ in faded(newest_first, SESSION_DAYS):
        against = -weight(signal) * decay
        if against > 0:
            total += against * vectors[signal.track_id].astype(np.float64)
            strength += against
    length = float(np.linalg.norm(total))
    if strength < _LEAST_REPEL or length == 0.0:
        return None
    unit = np.asarray(total / length, dtype=np.float32)
    return Repel(vector=unit, weight=1 - 0.5 ** (strength / _HALF_REPELLED), at=newest_first[0].at)


def _interests(newest_first: Sequence[Signal], vectors: Mapping[str, Vector]) -> tuple[Interest, ...]:
    profile = {track: says for track, says in weights(newest_first).items() if says > 0}
    session = {track: max(0.0, says) for track, says in weights(newest_first, half_life_days=SESSION_DAYS).items()}
    touched = _touched(newest_first, profile)
    order = sorted(touched, key=lambda track: (touched[track], track))
    if not order:
        return ()
    places = np.array([vectors[track] for track in order], dtype=np.float64)
    long, now = (np.array([by[track] for track in order]) for by in (profile, session))
    groups = _alive(_grouped(places, long), long, [touched[track] for track in order], _sittings(newest_first))
    found = [_interest(group, order, places, (long, now), groups, touched) for group in groups]
    return tuple(sorted(found, key=lambda one: (-one.weight, one.medoid)))


def _touched(newest_first: Sequence[Signal], liked: Mapping[str, float]) -> dict[str, str]:
    """When each liked track was last liked."""
    touched: dict[str, str] = {}
    for signal in newest_first:
        if signal.track_id in liked and weight(signal) > 0:
            touched.setdefault(signal.track_id, signal.at)
    return touched


def _sittings(newest_first: Sequence[Signal]) -> list[str]:
    """When each sitting began in which something was liked, newest first."""
    liked = [signal.at for signal in newest_first if weight(signal) > 0]
    begins = [late for late, early in pairwise(liked) if moment(late) - moment(early) > SITTING]
    return [*begins, *liked[-1:]]


def _grouped(places: Matrix, weights: Matrix) -> list[NDArray[np.intp]]:
    """The rows of each group, by one pass in the order given and two that put every row to its nearest group."""
    sums = _gathered(places, weights)
    nearest = np.zeros(len(places), dtype=np.intp)
    for _ in range(_ROUNDS):
        nearest = np.argmax(places @ _units(sums).T, axis=1)
        sums = np.array([_sum(places, weights, rows) for rows in _rows(nearest)])
        sums = _merged(sums, MERGES)
    nearest = np.argmax(places @ _units(sums).T, axis=1)
    return _rows(nearest)


def _gathered(places: Matrix, weights: Matrix) -> Matrix:
    """One pass: join the nearest group or begin one; of nine the two nearest become one."""
    joins, sums, units = _joins(places), places[:0], places[:0]
    for place, share in zip(places, weights, strict=True):
        cosines = units @ place
        nearest = int(np.argmax(cosines)) if len(cosines) else 0
        if len(cosines) and cosines[nearest] >= joins:
            sums[nearest] += share * place
            units[nearest] = sums[nearest] / np.linalg.norm(sums[nearest])
            continue
        sums = np.vstack([sums, share * place])
        if len(sums) > MOST_INTERESTS:
            sums = _joined(sums, *_nearest_two(sums)[1:])
        units = _units(sums)
    return _merged(sums, MERGES)


def _joins(places: Matrix) -> float:
    """The cosine from which on two tracks are of one interest.

    Some models put all texts near each other. So it lies half way between how near this listener's tracks are to each
    other at large and how near each is to its second neighbour; looked at are the last hundred of them.
    """
    some = places[-_LOOKED_AT:]
    if len(some) <= _NEIGHBOUR + 1:
        return JOINS
    cosines = some @ some.T
    neighbour = float(np.median(np.sort(cosines, axis=1)[:, -1 - _NEIGHBOUR]))
    return min(MERGES, max(JOINS, (float(cosines.mean()) + neighbour) / 2))


def _merged(sums: Matrix, nearer_than: float) -> Matrix:
    while len(sums) > 1:
        cosine, one, other = _nearest_two(sums)
        if cosine < nearer_than:
            break
        sums = _joined(sums, one, other)
    return sums


def _nearest_two(sums: Matrix) -> tuple[float, int, int]:
    units = _units(sums)
    cosines = units @ units.T - 3 * np.tri(len(units))
    one, other = np.unravel_index(np.argmax(cosines), cosines.shape)
    return float(cosines[one, other]), int(one), int(other)


def _joined(sums: Matrix, one: int, other: int) -> Matrix:
    sums[one] += sums[other]
    return np.delete(sums, other, axis=0)


def _units(sums: Matrix) -> Matrix:
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.where(lengths == 0.0, 1.0, lengths))


def _rows(nearest: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    return [np.flatnonzero(nearest == group) for group in np.unique(nearest)]


def _sum(places: Matrix, weights: Matrix, rows: NDArray[np.intp]) -> Matrix:
    return np.asarray((places[rows] * weights[rows, None]).sum(axis=0))


def _alive(
    groups: Sequence[NDArray[np.intp]], weights: Matrix, touched: Sequence[str], sittings: Sequence[str]
) -> list[NDArray[np.intp]]:
    """The groups that are still interests; the strongest always is."""
    total = float(weights.sum())
    shares = [float(weights[rows].sum()) / total for rows in groups]
    strongest = max(shares)
    return [
        rows
        for rows, share in zip(groups, shares, strict=True)
        if share == strongest
        or (share >= LEAST_SHARE and not _is_left(share, max(touched[row] for row in rows), sittings))
    ]


def _is_left(share: float, at: str, sittings: Sequence[str]) -> bool:
    """Whether so many sittings passed it by that chance does not explain it."""
    return bool((1 - share) ** sum(began > at for began in sittings) < LEFT)


def _interest(
    rows: NDArray[np.intp],
    order: Sequence[str],
    places: Matrix,
    clocks: tuple[Matrix, Matrix],
    groups: Sequence[NDArray[np.intp]],
    touched: Mapping[str, str],
) -> Interest:
    long, now = clocks
    kept = np.concatenate(groups)
    unit = _units(_sum(places, long, rows)[None])[0]
    cosines = places[rows] @ unit
    medoid = rows[np.argmax(cosines)]
    liked_most = sorted(rows, key=lambda row: (-long[row], order[row]))
    standing = [medoid, *(row for row in liked_most if row != medoid)][:STANDING]
    return Interest(
        vector=np.asarray(unit, dtype=np.float32),
        weight=(1 - NOW) * _share(long, rows, kept) + NOW * _share(now, rows, kept),
        tracks=tuple(order[row] for row in standing),
        at=max(touched[order[row]] for row in rows),
    )


def _share(by: Matrix, rows: NDArray[np.intp], kept: NDArray[np.intp]) -> float:
    total = float(by[kept].sum())
    # After a long pause nothing may be left on a clock: it says nothing then, for any of them.
    return float(by[rows].sum()) / total if total > 0 else 1.0 / len(kept) * len(rows)
