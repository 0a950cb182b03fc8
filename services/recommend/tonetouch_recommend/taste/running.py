"""Taste: one running vector for a listener, out of what they heard and said. Pure.

A play weighs by the share that was heard, half as much every 45 days, and the plays of one track together by their
sum over the square root of their number, so that a track on repeat does not become the whole taste. What was said of a
track (a like, a save) weighs beside its plays. Skips push away a little, and three in a row hardly: that is a mood. The
moment everything is measured from is the newest signal's: the same signals give the same bytes on any day.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from tonetouch_recommend.vectors.collection import Vector
from tonetouch_runtime import moment

PROFILE_DAYS: Final = 45.0
SESSION_DAYS: Final = 2.0
MOST_SIGNALS: Final = 500
FINISHED: Final = 0.9
HALF: Final = 0.5
SKIPPED_SECONDS: Final = 30.0
MOST_PUSH: Final = 0.5
"""Skips together weigh at most half of what was liked: they bend a taste by 30 degrees at most, never turn it round."""
MOOD: Final = 3
"""So many skips in a row say more of the hour than of the tracks."""
OF_A_MOOD: Final = 0.2

_DAY_SECONDS: Final = 86_400.0

Said = Literal["like", "save", "added", "skip", "dislike", "never_again"]
_SAYS: Final[Mapping[Said, float]] = {
    "like": 1.5,
    "save": 1.2,
    "added": 1.2,
    "skip": -0.6,
    "dislike": -2.0,
    "never_again": -2.0,
}


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """One play: how much was heard (`share` is 0 to 1, None if the length is unknown), and when (RFC 3339, UTC)."""

    play_id: str
    track_id: str
    heard_seconds: float
    share: float | None
    at: str


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """Something said of a track, other than by playing it: a like, or that it was added to a playlist; and when."""

    track_id: str
    said: Said
    at: str


Signal: TypeAlias = Play | Word


def weight(signal: Signal) -> float:
    """What a signal says: heard to the end 1, more than half of it 0.4, left within 30 seconds -0.6, else nothing.

    Of words a like says most, 1.5, and a dislike most against, -2.
    """
    if isinstance(signal, Word):
        return _SAYS[signal.said]
    if signal.share is None:  # 30 seconds of a track of unknown length may be all of it, or not even a tenth
        return 0.4 if signal.heard_seconds >= SKIPPED_SECONDS else 0.0
    if signal.share >= FINISHED:
        return 1.0
    if signal.share >= HALF:
        return 0.4
    return -0.6 if signal.heard_seconds < SKIPPED_SECONDS else 0.0


def latest(signals: Iterable[Signal]) -> list[Signal]:
    """The newest 500, newest first; equal times in the order of their ids."""
    return sorted(signals, key=lambda signal: (signal.at, *_name(signal)), reverse=True)[:MOST_SIGNALS]


def weights(signals: Iterable[Signal], *, half_life_days: float = PROFILE_DAYS) -> dict[str, float]:
    """What the newest 500 signals say about each track, by track id in ascending order; below zero: pushed away."""
    newest_first = latest(signals)
    times = Counter(signal.track_id for signal in newest_first if isinstance(signal, Play))
    heard, told = defaultdict[str, float](float), defaultdict[str, float](float)
    for signal, decay, mood in faded(newest_first, half_life_days):
        says = weight(signal) * decay * (OF_A_MOOD if mood else 1.0)
        (heard if isinstance(signal, Play) else told)[signal.track_id] += says
    tracks = sorted({signal.track_id for signal in newest_first})
    return {track: heard[track] / max(1, times[track]) ** 0.5 + told[track] for track in tracks}


def faded(newest_first: Sequence[Signal], half_life_days: float) -> Iterator[tuple[Signal, float, bool]]:
    """Each signal with what is left of it (1 at the newest), and whether it is a skip out of a mood."""
    if not newest_first:
        return
    reference = moment(newest_first[0].at)
    for signal, mood in zip(newest_first, _moods(newest_first), strict=True):
        days = (reference - moment(signal.at)).total_seconds() / _DAY_SECONDS
        yield signal, 0.5 ** (days / half_life_days), mood


def taste(
    signals: Sequence[Signal], vectors: Mapping[str, Vector], *, half_life_days: float = PROFILE_DAYS
) -> Vector | None:
    """The listener's vector, float32 at length one; None while nothing was liked that has a vector.

    `vectors` holds unit vectors of the tracks, all of one shape; tracks without one do not count.
    """
    return leaning(weights(signals, half_life_days=half_life_days), vectors)


def leaning(said: Mapping[str, float], vectors: Mapping[str, Vector]) -> Vector | None:
    """Where these tracks pull, by their weights in ascending order of their ids; see `taste`."""
    liked = _sum({track: share for track, share in said.items() if share > 0 and track in vectors}, vectors)
    left = _sum({track: -share for track, share in said.items() if share < 0 and track in vectors}, vectors)
    length = 0.0 if liked is None else float(np.linalg.norm(liked))
    if liked is None or length == 0.0:
        return None
    push = 0.0 if left is None else float(np.linalg.norm(left))
    total = liked if left is None or push == 0.0 else liked - left * min(1.0, MOST_PUSH * length / push)
    return np.asarray(total / np.linalg.norm(total), dtype=np.float32)


def _sum(shares: Mapping[str, float], vectors: Mapping[str, Vector]) -> NDArray[np.float64] | None:
    # In float64 and in the order of the ids: the same bytes whatever order the rows came in.
    parts = [share * vectors[track].astype(np.float64) for track, share in shares.items()]
    return np.asarray(np.sum(parts, axis=0), dtype=np.float64) if parts else None


def _moods(newest_first: Sequence[Signal]) -> list[bool]:
    """Whether each is one of at least three skips with no other play between them."""
    found, run = [False] * len(newest_first), list[int]()
    for place, signal in enumerate(newest_first):
        if isinstance(signal, Word) and signal.said != "skip":
            continue  # a like between two skips ends no mood
        run = [*run, place] if weight(signal) < 0 else []
        if len(run) >= MOOD:
            for member in run[-MOOD:]:
                found[member] = True
    return found


def _name(signal: Signal) -> tuple[str, str]:
    return (signal.play_id, "") if isinstance(signal, Play) else (signal.track_id, signal.said)
