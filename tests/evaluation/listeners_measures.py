"""How good a list is for a listener: each measure a number for one list, and the mean of many with its interval."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.evaluation.listeners_methods import Crowd
from tests.evaluation.listeners_world import Listener
from tonetouch_recommend.taste.running import Play

MEASURES: Final = (
    "recall@20",
    "ndcg@20",
    "hit rate",
    "on taste",
    "coverage",
    "novelty",
    "diversity",
    "artist repeats",
    "heard before",
)
RESAMPLES: Final = 1000

Numbers = NDArray[np.float64]


def measured(tracks: Sequence[str], listener: Listener, crowd: Crowd) -> dict[str, float]:
    """Every measure of one list.

    Recall, NDCG and hits are of tracks that the listener had not heard before the cut and played after it. `on taste`
    is the share of the list that is of a kind they like, `coverage` the share of those kinds that is in it. Novelty is
    in bits (-log2 of a track's share of all plays), diversity the mean of 1 - cosine over all pairs.
    """
    heard = {int(one.track_id) for one in listener.signals if isinstance(one, Play)}
    rows = [int(track) for track in tracks]
    wanted, kinds = listener.later - heard, [int(crowd.catalogue.kinds[row]) for row in rows]
    hits, own = [row in wanted for row in rows], listener.interests
    if not rows:
        return dict.fromkeys(MEASURES, 0.0)
    return {
        "recall@20": sum(hits) / len(wanted) if wanted else np.nan,
        "ndcg@20": _ndcg(hits, len(wanted)) if wanted else np.nan,
        "hit rate": float(any(hits)) if wanted else np.nan,
        "on taste": sum(kind in own for kind in kinds) / len(rows) if own else np.nan,
        "coverage": len(own & set(kinds)) / len(own) if own else np.nan,
        "novelty": _novelty(tracks, crowd),
        "diversity": _diversity(rows, crowd),
        "artist repeats": 1 - len({crowd.artist(track) for track in tracks}) / len(tracks),
        "heard before": sum(row in heard for row in rows) / len(rows),
    }


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The mean of what is known, and the interval that holds 95 % of the means of as many drawn from it again."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return np.nan, np.nan, np.nan
    drawn = np.random.default_rng(seed).integers(0, len(known), (RESAMPLES, len(known)))
    low, high = np.quantile(known[drawn].mean(axis=1), [0.025, 0.975])
    return float(known.mean()), float(low), float(high)


def means(results: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float, float]]:
    """Each measure over all listeners: mean, low, high."""
    return {name: interval([result[name] for result in results]) for name in MEASURES}


def _ndcg(hits: Sequence[bool], wanted: int) -> float:
    discounts = 1 / np.log2(np.arange(2, len(hits) + 2))
    best = discounts[: min(wanted, len(hits))].sum()
    return float((discounts * np.array(hits)).sum() / best)


def _novelty(tracks: Sequence[str], crowd: Crowd) -> float:
    total = crowd.plays.total() + crowd.catalogue.size
    return float(np.mean([-np.log2((crowd.plays[track] + 1) / total) for track in tracks]))


def _diversity(rows: Sequence[int], crowd: Crowd) -> float:
    vectors = crowd.catalogue.vectors[list(rows)].astype(np.float64)
    cosines: Numbers = vectors @ vectors.T
    number = len(rows)
    return float(1 - (cosines.sum() - np.trace(cosines)) / (number * (number - 1))) if number > 1 else 0.0
