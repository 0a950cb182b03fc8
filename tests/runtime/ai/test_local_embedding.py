"""A text's vector: 1024 numbers of length 1 that depend on the text alone."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tonetouch_runtime.ai.local.embedding import MAX_CHARACTERS, TextEmbedding

GOLDEN_TEXTS = (
    "slow, 62 bpm, sad, melancholic, A minor, quiet, solo piano",
    "Corazón salvaje",
    "夜に駆ける",
    "Ночной дозор",
    "مرحبا يا قمر",
    "!!!",
    "",
)
GOLDEN = {"wordllama-256+ngrams-768@1": "6093817955ffc2ab6c8d9e21b7725aee8d95d52969d321f372cae13a6f98930f"}

SHARED = TextEmbedding()  # generated cases take no fixture
ANY_TEXT = st.text(st.characters(), max_size=200)


@pytest.fixture(scope="module", name="engine")
def text_embedding() -> TextEmbedding:
    return SHARED


def digest(vectors: NDArray[np.float32]) -> str:
    """A checksum that ignores differences below what float32 holds."""
    return hashlib.sha256(np.rint(vectors.astype(np.float64) * 1e5).astype("<i4").tobytes()).hexdigest()


def closeness(engine: TextEmbedding, one: str, other: str) -> float:
    vectors = engine.embed([one, other])
    return float(vectors[0] @ vectors[1])


def test_the_version_gives_the_vectors_it_always_gave(engine: TextEmbedding) -> None:
    """If this fails, weights, tokenizer or a constant changed: name a new version and embed everything again."""
    assert digest(engine.embed(GOLDEN_TEXTS)) == GOLDEN[engine.model]


@settings(deadline=None)
@given(st.lists(ANY_TEXT, max_size=5))
def test_every_vector_has_length_one(texts: list[str]) -> None:
    """Whatever the text, lone surrogates and nothing at all included."""
    vectors = SHARED.embed(texts)
    assert vectors.shape == (len(texts), SHARED.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


@settings(deadline=None)
@given(st.lists(ANY_TEXT, min_size=1, max_size=5), st.integers(0, 5))
def test_a_vector_does_not_know_its_batch(texts: list[str], turn: int) -> None:
    """Alone, in a batch, in any order: the same bits."""
    order = sorted(range(len(texts)), key=lambda at: (at * 7 + turn) % 5)
    shuffled = SHARED.embed([texts[at] for at in order])
    for row, at in enumerate(order):
        assert np.array_equal(shuffled[row], SHARED.embed([texts[at]])[0])


def test_no_texts_give_no_vectors(engine: TextEmbedding) -> None:
    """An empty batch is a matrix without rows."""
    assert engine.embed([]).shape == (0, 1024)


def test_texts_with_nothing_to_read_share_one_distant_vector(engine: TextEmbedding) -> None:
    """Empty, blank and invisible texts are one and the same, and near to no real text."""
    vectors = engine.embed(["", "  \n", "\u202e\u200b", "\x00\x07", "\ud800"])
    assert (vectors == vectors[0]).all()
    assert abs(closeness(engine, "", "a slow sad piano piece")) < 0.1


def test_case_accents_and_compatibility_forms_stay_near(engine: TextEmbedding) -> None:
    """People search without the accents and the capitals a name is written with."""
    assert closeness(engine, "NIGHT DRIVE", "night drive") == pytest.approx(1.0, abs=1e-6)
    assert closeness(engine, "ＮＩＧＨＴ", "night") == pytest.approx(1.0, abs=1e-6)
    assert closeness(engine, "Corazón", "corazon") > 0.6
    assert closeness(engine, "ｶﾞﾗｽ", "ガラス") == pytest.approx(1.0, abs=1e-6)


def test_invisible_characters_change_nothing(engine: TextEmbedding) -> None:
    """A name with bidi marks in it is found by the name without them."""
    assert closeness(engine, "\u202eNight\u200b Drive\u2069", "Night Drive") == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(("typo", "word"), [("pianno", "piano"), ("melancolic", "melancholic"), ("дазор", "дозор")])
def test_a_typo_stays_nearer_than_another_word(engine: TextEmbedding, typo: str, word: str) -> None:
    """The spelling half carries what the vocabulary does not know."""
    assert (
        closeness(engine, typo, word) > max(closeness(engine, typo, "window"), closeness(engine, typo, "ветер")) + 0.1
    )


def test_words_of_one_meaning_stay_near(engine: TextEmbedding) -> None:
    """The meaning half joins words that share no letters."""
    assert closeness(engine, "sad", "sorrowful") > closeness(engine, "sad", "salad") > 0


def test_a_megabyte_costs_no_more_than_the_limit(engine: TextEmbedding) -> None:
    """Text past the limit is not read: not for the vector, not for the count."""
    long = "slow sad words repeated " * 45_000
    assert len(long) > 1_000_000
    assert np.array_equal(engine.embed([long]), engine.embed([long[:MAX_CHARACTERS]]))
    assert engine.count_tokens(long) == engine.count_tokens(long[:MAX_CHARACTERS]) <= MAX_CHARACTERS


def test_tokens_are_counted_as_the_vocabulary_cuts_them(engine: TextEmbedding) -> None:
    """Two common words are two tokens; nothing is none; a character outside the vocabulary is its bytes."""
    assert engine.count_tokens("hello world") == 2
    assert engine.count_tokens("") == engine.count_tokens("\u200b") == 0
    assert engine.count_tokens("😀") == 5


def test_threads_share_one_engine() -> None:
    """Threads that all come first wait for one loading and get the same vectors."""
    fresh = TextEmbedding()
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: fresh.embed(GOLDEN_TEXTS), range(8)))
    assert all(np.array_equal(results[0], result) for result in results)


@pytest.mark.bench
def test_a_batch_of_25_takes_under_20_ms(engine: TextEmbedding) -> None:
    """The best of twenty runs over 25 short texts."""
    texts = [f"{number} bpm, slow, sad, quiet, solo piano" for number in range(25)]
    runs = []
    for _ in range(20):
        started = time.perf_counter()
        engine.embed(texts)
        runs.append(time.perf_counter() - started)
    assert min(runs) < 0.020
