"""The spelling half: n-grams of any script in 768 signed buckets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_runtime.ai.local.ngrams import DIMENSION, folded, hashed_ngrams


@given(st.text(max_size=100))
def test_length_is_one(text: str) -> None:
    """No text gives a zero vector."""
    vector = hashed_ngrams(text)
    assert vector.shape == (DIMENSION,)
    assert np.linalg.norm(vector) == pytest.approx(1.0)


def near(one: str, other: str) -> float:
    return float(hashed_ngrams(one) @ hashed_ngrams(other))


def test_word_order_does_not_matter_and_borders_do() -> None:
    """N-grams never reach over a space; a word inside another shares some of its n-grams only."""
    assert near("night drive", "drive night") == pytest.approx(1.0)
    assert 0.2 < near("night", "nightfall") < 0.9
    assert near("ab cd", "abcd") < 0.5


def test_repeating_a_word_adds_little() -> None:
    """Counts are damped by their logarithm, so a repeated word cannot drown the others."""
    assert near("la " * 100 + "river", "river") > 0.3


def test_scripts_without_spaces_match_by_single_characters() -> None:
    """Two characters out of the middle of a Japanese or Thai name find it."""
    assert near("少年", "ガラスの少年") > 0.3
    assert near("ราตรี", "ราตรีสวัสดิ์") > 0.4


def test_punctuation_is_a_border_unless_there_is_nothing_else() -> None:
    """A hyphen separates like a space; a name of exclamation marks still finds itself."""
    assert near("lo-fi", "lo fi!") == pytest.approx(1.0)
    assert near("!!!", "!!!") == pytest.approx(1.0)
    assert near("!!!", "???") < 0.5
    assert near("🌙", "🌙 🌊") > 0.4


def test_folding_takes_accents_and_leaves_voicing_marks() -> None:
    """An accent is a way of writing a letter; a Japanese voicing mark or an Indic vowel is another letter."""
    assert folded("Ágætis ÉCLAIR Straße") == "agætis eclair strasse"
    assert folded("ガ") == "ガ" != folded("カ")
    assert folded("नीला") == "नीला"
