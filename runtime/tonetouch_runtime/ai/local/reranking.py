"""Which passages answer a query: the words they share, weighed as BM25 weighs them, beside the distance of vectors.

Honest about itself: it reads no sentence. A passage that answers in other words is found only as far as the word
vectors know those words for near, and one that denies what is asked ranks as high as one that affirms it.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonetouch_runtime.ai.local.cleaning import cleaned
from tonetouch_runtime.ai.local.errors import TextRefused
from tonetouch_runtime.ai.local.ngrams import terms

MAX_PASSAGES = 1_000
MAX_CHARACTERS = 16_384
# The usual constants of Okapi BM25 (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework").
K1, B = 1.2, 0.75
# The middle of the shares at which most queries (58 of 66) find their passage first; measured by
# `python -m tests.runtime.ai.test_local_reranking`.
WORDS_SHARE = 0.4

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Ranking:
    """A passage by its place in the question. Scores lie between -1 and 1 and compare within one answer only."""

    index: int
    score: float


def rerank(query: str, passages: Sequence[str], *, embed: Embed, top: int | None = None) -> tuple[Ranking, ...]:
    """The passages, best first, at most `top` of them; equals keep the order they came in.

    A text is read up to 16,384 characters. Raises `TextRefused` for a query with nothing readable in it and for more
    than 1,000 passages.
    """
    if not cleaned(query, limit=MAX_CHARACTERS):
        raise TextRefused("The query has nothing readable in it.")
    if len(passages) > MAX_PASSAGES:
        raise TextRefused(f"{len(passages)} passages were given; at most {MAX_PASSAGES} are ranked at once.")
    if not passages:
        return ()
    scores = WORDS_SHARE * shared_words(query, passages) + (1 - WORDS_SHARE) * nearness(query, passages, embed)
    order = np.argsort(-np.round(scores, 9), kind="stable")
    return tuple(Ranking(int(index), float(scores[index])) for index in order[:top])


def nearness(query: str, passages: Sequence[str], embed: Embed) -> NDArray[np.float64]:
    """Cosines between the query and each passage, shape (len(passages),)."""
    asked, *found = embed([query, *passages]).astype(np.float64)
    return np.array([float(asked @ vector) for vector in found])


def shared_words(query: str, passages: Sequence[str]) -> NDArray[np.float64]:
    """BM25 of each passage over these passages, as a share of the most that any passage could have: 0 to 1."""
    asked = set(_terms(query))
    counts = [Counter(_terms(passage)) for passage in passages]
    lengths = np.array([sum(count.values()) for count in counts], np.float64)
    typical = max(float(lengths.mean()), 1.0)
    scores = np.zeros(len(passages))
    most = 0.0
    for term in sorted(asked):
        often = np.array([count[term] for count in counts], np.float64)
        weight = math.log(1 + (len(passages) - np.count_nonzero(often) + 0.5) / (np.count_nonzero(often) + 0.5))
        most += weight * (K1 + 1)
        scores += weight * often * (K1 + 1) / (often + K1 * (1 - B + B * lengths / typical))
    return scores / most if most else scores


def _terms(text: str) -> list[str]:
    return terms(cleaned(text, limit=MAX_CHARACTERS))
