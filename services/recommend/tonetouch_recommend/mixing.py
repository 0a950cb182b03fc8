"""Mixing: the order of a mix and what speaks for each track. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from tonetouch_recommend.vectors.collection import Vector

HANDFUL: Final = 5
"""Fewer tracks are no mix: below it, older rules give way."""
MOST_IN_A_ROW: Final = 2
MOST_REASONS: Final = 3


class Candidate(msgspec.Struct, frozen=True, eq=False):
    """A track that may go into a mix: its score, where its description points to, and its artist."""

    track_id: str
    score: float
    vector: Vector
    artist_id: str


def in_turn(candidates: Sequence[Candidate], size: int) -> list[Candidate]:
    """At most `size` of them, best first, but never three of one artist in a row.

    A track that has to wait comes as soon as somebody else was heard. Where nobody else is left the mix ends, unless it
    is no handful yet.
    """
    waiting, mix = list(candidates), list[Candidate]()
    while waiting and len(mix) < size:
        tired = _heard_enough(mix)
        following = next((one for one in waiting if one.artist_id != tired), None)
        if following is None and len(mix) >= HANDFUL:
            break
        mix.append(following or waiting[0])
        waiting.remove(mix[-1])
    return mix


def because(candidate: Candidate, liked: Mapping[str, Vector]) -> list[str]:
    """The liked tracks nearest to it, at most three, nearest first; none that points away from it, never itself."""
    cosines = {track: float(np.dot(vector, candidate.vector)) for track, vector in liked.items()}
    near = [track for track, cosine in cosines.items() if cosine > 0 and track != candidate.track_id]
    return sorted(near, key=lambda track: (-cosines[track], track))[:MOST_REASONS]


def spoken_for(reasons: Iterable[Sequence[str]]) -> list[str]:
    """The tracks that speak for most of the mix, most first: a nearest one counts 3, the next 2, the last 1."""
    counted = Counter[str]()
    for nearest_first in reasons:
        for place, track in enumerate(nearest_first):
            counted[track] += MOST_REASONS - place
    return [track for track, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]


def _heard_enough(mix: Sequence[Candidate]) -> str | None:
    last = [one.artist_id for one in mix[-MOST_IN_A_ROW:]]
    return last[0] if len(last) == MOST_IN_A_ROW and len(set(last)) == 1 else None
