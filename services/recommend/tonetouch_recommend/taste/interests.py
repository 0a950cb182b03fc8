"""Interests: a listener's taste as several vectors that are kept apart, and one of what they turn from. Pure.

The mean of two tastes is nobody's taste, so beside the running vector there are up to eight others. In the order in
which the tracks were liked, each joins the interest it lies nearest to, or begins one; what grows together is merged.
PinnerSage (arXiv 2007.03634) tells the same of pictures: several medoids serve a person better than one mean.

Two clocks: the profile's (45 days) says what an interest weighs in the long run, the session's (2 days) what is wanted
now. An interest that is under 5 % of the profile is none; nor is one that has not been touched in so many sittings that
it would have been, were it still one.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import timedelta
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tonetouch_recommend.taste.running import SESSION_DAYS, Signal, faded, latest, leaning, weight, weights
from tonetouch_recommend.vectors.collection import Vector
from tonetouch_runtime import moment

MOST_INTERESTS: Final = 8
JOINS: Final = 0.55
"""So near are two tracks of one interest (cosine), where there are too few to tell; see `_joins`."""
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
TOUCHES: Final = 0.25
"""The share of a sitting from which on it touched an interest: a track that came by among others does not."""
_ROUNDS: Final = 2
_MOST_OPEN: Final = 24  # while they form: there is more to a history than what is alive of it
_LOOKED_AT: Final = 100
_NEIGHBOUR: Final = 2
_DIFFERS: Final = 0.35
_TINY: Final = 2
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


def on_day(made: Tastes, day: float) -> Tastes:
    """The same tastes on a later day (as `date.toordinal` counts them), when what repelled has faded."""
    if made.repel is None:
        return made
    days = max(0.0, day - moment(made.repel.at).toordinal())
    left = made.repel.weight * 0.5 ** (days / SESSION_DAYS)
    repel = msgspec.structs.replace(made.repel, weight=left) if left >= _LEAST_REPEL else None
    return msgspec.structs.replace(made, repel=repel)


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
    groups = _alive(_grouped(places, long), long, order, _sittings(newest_first, profile))
    found = [_interest(group, order, places, (long, now), groups, touched) for group in groups]
    return tuple(sorted(found, key=lambda one: (-one.weight, one.medoid)))


def _touched(newest_first: Sequence[Signal], liked: Mapping[str, float]) -> dict[str, str]:
    """When each liked track was last liked."""
    touched: dict[str, str] = {}
    for signal in newest_first:
        if signal.track_id in liked and weight(signal) > 0:
            touched.setdefault(signal.track_id, signal.at)
    return touched


def _sittings(newest_first: Sequence[Signal], liked: Mapping[str, float]) -> list[list[str]]:
    """What was liked in each sitting, oldest first; sittings in which nothing was are left out."""
    found, before = list[list[str]](), None
    for signal in reversed(newest_first):
        if signal.track_id in liked and weight(signal) > 0:
            at = moment(signal.at)
            if before is None or at - before > SITTING:
                found.append([])
            found[-1].append(signal.track_id)
            before = at
    return found


def _grouped(places: Matrix, weights: Matrix) -> list[NDArray[np.intp]]:
    """The rows of each group: by one pass in the order given, then all go to the nearest group, if one is near."""
    joins = _joins(places)
    sums = _gathered(places, weights, joins)
    groups = _rows(places, sums, joins)
    for _ in range(_ROUNDS):
        sums = _without_tiny(np.array([_sum(places, weights, rows) for rows in groups]), groups, joins)
        groups = _rows(places, _merged(sums, MERGES), joins)
    return groups


def _without_tiny(sums: Matrix, groups: Sequence[NDArray[np.intp]], joins: float) -> Matrix:
    """The sums without those of one or two rows that would join another group: they began before it was there."""
    units, kept = _units(sums), list(range(len(sums)))
    for tiny in sorted(kept, key=lambda group: (len(groups[group]), group)):
        others = [group for group in kept if group != tiny]
        if len(groups[tiny]) <= _TINY and others and float((units[others] @ units[tiny]).max()) >= joins:
            kept = others
    return np.asarray(sums[kept])


def _gathered(places: Matrix, weights: Matrix, joins: float) -> Matrix:
    """One pass: join the nearest group or begin one. Where there are too many, the one that weighs least is let go."""
    sums, units = places[:0], places[:0]
    for place, share in zip(places, weights, strict=True):
        cosines = units @ place
        nearest = int(np.argmax(cosines)) if len(cosines) else 0
        if len(cosines) and cosines[nearest] >= joins:
            sums[nearest] += share * place
            units[nearest] = sums[nearest] / np.linalg.norm(sums[nearest])
            continue
        sums = np.vstack([sums, share * place])
        if len(sums) > _MOST_OPEN:
            sums = np.delete(sums, np.argmin(np.linalg.norm(sums, axis=1)), axis=0)
        units = _units(sums)
    return _merged(sums, MERGES)


def _joins(places: Matrix) -> float:
    """The cosine from which on two tracks are of one interest; it depends on the model and on the listener.

    Some models put all texts near each other, some none. So it lies a third of the way from how near this listener's
    tracks are to each other at large to how near each is to its second neighbour; looked at are the last hundred of
    them. Where the two hardly differ there is but one interest, and what is half as near as the rest belongs to it.
    """
    some = places[-_LOOKED_AT:]
    number = len(some)
    if number <= _NEIGHBOUR + 1:
        return JOINS
    cosines = some @ some.T
    neighbour = float(np.median(np.sort(cosines, axis=1)[:, -1 - _NEIGHBOUR]))
    large = float(cosines.sum() - number) / (number * (number - 1))
    if neighbour - large < _DIFFERS * (1 - large):
        return min(JOINS, max(0.0, large / 2))
    return min(MERGES, large + (neighbour - large) / 3)


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


def _rows(places: Matrix, sums: Matrix, joins: float) -> list[NDArray[np.intp]]:
    cosines = places @ _units(sums).T
    nearest = np.where(cosines.max(axis=1) >= joins, np.argmax(cosines, axis=1), -1)
    groups = [np.flatnonzero(nearest == group) for group in range(len(sums)) if np.any(nearest == group)]
    return groups or [np.arange(len(places))]


def _sum(places: Matrix, weights: Matrix, rows: NDArray[np.intp]) -> Matrix:
    return np.asarray((places[rows] * weights[rows, None]).sum(axis=0))


def _alive(
    groups: Sequence[NDArray[np.intp]], weights: Matrix, order: Sequence[str], sittings: Sequence[Sequence[str]]
) -> list[NDArray[np.intp]]:
    """The groups that are still interests; where none is, the one that was touched last: the newest row is in it."""
    least = LEAST_SHARE * float(weights.sum())
    alive = [
        rows
        for rows in sorted(groups, key=lambda rows: -float(weights[rows].sum()))
        if float(weights[rows].sum()) >= least and not _is_left({order[row] for row in rows}, sittings)
    ]
    return alive[:MOST_INTERESTS] or [max(groups, key=lambda rows: int(rows.max()))]


def _is_left(tracks: Set[str], sittings: Sequence[Sequence[str]]) -> bool:
    """Whether so many sittings have passed it by since it was touched last that chance does not explain it.

    How likely a sitting touches it is judged by the sittings up to then (as one would after two more that did not).
    """
    touched = [sum(track in tracks for track in sitting) >= TOUCHES * len(sitting) for sitting in sittings]
    last = max((place for place, is_touched in enumerate(touched) if is_touched), default=None)
    if last is None:  # a little of it here and there: that is a habit, too
        return False
    likely = sum(touched) / (last + 3)
    return bool((1 - likely) ** (len(touched) - 1 - last) < LEFT)


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
