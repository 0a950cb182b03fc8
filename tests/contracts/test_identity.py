"""Ids: sorted by time where things happen, the same where names or contents are the same."""

import unicodedata
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_contracts.identity import derived, named, uuid7

MILLISECONDS = st.integers(0, 2**48 - 1)
RANDOMNESS = st.binary(min_size=10, max_size=10)


@given(MILLISECONDS, RANDOMNESS)
def test_a_uuid7_has_the_shape_of_rfc_9562(unix_ms: int, randomness: bytes) -> None:
    """Version 7, the RFC's variant, the time in the first 48 bits, lower-case with dashes."""
    made = uuid.UUID(uuid7(unix_ms, randomness))
    assert str(made) == uuid7(unix_ms, randomness)
    assert made.int >> 80 == unix_ms
    assert (made.int >> 76) & 0xF == 7
    assert made.variant == uuid.RFC_4122


def test_the_example_of_rfc_9562_comes_out() -> None:
    """The test vector of the RFC's appendix A.6: 2022-02-22 19:22:22 UTC."""
    randomness = (0xCC3 << 64 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert uuid7(0x017F22E279B0, randomness) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(MILLISECONDS, MILLISECONDS, RANDOMNESS, RANDOMNESS)
def test_ids_sort_as_text_by_their_time(one: int, other: int, first: bytes, second: bytes) -> None:
    """A later millisecond gives a greater text, whatever the random part: keyset pages rely on it."""
    if one != other:
        assert (uuid7(one, first) < uuid7(other, second)) is (one < other)


@given(MILLISECONDS, RANDOMNESS, RANDOMNESS)
def test_74_random_bits_tell_ids_of_one_millisecond_apart(unix_ms: int, first: bytes, second: bytes) -> None:
    """Only the six bits under version and variant are lost of the eighty given."""
    mask = (1 << 80) - 1 & ~(0xF << 76) & ~(0x3 << 62)
    differ = int.from_bytes(first, "big") & mask != int.from_bytes(second, "big") & mask
    assert (uuid7(unix_ms, first) != uuid7(unix_ms, second)) is differ


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Björk", "björk "),
        ("Bj\u00f6rk", "Bjo\u0308rk"),
        ("THE  BEATLES", "\tthe beatles\n"),
        ("STRASSE", "Straße"),
        ("Ａｄｅｌｅ", "Adele"),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος"),
        ("a\u00a0b", "a b"),
        ("\u01f0", "J\u030c"),
        ("\u0390", "\u03aa\u0301"),
    ],
)
def test_spellings_of_one_name_are_one_id(one: str, other: str) -> None:
    """Case, composed or decomposed accents, full width and spaces make no difference."""
    assert named("artist", one) == named("artist", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Björk", "Bjork"), ("AB", "A B"), ("Prince", "Princess"), ("雨", "雪"), ("", "x"), ("P!nk", "Pink")],
)
def test_different_names_are_different_ids(one: str, other: str) -> None:
    """What only looks alike stays apart: accents and punctuation count."""
    assert named("artist", one) != named("artist", other)


@given(st.text())
def test_any_spelling_folds_to_the_same_id(name: str) -> None:
    """Decomposing, composing, folding the case, and surrounding spaces never change the id of any name."""
    expected = named("artist", name)
    for spelling in (
        unicodedata.normalize("NFD", name),
        unicodedata.normalize("NFKC", name),
        unicodedata.normalize("NFC", name),
        unicodedata.normalize("NFD", name).casefold(),
        f"  {name}\n",
    ):
        assert named("artist", spelling) == expected


@given(st.lists(st.text(min_size=1), min_size=2, max_size=3))
def test_the_kind_and_the_borders_between_names_count(names: list[str]) -> None:
    """An artist and an album of one name differ, and so do one long name and two short ones."""
    assert named("artist", *names) != named("album", *names)
    assert named("album", *names) != named("album", " ".join(names))


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_a_derived_id_is_the_same_every_time(parts: list[str]) -> None:
    """Asking twice gives one id, so that the second time changes nothing; another step gives another."""
    assert derived(*parts) == derived(*parts)
    assert derived(*parts) != derived(*parts, "again")
    assert uuid.UUID(derived(*parts)).version == 5


def test_ids_by_name_never_change() -> None:
    """These ids stand in the log: the folding and the name space are fixed for ever."""
    assert named("artist", "Björk") == "2de73ddc-f08b-5020-a9c4-8386e7493e0c"
    assert derived("0192", "publish") == "6a64e4d5-0eab-5698-8683-e66fbcfc60cd"
