"""Events out of chunks."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_runtime.ai.providers.server_sent_events import LONGEST_EVENT, EventTooLong, events


async def chunked(body: bytes, size: int) -> AsyncIterator[bytes]:
    for place in range(0, len(body), size):
        yield body[place : place + size]


async def heard(body: bytes, size: int = 1 << 20) -> list[str]:
    return [event async for event in events(chunked(body, size))]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: one\n\ndata: two\n\n", ["one", "two"]),
        (b"data: one\r\n\r\ndata:two\r\n\r\n", ["one", "two"]),
        (b"event: ping\nid: 4\nretry: 10\ndata: one\n\n", ["one"]),
        (b": a comment\n\n: another\n\ndata: one\n\n", ["one"]),
        (b"data: first\ndata: second\n\n", ["first\nsecond"]),
        (b"\xef\xbb\xbfdata: one\n\n", ["one"]),
        (b"data: one\n\n\n\n\ndata: two\n\n", ["one", "two"]),
        (b"data: one\n\ndata: [DONE]", ["one", "[DONE]"]),
        (b"data: one\n\ndata: torn", ["one"]),
        (b"", []),
    ],
)
async def test_events(body: bytes, expected: list[str]) -> None:
    """Names, ids and comments are passed over, the torn last event is left out."""
    assert await heard(body) == expected


@given(texts=st.lists(st.text(st.characters(exclude_characters="\r\n\ufeff"), min_size=1)), size=st.integers(1, 9))
async def test_chunk_borders_mean_nothing(texts: list[str], size: int) -> None:
    """However a body is cut, even within a letter, the events are the same."""
    try:
        body = "".join(f"data: {text}\n\n" for text in texts).encode()
    except UnicodeEncodeError:
        return
    assert await heard(body, size) == texts


async def test_an_event_without_an_end() -> None:
    """What never ends is given up."""
    with pytest.raises(EventTooLong):
        await heard(b"data: " + b"a" * (LONGEST_EVENT + 1), 1 << 20)
    with pytest.raises(EventTooLong):
        await heard(b"data: aaaaaaaaaaaaaaa\n" * (LONGEST_EVENT // 15), 1 << 20)
