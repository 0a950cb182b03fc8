"""Two ways of finding as one ranking: by letters (names and lines) and by meaning (vectors). Pure.

Both are scores, and so are mixed as scores: ranks alone would let the best of many poor names stand beside the name
that was typed. A cosine is taken relative to the nearest there is, since each model has its own idea of what is near.

A page may be cut from the ranking at any depth: what was found by letters is known wholly, with its cosine, and of the
vectors what lies deeper scores less. So a longer list of the nearest never changes the order of what stands before.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from tonetouch_contracts.finding import FoundKind

LETTERS_SHARE: Final = 0.7
"""What letters count beside meaning: of 0.4 to 0.8 the least at which misspelt and folded names are found best, while
questions about moods lose next to nothing (`python -m tests.evaluation.searches`)."""
WHOLE: Final = 0.98
"""From here on it is the very name that was typed: meaning only tells those apart that have it."""
WHOLE_SHARE: Final = 0.97


class Ranked(msgspec.Struct, frozen=True):
    """Something with its score, where it was found, and the number of the passage if that was in lyrics."""

    id: str
    score: float
    where: str
    passage: int | None = None
    kind: FoundKind = "track"


def fused(
    lettered: Iterable[Ranked], near: Iterable[Ranked], cosines: Mapping[str, float], most: int | None = None
) -> list[Ranked]:
    """Everything once, the best first, equal ones by id. `lettered` score 0 to 1, `near` are scored by cosine.

    `most` is how many are wanted, if not all.

    `cosines` are those of the descriptions of what was found by letters; what has no vector counts by letters alone.
    """
    meant = list(near)
    nearest = max((one.score for one in meant), default=0.0)

    def relative(cosine: float) -> float:
        return cosine / nearest if nearest > 0 else cosine

    best = dict[tuple[FoundKind, str], tuple[float, Ranked]]()
    for one in meant:
        _keep(best, one, (1 - LETTERS_SHARE) * relative(one.score))
    for one in lettered:
        meaning = relative(cosines[one.id]) if one.id in cosines else one.score
        share = WHOLE_SHARE if one.score >= WHOLE else LETTERS_SHARE
        _keep(best, one, share * one.score + (1 - share) * max(meaning, 0.0))
    ranking = sorted((-score, one.id, one.kind) for score, one in best.values())
    return [_scored(*best[kind, own]) for _, own, kind in ranking[:most]]


def _keep(best: dict[tuple[FoundKind, str], tuple[float, Ranked]], one: Ranked, score: float) -> None:
    of = one.kind, one.id
    known = best.get(of)
    if known is None or score > known[0]:
        best[of] = score, one


def _scored(score: float, one: Ranked) -> Ranked:
    return Ranked(one.id, score, one.where, one.passage, one.kind)
