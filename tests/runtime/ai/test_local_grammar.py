"""A and an, and lists."""

import pytest

from tonetouch_runtime.ai.local.grammar import article, capitalised, listed


@pytest.mark.parametrize(
    "phrase",
    [
        "apple", "hour", "honest answer", "heir", "unimportant", "uninvited", "MP3", "F sharp", "A minor", "LP",
        "8", "80", "8.5", "11", "18", "11,000", "1856", "élan", "“idle” one", "X-ray", "RSVP", "onerous task",
    ],
)  # fmt: skip
def test_an(phrase: str) -> None:
    """Before a vowel as it is spoken."""
    assert article(phrase) == "an"


@pytest.mark.parametrize(
    "phrase",
    [
        "pear", "house", "union", "unit", "European", "one-off", "once", "useful", "utopia", "UFO", "UK", "C major",
        "B", "1", "100", "118", "1,800", "110", "180", "2019", "夜", "“new” one", "", "!",
    ],
)  # fmt: skip
def test_a(phrase: str) -> None:
    """Before a consonant as it is spoken, and where nothing is known."""
    assert article(phrase) == "a"


def test_lists_have_commas_and_one_and() -> None:
    """No comma before the and."""
    assert [listed(["x", "y", "z"][:count]) for count in range(4)] == ["", "x", "x and y", "x, y and z"]


def test_capitalising_touches_the_first_letter_only() -> None:
    """Names later in the sentence keep their spelling."""
    assert capitalised("by k.d. lang") == "By k.d. lang"
    assert capitalised("") == ""
