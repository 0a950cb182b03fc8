"""Mixing: which of the found tracks go into a mix, in what order, and what speaks for each. Pure.

A mix of several interests is filled in turns, each coming as often as the root of its weight says: the biggest does not
take it all. Whose turn it is gives the track that is near and unlike what is there already (maximal marginal relevance,
Carbonell and Goldstein, SIGIR 1998).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tonetouch_recommend.taste.interests import Tastes
from tonetouch_recommend.vectors.collection import Vector

HANDFUL: Final = 5
"""Fewer tracks are no mix: below it, older rules give way."""
MOST_IN_A_ROW: Final = 2
MOST_OF_AN_ARTIST: Final = 3
"""In one mix, as long as there are others."""
MOST_REASONS: Final = 3
NEAR: Final = 0.7
"""What nearness counts for in a mix, where being unlike the others counts for the rest."""
REPELS: Final = 0.35
EXPLORES: Final = 7
"""Every seventh place is for a track from further out."""
LOOKED_AT: Final = 3
"""How many near tracks are compared for each place of an interest."""


class Candidate(msgspec.Struct, frozen=True, eq=False):
    """A track that may go into a mix: its score, where its description points to, and its artist."""

    track_id: str
    score: float
    vector: Vector
    artist_id: str


class Near(msgspec.Struct, frozen=True):
    """A track found near an interest: the cosine to it, and the artist."""

    track_id: str
    cosine: float
    artist_id: str


def quotas(weights: Sequence[float], size: int) -> list[int]:
    """How many of `size` places each interest has: in proportion to the root of its weight."""
    taken = Counter(islice(turns(weights), size))
    return [taken[place] for place in range(len(weights))]


def turns(weights: Sequence[float]) -> Iterator[int]:
    """Whose turn it is, for ever: each as often as the root of its weight says, evenly spread, the strongest first."""
    roots = [max(weight, 0.0) ** 0.5 for weight in weights]
    total, credit = sum(roots), [0.0] * len(roots)
    while roots:
        credit = [have + root for have, root in zip(credit, roots, strict=True)]
        place = max(range(len(roots)), key=lambda at: (credit[at], -at))
        credit[place] -= total
        yield place


def apart(found: Sequence[Sequence[Near]]) -> list[list[Near]]:
    """Each track once, with the interest it is nearest to; the order stays."""
    best: dict[str, tuple[float, int]] = {}
    for interest, near in enumerate(found):
        for one in near:
            if one.track_id not in best or one.cosine > best[one.track_id][0]:
                best[one.track_id] = (one.cosine, interest)
    return [[one for one in near if best[one.track_id][1] == interest] for interest, near in enumerate(found)]


class Shortlist(msgspec.Struct, frozen=True):
    """What is looked at for a mix, by interest: the nearest, and some from further out."""

    near: Sequence[Sequence[Near]]
    further: Sequence[Sequence[Near]]

    @property
    def track_ids(self) -> list[str]:
        """All of them."""
        return [one.track_id for part in (*self.near, *self.further) for one in part]


def shortlisted(found: Sequence[Sequence[Near]], weights: Sequence[float], size: int, seed: str) -> Shortlist:
    """Of what was found for each interest, so much as its places need. The same seed explores the same tracks."""
    places = quotas(weights, size)
    own = apart(found)
    near = [part[: max(LOOKED_AT * share, HANDFUL)] for part, share in zip(own, places, strict=True)]
    rest = [part[len(taken) :] for part, taken in zip(own, near, strict=True)]
    most = size // EXPLORES
    return Shortlist(near, [sorted(part, key=lambda one: _drawn(seed, one.track_id))[:most] for part in rest])


def filled(shortlist: Shortlist, vectors: Mapping[str, Vector], tastes: Tastes, size: int) -> list[Candidate]:
    """A mix of at most `size` tracks from a shortlist; tracks without a vector are passed over."""
    near = [_scored(part, vectors, tastes) for part in shortlist.near]
    further = [_scored(part, vectors, tastes) for part in shortlist.further]
    filling = _Filling(near, further)
    for place, interest in enumerate(islice(turns([one.weight for one in tastes.interests]), size)):
        if not filling.take(interest, exploring=(place + 1) % EXPLORES == 0):
            break
    return filling.mix


def _scored(near: Sequence[Near], vectors: Mapping[str, Vector], tastes: Tastes) -> list[Candidate]:
    """`max(cosine x weight) - 0.35 x repelled`; the weights are roots too, the strongest interest's is 1."""
    known = [one for one in near if one.track_id in vectors]
    if not known:
        return []
    places, interests = np.stack([vectors[one.track_id] for one in known]), tastes.interests
    strongest = max(interest.weight for interest in interests)
    roots = np.sqrt([interest.weight / strongest for interest in interests])
    scores = np.max(places @ np.stack([interest.vector for interest in interests]).T * roots, axis=1)
    if tastes.repel is not None:
        scores = scores - REPELS * tastes.repel.weight * np.maximum(0.0, places @ tastes.repel.vector)
    both = zip(known, scores.tolist(), strict=True)
    return [Candidate(one.track_id, score, vectors[one.track_id], one.artist_id) for one, score in both]


def _drawn(seed: str, track_id: str) -> bytes:
    return hashlib.sha256(f"{seed}:{track_id}".encode()).digest()


class _Filling:
    """A mix that is being filled: what is left to take, and how like the taken ones each of it is."""

    def __init__(self, near: Sequence[Sequence[Candidate]], further: Sequence[Sequence[Candidate]]) -> None:
        self.mix: list[Candidate] = []
        self._further = further
        self._all = [one for part in near for one in part]
        self._interest = np.repeat(np.arange(len(near)), [len(part) for part in near])
        self._places = np.stack([one.vector for one in self._all]) if self._all else np.zeros((0, 0), np.float32)
        self._scores = np.array([one.score for one in self._all])
        self._left = np.ones(len(self._all), dtype=bool)
        self._alike = np.zeros(len(self._all))
        self._times = Counter[str]()
        numbers = {artist: number for number, artist in enumerate(dict.fromkeys(one.artist_id for one in self._all))}
        self._numbers = numbers
        self._artist = np.array([numbers[one.artist_id] for one in self._all], dtype=np.intp)
        self._full = np.zeros(len(numbers), dtype=bool)

    def take(self, interest: int, *, exploring: bool) -> bool:
        """Take one for this interest, or for another where it has none left. False: nothing fits any more."""
        if exploring and (found := next(filter(self._may_follow, self._further[interest]), None)):
            self._add(found)
            return True
        waits = self._left & (self._artist != self._numbers.get(_heard_enough(self.mix) or "", -1))
        fits = waits & ~self._full[self._artist]
        for allowed in (fits & (self._interest == interest), fits, waits):
            if allowed.any():
                self._take_of(allowed)
                return True
        if len(self.mix) >= HANDFUL or not self._left.any():
            return False
        self._take_of(self._left)
        return True

    def _take_of(self, allowed: NDArray[np.bool_]) -> None:
        value = np.where(allowed, NEAR * self._scores - (1 - NEAR) * self._alike, -np.inf)
        place = int(np.argmax(value))
        self._left[place] = False
        self._add(self._all[place])

    def _may_follow(self, one: Candidate) -> bool:
        tired = self._times[one.artist_id] >= MOST_OF_AN_ARTIST or one.artist_id == _heard_enough(self.mix)
        return not tired and all(other.track_id != one.track_id for other in self.mix)

    def _add(self, one: Candidate) -> None:
        self.mix.append(one)
        self._times[one.artist_id] += 1
        if one.artist_id in self._numbers:
            self._full[self._numbers[one.artist_id]] = self._times[one.artist_id] >= MOST_OF_AN_ARTIST
        if self._all:
            self._alike = np.maximum(self._alike, self._places @ one.vector)


class ByArtist(Protocol):
    """Something by an artist."""

    @property
    def artist_id(self) -> str:
        """Whose it is."""


One = TypeVar("One", bound=ByArtist)


def in_turn(candidates: Sequence[One], size: int) -> list[One]:
    """At most `size` of them, best first, but never three of one artist in a row.

    A track that has to wait comes as soon as somebody else was heard. Where nobody else is left the mix ends, unless it
    is no handful yet.
    """
    waiting, mix = list(candidates), list[One]()
    while waiting and len(mix) < size:
        tired = _heard_enough(mix)
        following = next((place for place, one in enumerate(waiting) if one.artist_id != tired), None)
        if following is None and len(mix) >= HANDFUL:
            break
        mix.append(waiting.pop(following or 0))
    return mix


def because(candidate: Candidate, liked: Mapping[str, Vector]) -> list[str]:
    """The liked tracks nearest to it, at most three, nearest first; none that points away from it, never itself."""
    if not liked:
        return []
    cosines = dict(zip(liked, (np.stack(list(liked.values())) @ candidate.vector).tolist(), strict=True))
    near = [track for track, cosine in cosines.items() if cosine > 0 and track != candidate.track_id]
    return sorted(near, key=lambda track: (-cosines[track], track))[:MOST_REASONS]


def spoken_for(reasons: Iterable[Sequence[str]]) -> list[str]:
    """The tracks that speak for most of the mix, most first: a nearest one counts 3, the next 2, the last 1."""
    counted = Counter[str]()
    for nearest_first in reasons:
        for place, track in enumerate(nearest_first):
            counted[track] += MOST_REASONS - place
    return [track for track, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]


def _heard_enough(mix: Sequence[ByArtist]) -> str | None:
    last = [one.artist_id for one in mix[-MOST_IN_A_ROW:]]
    return last[0] if len(last) == MOST_IN_A_ROW and len(set(last)) == 1 else None
