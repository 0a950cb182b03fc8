"""Cursors are opaque to whoever holds one, and nobody can break us with one."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_runtime import Refused, decode_cursor, encode_cursor, page_size

KEYS = st.tuples(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.integers(-(1 << 63) + 1, (1 << 63) - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)


@given(KEYS)
def test_a_key_comes_back_as_it_was(key: tuple[str, int, float]) -> None:
    """Whatever its text, and its cursor can stand in a URL as it is."""
    cursor = encode_cursor(*key)
    assert decode_cursor(cursor, str, int, float) == key
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_text_is_a_key_or_refused(cursor: str) -> None:
    """Never another exception."""
    try:
        key = decode_cursor(cursor, str, int)
    except Refused as refused:
        assert refused.problem.code == "invalid"
    else:
        assert [type(part) for part in key] == [str, int]


@pytest.mark.parametrize(
    "key", [["a\0b", 1], ["a", 1 << 63], ["a", -(1 << 70)], ["a"], ["a", 1, 1], ["a", "1"], ["a", None], {"a": 1}, None]
)
def test_what_no_database_can_be_asked_for_is_refused(key: object) -> None:
    """Zero bytes, integers of more than 64 bits, other shapes: well-formed, and not one of ours."""
    cursor = base64.urlsafe_b64encode(msgspec.json.encode(key)).decode()
    with pytest.raises(Refused):
        decode_cursor(cursor, str, int)


def test_nested_brackets_are_refused() -> None:
    """However deep."""
    with pytest.raises(Refused):
        decode_cursor(base64.urlsafe_b64encode(b"[" * 100_000).decode(), str)


@pytest.mark.parametrize("limit", [-1, 0, 201])
def test_a_limit_out_of_bounds_is_refused(limit: int) -> None:
    """From 1 to 200."""
    with pytest.raises(Refused):
        page_size(limit)
    assert (page_size(1), page_size(200)) == (1, 200)
