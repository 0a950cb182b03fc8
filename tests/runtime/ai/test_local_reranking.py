"""Passages that share rare words with the query, or lie near it, come first; and how the two are weighed.

Run `python -m tests.runtime.ai.test_local_reranking` for the table behind WORDS_SHARE.
"""

import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.runtime.ai.test_local_weights import BY_MEANING, BY_NAME, BY_SPELLING, DESCRIBED, NAMED_AND_DESCRIBED
from tonetouch_runtime.ai.local import TextRefused
from tonetouch_runtime.ai.local.embedding import TextEmbedding
from tonetouch_runtime.ai.local.ngrams import terms
from tonetouch_runtime.ai.local.reranking import WORDS_SHARE, Ranking, nearness, rerank, shared_words

ENGINE = TextEmbedding()
# Words that a passage shares with the query outright, among passages that are near it in meaning.
BY_WORDS = {
    "strings in G major": "waltz",
    "vinyl crackle": "hiphop",
    "four on the floor": "club",
    "fingerpicked": "folk",
    "A minor": "slow",
    "B flat major saxophone": "jazz",
    "172 bpm": "fast",
    "pads": "ambient",
    "handclaps": "happy",
    "very loud brass": "march",
}


def order(query: str, *passages: str, top: int | None = None) -> list[int]:
    return [one.index for one in rerank(query, passages, embed=ENGINE.embed, top=top)]


def found(share: float) -> dict[str, int]:
    """How many queries of each family find their passage first when words weigh this share."""
    families = {"words": (BY_WORDS, DESCRIBED), "meaning": (BY_MEANING, DESCRIBED), "typos": (BY_SPELLING, DESCRIBED)}
    families["names in longer texts"] = (BY_NAME, NAMED_AND_DESCRIBED)
    return {name: _found(queries, texts, share) for name, (queries, texts) in families.items()}


def _found(queries: dict[str, str], texts: dict[str, str], share: float) -> int:
    passages, names = list(texts.values()), list(texts)
    hits = 0
    for query, expected in queries.items():
        scores = share * shared_words(query, passages) + (1 - share) * nearness(query, passages, ENGINE.embed)
        hits += names[int(scores.argmax())] == expected
    return hits


def test_the_passage_that_says_it_comes_first() -> None:
    """Both by the same words and by near ones."""
    passages = ("a fast rock song", "slow sad solo piano", "a manual for printers")
    assert order("sad piano", *passages)[0] == 1
    assert order("melancholy", *passages)[0] == 1


def test_a_rare_word_counts_for_more_than_a_common_one() -> None:
    """A word that is in every passage says nothing about any."""
    passages = ["the song of the sea", "the song of the road", "the song of the night"]
    scores = shared_words("song of the road", passages)
    assert scores.argmax() == 1
    assert scores[1] > 3 * scores[0] > 0


def test_a_long_passage_is_not_better_for_being_long() -> None:
    """The same word among hundreds of others counts for less."""
    scores = shared_words("lighthouse", ["lighthouse", "lighthouse " + "and nothing else " * 100, "no word of it"])
    assert 1 >= scores[0] > scores[1] > scores[2] == 0


def test_scripts_without_spaces_have_words_too() -> None:
    """Every two neighbours are one; a part of a Japanese title finds it."""
    assert terms("夜に駆ける, slow") == ["夜に", "に駆", "駆け", "ける", "slow"]
    assert order("駆ける", "夜の歌", "夜に駆ける", "ガラスの少年")[0] == 1


def test_top_leaves_the_others_out() -> None:
    """And equals keep the order they came in."""
    assert order("night", "a", "night", "b", "night", top=2) == [1, 3]
    assert order("night", top=5) == []
    assert len(order("night", "a", "b", top=9)) == 2


def test_the_same_question_has_the_same_answer_in_any_thread_and_order() -> None:
    """Scores belong to the passages, not to their places."""
    passages = list(DESCRIBED.values())
    shuffled = random.Random(1).sample(passages, len(passages))

    def scores(given: list[str]) -> dict[str, float]:
        return {given[one.index]: one.score for one in rerank("gloomy piano", given, embed=ENGINE.embed)}

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(scores, [passages] * 4))
    assert all(answer == answers[0] for answer in answers)
    assert scores(shuffled) == pytest.approx(answers[0], abs=1e-12)


@pytest.mark.parametrize("passage", ["", "\x00\u202e", "word " * 200_000, "😀" * 50, "\ud800"])
def test_hostile_passages_are_ranked_like_others(passage: str) -> None:
    """Empty, invisible, huge: none comes before the one that answers."""
    ranked = rerank("a sad piano", [passage, "a sad piano piece"], embed=ENGINE.embed)
    assert ranked[0].index == 1
    assert all(np.isfinite(one.score) and -1 <= one.score <= 1 for one in ranked)


@pytest.mark.parametrize(("query", "number"), [("", 1), ("\u200b\x00 ", 1), ("piano", 1_001)])
def test_what_cannot_be_ranked_is_refused(query: str, number: int) -> None:
    """A query that asks nothing, and more passages than are read."""
    with pytest.raises(TextRefused):
        rerank(query, ["x"] * number, embed=ENGINE.embed)


def test_words_and_vectors_together_find_more_than_either() -> None:
    """The share is where the most queries of all families find their passage."""
    both, vectors, words = (sum(found(share).values()) for share in (WORDS_SHARE, 0.0, 1.0))
    assert both > max(vectors, words)
    assert found(WORDS_SHARE)["words"] == len(BY_WORDS)


def test_scores_are_plain_numbers() -> None:
    """What goes into an answer can be written as JSON."""
    [one] = rerank("a", ["a"], embed=ENGINE.embed)
    assert isinstance(one, Ranking)
    assert (type(one.index), type(one.score)) == (int, float)


if __name__ == "__main__":
    for tenth in range(11):
        print(f"share {tenth / 10:.1f}: {sum(found(tenth / 10).values())} {found(tenth / 10)}")
