"""Text from outside is bounded and shows everything it contains."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tonetouch_runtime.ai.local.cleaning import cleaned, shortened

ANY_TEXT = st.text(st.characters(), max_size=300)  # lone surrogates included


@given(ANY_TEXT, st.integers(1, 200))
def test_nothing_hidden_is_left(text: str, limit: int) -> None:
    """Neither controls nor bidi marks nor lone surrogates survive, and the limit holds after composition too."""
    clean = cleaned(text, limit=limit)
    assert len(clean) <= limit
    assert not {unicodedata.category(char) for char in clean} & {"Cc", "Cf", "Cs", "Co"}
    assert clean == clean.strip()


@given(ANY_TEXT)
def test_cleaning_is_finished_after_one_pass(text: str) -> None:
    """What is clean stays as it is."""
    clean = cleaned(text, limit=10_000)
    assert cleaned(clean, limit=10_000) == clean


@given(ANY_TEXT, st.integers(2, 60))
def test_shown_text_can_always_be_encoded(text: str, limit: int) -> None:
    """A shortened text keeps the limit and is valid UTF-8 whatever came in."""
    shown = shortened(text, limit=limit)
    assert len(shown) <= limit
    shown.encode()


def test_bidi_overrides_cannot_turn_a_text_around() -> None:
    """The right-to-left override, isolates and zero-width spaces are dropped, line breaks become spaces."""
    assert cleaned("safe\u202egnp.exe\u2066\u200b\r\n\x00end", limit=100) == "safegnp.exe end"
    assert shortened("safe\u202egnp.exe\u2066\u200b\r\n\x00end", limit=100) == "safegnp.exe end"


def test_shown_text_keeps_the_spelling_of_its_author() -> None:
    """Compatibility forms and joiners stay when a text is shown; both are resolved when it is computed with."""
    assert shortened("№ ½ ｶﾞ", limit=20) == "№ ½ ｶﾞ"
    assert shortened("می\u200cخواهم", limit=20) == "می\u200cخواهم"
    assert cleaned("№ ｶﾞ", limit=20) == "No ガ"


def test_long_text_is_cut_after_a_word() -> None:
    """An ellipsis says that something is missing; a single long word is cut where the limit is."""
    assert shortened("one two three", limit=9) == "one two…"
    assert shortened("x" * 20, limit=5) == "xxxx…"
    assert shortened("one two", limit=7) == "one two"


def test_a_megabyte_is_not_looked_at() -> None:
    """The part past the limit does not show, even when everything before it is invisible."""
    assert cleaned("\u200b" * 100 + "hidden" * 200_000, limit=100) == ""
    assert shortened("\u200b" * 1_000_000, limit=100) == "…"
