"""Finding the nearest in Vectorize where one query cannot tell: the most promising parts are asked first.

Of a part that brought as many matches as it may, only this is known of the others: none is nearer than its last match.
As long as that leaves room for something nearer than what was found, the part is asked again in four.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from .vectorize_filters import Part

MOST_MATCHES: Final = 100
MOST_MATCHES_WITH_ALL: Final = 50
MOST_QUERIES: Final = 20
MOST_AT_FIRST: Final = 16
_SPLIT_INTO: Final = 4
_FILLED: Final = 0.7  # of what a part brings: parts are not equally full


class Match(msgspec.Struct, frozen=True):
    """A vector as Vectorize tells of it; without a score where it was asked for by id."""

    id: str
    score: float = 0.0
    values: list[float] = []
    metadata: dict[str, Any] = {}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of each part: `top` matches at a time, to have `wanted` that fit in the end.

    `needed` is how many have to be seen for that, as far as it is known. `splits`: whether a part can be made smaller.
    """

    wanted: int
    needed: int
    top: int
    splits: bool
    body: Mapping[str, Any]

    def about(self, part: Part) -> dict[str, Any]:
        """The body of a query."""
        filtered = {} if part.filter is None else {"filter": part.filter}
        return {**self.body, "topK": self.top, **filtered}

    def begun(self, parts: Sequence[Part]) -> list[Part]:
        """The parts in as many pieces as it takes to see what is needed."""
        pieces = 1
        while self.splits and self.needed > self.top and self.needed > _FILLED * self.top * pieces:
            if 2 * pieces * len(parts) > MOST_AT_FIRST:
                break
            pieces *= 2
        return [smaller for part in parts for smaller in part.split(pieces)]


async def nearest(
    ask: Callable[[Mapping[str, Any]], Awaitable[list[Match]]],
    question: Question,
    parts: Sequence[Part],
    fits: Callable[[Match], bool],
) -> list[Match]:
    """The nearest matches that fit, nearest first, after one query for each part and at most 20 if that is more."""
    found, full, best, asked = dict[str, Match](), list[tuple[float, Part]](), list[Match](), 0
    parts = question.begun(parts)
    while parts:
        asked += len(parts)
        answers = await asyncio.gather(*(ask(question.about(part)) for part in parts))
        for part, matches in zip(parts, answers, strict=True):
            found.update((match.id, match) for match in matches if fits(match))
            if len(matches) >= question.top:
                full.append((matches[-1].score, part))
        best = sorted(found.values(), key=lambda match: (-match.score, match.id))[: question.wanted]
        parts = _next(question, best, full) if asked + _SPLIT_INTO <= MOST_QUERIES else []
    return best


def _next(question: Question, best: Sequence[Match], full: list[tuple[float, Part]]) -> list[Part]:
    """The part that may hold the nearest of what is not known, in four; taken out of `full`."""
    if not question.splits:
        return []
    enough = best[-1].score if len(best) == question.wanted else -2.0
    full.sort(key=lambda one: one[0])
    while full and full[-1][0] > enough:
        _, part = full.pop()
        if part.high - part.low > 1:
            return part.split(_SPLIT_INTO)
    return []
