"""A text is read as a person would read it, whatever was done to its letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_runtime.ai.local.unmasking import readings, shrunk


def test_a_plain_text_has_one_reading() -> None:
    """Lower case, one space, no punctuation; short forms in full."""
    assert readings("I'm here, they’ll come; it's 10:30!") == ("i am here they will come it is 10 30",)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("w.o.r.d", "word"),
        ("say w o r d now", "say word now"),
        ("w0rd", "word"),
        ("$0ng", "song"),
        ("wоrd", "word"),
        ("w.0.r.d", "word"),
    ],
)
def test_each_disguise_comes_off(text: str, read: str) -> None:
    """The last readings are those without any."""
    assert read in readings(text)
    assert readings(text)[0] != read


@pytest.mark.parametrize("text", ["10 000 plays in 1984", "A 1 and a 2", "rock n roll"])
def test_numbers_stay_numbers_and_words_stay_words(text: str) -> None:
    """The plain reading is always among them."""
    assert readings(text)[0] == text.lower()
    assert not any("igb" in reading for reading in readings(text))


def test_letters_are_never_read_more_than_twice() -> None:
    """How often they were meant cannot be told: once or twice."""
    assert shrunk("soooo gooooood") == "soo good"
    assert shrunk("so good") is None


@given(st.text(max_size=200))
def test_readings_are_clean_and_few(text: str) -> None:
    """Never more than five; no space but single ones between words."""
    found = readings(text)
    assert 1 <= len(found) == len(set(found)) <= 5
    assert all(" ".join(reading.split()) == reading for reading in found)
