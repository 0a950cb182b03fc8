"""A refusal reaches a client that is still sending."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tests.gateway.wire import exchange, request_head
from tests.servers import web_server
from tonetouch_gateway.lingering import LINGER_BYTES, Lingering

BLOCK = bytes(2**20)


async def _refusing(scope: Scope, receive: Receive, send: Send) -> None:
    """Says no without having read a byte."""
    await Lingering(PlainTextResponse("no", status_code=413))(scope, receive, send)


async def test_a_client_that_reads_only_after_sending_gets_the_answer() -> None:
    """Twenty megabytes sent to the end, and then the answer read: the connection is not reset before."""
    async with web_server(_refusing) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_head("POST", "/", {"content-length": str(20 * len(BLOCK))}))
        for _ in range(20):
            writer.write(BLOCK)
            await writer.drain()
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"\r\n\r\nno")


async def test_a_client_that_never_stops_has_its_answer_and_is_cut_off() -> None:
    """The answer comes at once; what is thrown away has a bound."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += len(BLOCK)
            yield BLOCK

    async with web_server(_refusing) as port:
        reply = await exchange(port, "POST", "/", headers={}, body=endless())
        assert (reply.status, reply.body) == (413, b"no")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_head("POST", "/", {"content-length": str(2**40)}))
        sent = 0
        with pytest.raises(ConnectionError):
            async for block in endless():
                writer.write(block)
                await writer.drain()
    # What the sockets on both sides hold comes on top of what the server has read.
    assert sent < 2 * LINGER_BYTES


async def test_a_request_without_a_body_is_answered_and_ended() -> None:
    """There is nothing to wait for."""
    async with web_server(_refusing) as port:
        assert (await exchange(port, "GET", "/", headers={})).body == b"no"


async def test_a_client_that_asks_before_sending_is_spared_the_sending() -> None:
    """`Expect: 100-continue`: the first thing it hears is the refusal."""
    async with web_server(_refusing) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_head("POST", "/", {"content-length": "1000000", "expect": "100-continue"}))
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()
