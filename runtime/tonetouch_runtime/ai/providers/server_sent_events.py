"""Server-sent events out of a body that comes in chunks which mean nothing (WHATWG HTML, section 9.2)."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing

LONGEST_EVENT = 8 << 20


class EventTooLong(ValueError):
    """An event that is larger than anything a model says at once."""


async def events(chunks: AsyncIterable[bytes]) -> AsyncGenerator[str, None]:
    """The data of each event, in their order. Comments, ids and names are passed over.

    What follows the last blank line is the torn beginning of an event and left out, but for the mark ``[DONE]``, which
    some servers send without a blank line after it. Raises EventTooLong.
    """
    data: list[str] = []
    size = 0
    async with aclosing(_lines(chunks)) as lines:
        async for line in lines:
            if line.startswith("data:"):
                data.append(line[5:].removeprefix(" "))
                size += len(line)
                if size > LONGEST_EVENT:
                    raise EventTooLong
            elif not line and data:
                yield "\n".join(data)
                data, size = [], 0
    if data == ["[DONE]"]:
        yield "[DONE]"


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[str, None]:
    left = b""
    async for chunk in chunks:
        *whole, left = (left + chunk).split(b"\n")
        if len(left) > LONGEST_EVENT:
            raise EventTooLong
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace").removeprefix("\ufeff")
    if left:
        yield left.removesuffix(b"\r").decode(errors="replace")
