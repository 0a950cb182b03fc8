"""Taste: one running vector for a listener, out of what they heard. Pure.

A play weighs by the share that was heard, half as much every 45 days, and the plays of one track together by their
sum over the square root of their number, so that a track on repeat does not become the whole taste. Skips push away a
little. The moment everything is measured from is the newest play's: the same plays give the same bytes on any day.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from tonetouch_recommend.vectors.collection import Vector
from tonetouch_runtime import moment

PROFILE_DAYS: Final = 45.0
MOST_PLAYS: Final = 500
FINISHED: Final = 0.9
HALF: Final = 0.5
SKIPPED_SECONDS: Final = 30.0
MOST_PUSH: Final = 0.5
"""Skips together weigh at most half of what was liked: they bend a taste by 30 degrees at most, never turn it round."""

_DAY_SECONDS: Final = 86_400.0


class Play(msgspec.Struct, frozen=True, kw_only=True):
    """One play: how much was heard (`share` is 0 to 1, None if the length is unknown), and when (RFC 3339, UTC)."""

    play_id: str
    track_id: str
    heard_seconds: float
    share: float | None
    at: str


def weight(play: Play) -> float:
    """What a play says: heard to the end 1, more than half of it 0.4, left within 30 seconds -0.6, else nothing."""
    if play.share is None:  # 30 seconds of a track of unknown length may be all of it, or not even a tenth
        return 0.4 if play.heard_seconds >= SKIPPED_SECONDS else 0.0
    if play.share >= FINISHED:
        return 1.0
    if play.share >= HALF:
        return 0.4
    return -0.6 if play.heard_seconds < SKIPPED_SECONDS else 0.0


def latest(plays: Iterable[Play]) -> list[Play]:
    """The newest 500, newest first; equal times in the order of their ids."""
    return sorted(plays, key=lambda play: (play.at, play.play_id), reverse=True)[:MOST_PLAYS]


def weights(plays: Iterable[Play], *, half_life_days: float = PROFILE_DAYS) -> dict[str, float]:
    """What the newest 500 plays say about each track, by track id in ascending order; below zero: pushed away."""
    newest_first = latest(plays)
    if not newest_first:
        return {}
    reference = moment(newest_first[0].at)
    times, sums = Counter(play.track_id for play in newest_first), defaultdict[str, float](float)
    for play in newest_first:
        days = (reference - moment(play.at)).total_seconds() / _DAY_SECONDS
        sums[play.track_id] += weight(play) * 0.5 ** (days / half_life_days)
    return {track: sums[track] / times[track] ** 0.5 for track in sorted(sums)}


def taste(
    plays: Sequence[Play], vectors: Mapping[str, Vector], *, half_life_days: float = PROFILE_DAYS
) -> Vector | None:
    """The listener's vector, float32 at length one; None while nothing was liked that has a vector.

    `vectors` holds unit vectors of the tracks, all of one shape; tracks without one do not count.
    """
    said = {track: share for track, share in weights(plays, half_life_days=half_life_days).items() if track in vectors}
    liked = _sum({track: share for track, share in said.items() if share > 0}, vectors)
    left = _sum({track: -share for track, share in said.items() if share < 0}, vectors)
    length = 0.0 if liked is None else float(np.linalg.norm(liked))
    if liked is None or length == 0.0:
        return None
    push = 0.0 if left is None else float(np.linalg.norm(left))
    total = liked if left is None or push == 0.0 else liked - left * min(1.0, MOST_PUSH * length / push)
    return np.asarray(total / np.linalg.norm(total), dtype=np.float32)


def _sum(
    shares: Mapping[str, float], vectors: Mapping[str, Vector]
) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    # In float64 and in the order of the ids: the same bytes whatever order the rows came in.
    parts = [share * vectors[track].astype(np.float64) for track, share in shares.items()]
    return np.asarray(np.sum(parts, axis=0), dtype=np.float64) if parts else None
