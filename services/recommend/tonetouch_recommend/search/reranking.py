"""Reranking: the top of a first page, read together with the question by a model that is made for it.

It is asked where it can give something: for a sentence whose words are no name. Names are right or wrong, and a page
further down is not what anybody looks at first. Where it fails, refuses or takes too long the order stays as it was.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import structlog

from tonetouch_contracts.finding import Found, Results, SearchTracks
from tonetouch_recommend.search.folding import words
from tonetouch_runtime import Floor, Refused, Unavailable
from tonetouch_runtime.ai import Whose
from tonetouch_runtime.ai.local.models import EMBEDDING
from tonetouch_runtime.ai.tasks import Rerank

log = structlog.get_logger()

FEATURE: Final = "search.rerank"
TOP: Final = 10
"""How many are put in order."""
FEWEST: Final = 3
FEWEST_WORDS: Final = 3
SECONDS: Final = 1.5
"""How long a searcher waits for a better order."""
NAMED: Final = frozenset(("title", "artist", "album"))


def is_worth_asking(command: SearchTracks, results: Results, model: str) -> bool:
    """Whether another order of these may be better: a first page of a sentence that nothing is called by.

    Not where `model`, which embeds the texts, is the embedded engine: its reranker goes by the same vectors and words.
    """
    first = results.items[:1]
    return (
        model != EMBEDDING
        and command.cursor is None
        and len(results.items) >= FEWEST
        and len(words(command.query)) >= FEWEST_WORDS
        and not any(one.where in NAMED or one.sung for one in first)
    )


async def reranked(
    command: SearchTracks, results: Results, texts: Sequence[str], floor: Floor, *, embedded: bool = False
) -> Results:
    """The same page, its first `len(texts)` in the order of the model that read these texts; else as it was.

    What the embedded engine says is left aside unless it is asked for: it is the last to answer where others fail.
    """
    # What a person types is theirs: the answer is shared with nobody and the text is kept nowhere.
    whose = Whose(feature=FEATURE, subject="search", user=command.user_id, share=False, keep_input=False)
    try:
        async with asyncio.timeout(SECONDS):
            answer = await floor.ai.ask(Rerank(query=command.query, passages=tuple(texts)), whose)
    except (Refused, Unavailable, TimeoutError) as error:
        log.warning("results_not_reranked", error=f"{type(error).__name__}: {error}")
        return results
    if answer.provider == "local" and not embedded:
        return results
    order = [one.index for one in answer.result.ranked]
    return msgspec.structs.replace(results, items=in_order(results.items, len(texts), order))


def in_order(items: Sequence[Found], count: int, order: Sequence[int]) -> tuple[Found, ...]:
    """The first `count` in this order, those it leaves out behind them; each has the score of its place."""
    places = [*dict.fromkeys(place for place in order if 0 <= place < count)]
    places += [place for place in range(len(items)) if place not in places]
    scores = [one.score for one in items]
    return tuple(
        msgspec.structs.replace(items[place], score=score) for place, score in zip(places, scores, strict=True)
    )


def texts_of(items: Sequence[Found], descriptions: Mapping[str, str]) -> list[str]:
    """What the model reads of each of the first ten: the passage it was found by, and what it is."""
    first = items[:TOP]
    return [" ".join(filter(None, (one.passage, descriptions.get(one.id) or one.name))) for one in first]
