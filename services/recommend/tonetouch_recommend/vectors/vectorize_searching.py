"""Finding the nearest in Vectorize where one query cannot tell: the most promising parts are asked first.

Of a part that brought as many matches as it may, only this is known of the others: none is nearer than its last match.
As long as that leaves room for something nearer than what was found, the part is asked again namespace by namespace.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from .vectorize_filters import Part
from .vectorize_metadata import SPACES

MOST_MATCHES: Final = 100
MOST_MATCHES_WITH_ALL: Final = 50
MOST_QUERIES: Final = 40
LEAST_COSINE: Final = -1.01


class Match(msgspec.Struct, frozen=True):
    """A vector as Vectorize tells of it; without a score where it was asked for by id."""

    id: str
    score: float = 0.0
    values: list[float] = []
    metadata: dict[str, Any] = {}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of each part: `top` matches at a time, to have `wanted` that fit in the end."""

    wanted: int
    top: int
    body: Mapping[str, Any]

    def about(self, part: Part) -> dict[str, Any]:
        """The body of a query."""
        return {**self.body, "topK": self.top, **part.asked}


async def nearest(
    ask: Callable[[Mapping[str, Any]], Awaitable[list[Match]]],
    question: Question,
    parts: Sequence[Part],
    fits: Callable[[Match], bool],
) -> list[Match]:
    """The nearest matches that fit, nearest first, after one query for each part and at most 40 if that is more."""
    found, full, best, asked = dict[str, Match](), list[tuple[float, Part]](), list[Match](), 0
    if question.wanted > question.top and len(parts) * SPACES <= MOST_QUERIES:
        parts = [smaller for part in parts for smaller in part.split()]
    while parts:
        asked += len(parts)
        answers = await asyncio.gather(*(ask(question.about(part)) for part in parts))
        for part, matches in zip(parts, answers, strict=True):
            found.update((match.id, match) for match in matches if fits(match))
            if len(matches) >= question.top and part.space is None:
                full.append((matches[-1].score, part))
        best = sorted(found.values(), key=lambda match: (-match.score, match.id))[: question.wanted]
        enough = best[-1].score if len(best) == question.wanted else LEAST_COSINE
        parts = _next(enough, full) if asked + SPACES <= MOST_QUERIES else []
    return best


def _next(enough: float, full: list[tuple[float, Part]]) -> list[Part]:
    """The part that may hold the nearest of what is not known, in smaller ones; taken out of `full`."""
    full.sort(key=lambda one: one[0])
    if not full or full[-1][0] <= enough:
        return []
    return full.pop()[1].split()
