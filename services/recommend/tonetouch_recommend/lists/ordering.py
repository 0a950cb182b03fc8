"""Ordering: the order of a mix, so that each track leads into the next. Pure.

Two neighbours fit where their tempo is the same (or twice or half of it, which is felt as the same), their keys are
next to each other on the Camelot wheel, and their energy is alike; over the whole mix energy rises and falls again. No
order is best in all of it, so a cheap one is found: begin with the best track, go on with the one that fits best, then
turn stretches round as long as that helps (2-opt, within a window). The same tracks always give the same order.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

WINDOW: Final = 10
"""The longest stretch that is turned round: the work grows with the length of the mix, not with its square."""
ROUNDS: Final = 3
APART: Final = 3
"""So many other tracks stand between two of one artist, where that can be."""

TEMPO: Final = 0.35
KEY: Final = 0.3
ENERGY: Final = 0.35
ARC: Final = 0.5
_CLASH: Final = 2.0  # more than everything else that two neighbours can cost
_FURTHEST_TEMPO: Final = 1 / 6
"""Octaves of tempo (a step of 12 %) from which on a change is as bad as any other."""
_UNKNOWN: Final = 0.5

_NOTES: Final[Mapping[str, int]] = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_BENT: Final[Mapping[str, int]] = {"#": 1, "♯": 1, "b": -1, "♭": -1}


class Song(msgspec.Struct, frozen=True, kw_only=True):
    """What the order goes by. Null is what is not known of it."""

    track_id: str
    artist_id: str
    bpm: float | None = None
    key: str | None = None
    energy: float | None = None


class Camelot(msgspec.Struct, frozen=True):
    """A key on the Camelot wheel: 1 to 12 in steps of a fifth, minor inside (8A is A minor), major outside (8B, C)."""

    number: int
    is_major: bool


def in_order(songs: Sequence[Song], *, after: Song | None = None, has_arc: bool = True) -> list[Song]:
    """The songs, best first, in the order to play them.

    The first stays the first, unless the mix goes on `after` another song: then whatever fits that comes first. Without
    an arc energy just stays level.
    """
    if len(songs) < 3 and after is None:
        return list(songs)
    costs = _Costs(songs, has_arc)
    first = [] if after is not None else [0]
    order = _greedy(costs, first, [] if after is None else [fit(after, song) for song in songs])
    fixed = 1 if order else 0
    for _ in range(ROUNDS):
        if not _improve(order, fixed, costs):
            break
    return [songs[place] for place in order]


def fit(one: Song, other: Song) -> float:
    """How badly one leads into the other: 0 (not to be noticed) to 1."""
    tempo, key = tempo_step(one.bpm, other.bpm), key_step(camelot(one.key), camelot(other.key))
    return TEMPO * tempo + KEY * key + ENERGY * energy_step(one.energy, other.energy)


def tempo_step(one: float | None, other: float | None) -> float:
    """How far apart two tempos are felt, 0 to 1. Half and double are the same.

    >>> tempo_step(70, 140)
    0.0
    """
    if not one or not other:
        return _UNKNOWN
    octaves = math.log2(other / one)
    return min(1.0, abs(octaves - round(octaves)) / _FURTHEST_TEMPO)


def key_step(one: Camelot | None, other: Camelot | None) -> float:
    """How far apart two keys are on the wheel: 0 the same, 0.1 the relative key or a neighbour, up to 1.

    >>> key_step(camelot("A minor"), camelot("C major"))
    0.1
    """
    if one is None or other is None:
        return _UNKNOWN
    around = abs(one.number - other.number)
    steps, turned = min(around, 12 - around), int(one.is_major != other.is_major)
    return 0.1 * (steps + turned) if steps + turned <= 1 else min(1.0, 0.1 + 0.2 * (steps + turned))


def energy_step(one: float | None, other: float | None) -> float:
    """How large a jump in energy is, 0 to 1."""
    return _UNKNOWN if one is None or other is None else min(1.0, abs(one - other))


def camelot(key: str | None) -> Camelot | None:
    """A key's place on the wheel, from "A minor" or "Bb major"; None for anything else.

    >>> camelot("F# minor")
    Camelot(number=11, is_major=False)
    """
    tonic, _, mode = (key or "").strip().partition(" ")
    note, bent = _NOTES.get(tonic[:1].upper()), tonic[1:]
    if note is None or mode not in ("major", "minor") or (bent and bent not in _BENT):
        return None
    pitch = note + _BENT.get(bent, 0) + (3 if mode == "minor" else 0)  # as its relative major
    return Camelot((7 * pitch % 12 + 7) % 12 + 1, mode == "major")


class _Costs:
    """What it costs that two songs are neighbours, and that one stands at a place; by their places in the list."""

    def __init__(self, songs: Sequence[Song], has_arc: bool) -> None:
        self.size = len(songs)
        keys = [camelot(song.key) for song in songs]
        self.between = [[0.0] * self.size for _ in songs]
        for one in range(self.size):
            for other in range(one):
                tempo = tempo_step(songs[one].bpm, songs[other].bpm)
                energy = energy_step(songs[one].energy, songs[other].energy)
                cost = TEMPO * tempo + KEY * key_step(keys[one], keys[other]) + ENERGY * energy
                self.between[one][other] = self.between[other][one] = cost
        self.artists = [song.artist_id for song in songs]
        self.has_clashes = len(set(self.artists)) < self.size
        self.has_arc = has_arc
        self.at = _arc(songs) if has_arc else [[0.0] * self.size for _ in songs]

    def clashes(self, order: Sequence[int], start: int, end: int) -> float:
        """What the artists cost that come again too soon, from one place of the order to another."""
        if not self.has_clashes:
            return 0.0
        names = [self.artists[place] for place in order[max(0, start) : end]]
        return _CLASH * sum(name in names[max(0, at - APART) : at] for at, name in enumerate(names))


def _arc(songs: Sequence[Song]) -> list[list[float]]:
    """What each song costs at each place: energy rises to two thirds of the mix, then falls to where it began."""
    known = sorted(song.energy for song in songs if song.energy is not None)
    if not known:
        return [[0.0] * len(songs) for _ in songs]
    low, high, last = known[0], known[-1], max(1, len(songs) - 1)
    wanted = [low + (high - low) * _height(place / last) for place in range(len(songs))]
    return [[0.0 if song.energy is None else ARC * abs(song.energy - energy) for energy in wanted] for song in songs]


def _height(share: float) -> float:
    return math.sin(math.pi / 2 * (share / (2 / 3) if share <= 2 / 3 else (1 - share) / (1 / 3)))


def _greedy(costs: _Costs, first: list[int], leading: Sequence[float]) -> list[int]:
    """Begin with the first, or with what the song before leads into best; go on with what fits best."""
    order, left = list(first), [place for place in range(costs.size) if place not in first]
    while left:
        at = len(order)
        names = [costs.artists[place] for place in order[-APART:]]

        def cost(place: int, at: int = at, names: Sequence[str] = names) -> tuple[float, int]:
            step = costs.between[order[-1]][place] if order else leading[place]
            return step + costs.at[place][at] + (_CLASH if costs.artists[place] in names else 0.0), place

        order.append(min(left, key=cost))
        left.remove(order[-1])
    return order


def _improve(order: list[int], fixed: int, costs: _Costs) -> bool:
    """Turn round each stretch that is better so; says whether there was one."""
    found = False
    for start in range(fixed, len(order) - 1):
        for end in range(start + 2, min(len(order), start + WINDOW) + 1):
            if _gain(order, start, end, costs) > 1e-9:
                order[start:end] = order[start:end][::-1]
                found = True
    return found


def _gain(order: Sequence[int], start: int, end: int, costs: _Costs) -> float:
    """What is won by turning the stretch from `start` to before `end` round."""
    between, at = costs.between, costs.at
    first, last = order[start], order[end - 1]
    gain = 0.0
    if start:
        gain += between[order[start - 1]][first] - between[order[start - 1]][last]
    if end < len(order):
        gain += between[last][order[end]] - between[first][order[end]]
    if costs.has_arc:
        mirror = start + end - 1
        gain += sum(at[order[place]][place] - at[order[place]][mirror - place] for place in range(start, end))
    if gain > 1e-9 and costs.has_clashes:
        turned = [*order[:start], *order[start:end][::-1], *order[end:]]
        around = (start - APART, end + APART)
        gain += costs.clashes(order, *around) - costs.clashes(turned, *around)
    return gain
