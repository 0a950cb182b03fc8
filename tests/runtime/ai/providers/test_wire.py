"""The way to a provider: what breaks on it, on real connections of this machine."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from tests.runtime.ai.providers.doors import REQUESTS, target
from tonetouch_runtime.ai.errors import AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.providers import Provider, Text
from tonetouch_runtime.ai.providers import wire as wires
from tonetouch_runtime.ai.providers.connecting import Accounts, connect
from tonetouch_runtime.ai.providers.failing import Door
from tonetouch_runtime.ai.providers.wire import Asked, Wire
from tonetouch_runtime.ai.tasks import Chat

KEY = "sk-secret-4711"
CHAT = REQUESTS["chat"]
GOOD = b'{"model":"m","choices":[{"message":{"content":"Yes."},"finish_reason":"stop"}]}'

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """The address of a plain socket of this machine."""
    seen: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer)
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.close()
        for writer in seen:
            writer.close()


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[Provider]:
    """A provider behind such a socket."""
    async with listening(serve) as url:
        provider = connect(Accounts(openai_base_url=url, openai_key=KEY))["openai"]
        try:
            yield provider
        finally:
            await provider.close()


def saying(*parts: bytes, hold: asyncio.Event | None = None) -> Serve:
    """Serve these bytes to every request of a connection, then hold the line open or hang up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if hold is not None:
            await hold.wait()

    return serve


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    named = (
        ["content-type: application/json", *headers] if not any("content-type" in one for one in headers) else headers
    )
    head = "\r\n".join([f"HTTP/1.1 {status}", *named, f"content-length: {len(body) if length is None else length}"])
    return head.encode() + b"\r\n\r\n" + body


async def failure(serve: Serve, *, seconds: float = 5.0) -> ProviderFailed:
    async with served(serve) as provider:
        with pytest.raises(ProviderFailed) as raised:
            await provider.call(target("openai", "chat", seconds=seconds), CHAT)
    return raised.value


async def test_a_good_answer() -> None:
    """What is asked is answered."""
    async with served(saying(answer(GOOD))) as provider:
        reply = await provider.call(target("openai", "chat"), CHAT)
    assert (reply.http_status, reply.finish_reason) == (200, "stop")


async def test_nobody_is_there() -> None:
    """A closed port was never reached: nothing can have been charged."""
    provider = connect(Accounts(openai_base_url="http://127.0.0.1:1/v1"))["openai"]
    with pytest.raises(ProviderFailed) as raised:
        await provider.call(target("openai", "chat"), CHAT)
    await provider.close()
    assert (raised.value.failure, raised.value.reached) == ("unreachable", False)


async def test_it_hangs_up() -> None:
    """Who hangs up before answering may have begun to work."""
    failed = await failure(saying())
    assert (failed.failure, failed.reached) == ("unreachable", True)


async def test_it_says_nothing() -> None:
    """Silence is bounded by the target's own time."""
    failed = await failure(saying(hold=asyncio.Event()), seconds=0.05)
    assert (failed.failure, failed.reached) == ("timeout", True)


async def test_it_dribbles() -> None:
    """An answer that never gets whole is bounded as a whole, however often a byte of it comes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(b"", length=1 << 20))
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    assert (await failure(serve, seconds=0.2)).failure == "timeout"


async def test_half_an_answer() -> None:
    """An answer that breaks off is cut."""
    assert (await failure(saying(answer(GOOD[:20], length=len(GOOD))))).failure == "cut"


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        answer(b"not gzip at all", "content-encoding: gzip"),
        answer(GOOD[:30]),
        answer(b"[" * 100_000),
        answer(b'"a text"'),
        answer(b""),
        answer(GOOD, "content-type: text/html"),
        answer(b"", "location: http://127.0.0.1:1/", status="302 Found"),
    ],
    ids=["no http", "no gzip", "half a document", "too deep", "a text", "nothing", "html", "elsewhere"],
)
async def test_nonsense(said: bytes) -> None:
    """What cannot be read is nonsense, and a redirect is not followed: the key would go with it."""
    assert (await failure(saying(said))).failure in ("nonsense", "unreachable")


async def test_compressed_and_with_a_long_type() -> None:
    """What other servers say in other ways is understood."""
    said = answer(gzip.compress(GOOD), "content-encoding: gzip", "content-type: application/json; charset=utf-8")
    async with served(saying(said)) as provider:
        assert (await provider.call(target("openai", "chat"), CHAT)).finish_reason == "stop"


async def test_an_answer_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is larger than any answer is given up."""
    monkeypatch.setattr(wires, "LARGEST_ANSWER", 1000)
    assert (await failure(saying(answer(GOOD + b" " * 2000)))).failure == "nonsense"


async def test_a_stream_falls_silent() -> None:
    """Of a stream the wait for each event is bounded; the text so far comes with the failure."""
    event = b'data: {"id":"c-1","choices":[{"delta":{"content":"It"}}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    async with served(saying(head, event, hold=asyncio.Event())) as provider:
        assert isinstance(CHAT, Chat)
        with pytest.raises(ProviderFailed) as raised:
            async with aclosing(provider.stream(target("openai", "chat", seconds=0.1), CHAT)) as pieces:
                assert [piece async for piece in pieces]
    assert (raised.value.failure, raised.value.text, raised.value.request_id) == ("timeout", "It", "c-1")


async def test_a_line_held_open_after_the_end() -> None:
    """A stream that has said its end has ended, whatever the line does."""
    event = b'data: {"choices":[{"delta":{"content":"It"}}]}\n\ndata: [DONE]\n\n'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    async with served(saying(head, event, hold=asyncio.Event())) as provider:
        assert isinstance(CHAT, Chat)
        async with aclosing(provider.stream(target("openai", "chat", seconds=5), CHAT)) as pieces:
            assert len([piece async for piece in pieces]) == 2


async def test_who_leaves_hangs_up() -> None:
    """A stream that is closed early lets go of its connection."""
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        writer.write(b'data: {"choices":[{"delta":{"content":"It"}}]}\n\n')
        await reader.read()
        gone.set()

    async with served(serve) as provider:
        assert isinstance(CHAT, Chat)
        async with aclosing(provider.stream(target("openai", "chat"), CHAT)) as pieces:
            assert await anext(pieces) == Text("It")
        async with asyncio.timeout(5):
            await gone.wait()


@pytest.mark.parametrize("key", ["with\nbreak", "Schlüssel"])
async def test_a_header_that_is_none(key: str) -> None:
    """A key that no header can carry is a matter of its setting, and is not shown."""
    door = Door(provider="Somebody", setting="TONETOUCH_SOME_KEY")
    async with listening(saying()) as url:
        wire = Wire(door, url=url, headers={"x-api-key": key})
        with pytest.raises(AIUnavailable, match="TONETOUCH_SOME_KEY") as raised:
            await wire.ask(Asked.json("v1", {}), seconds=5)
        await wire.close()
    assert key not in str(raised.value)


async def test_keys_stay_where_they_are(caplog: pytest.LogCaptureFixture) -> None:
    """No error, representation or log line holds a key, even where the server repeats it."""
    caplog.set_level(logging.DEBUG)
    echoed = answer(f'{{"error":{{"message":"wrong: {KEY}"}}}}'.encode(), status="500 Internal Server Error")
    failed = await failure(saying(echoed))
    assert "wrong: ***" in str(failed)
    said = [str(failed), repr(failed), repr(vars(failed)), *(record.getMessage() for record in caplog.records)]
    assert caplog.records
    assert not [line for line in said if KEY in line]


async def test_one_connection_for_many_calls() -> None:
    """Calls and finished streams leave their connection to the next one."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await saying(answer(GOOD))(reader, writer)

    async with served(serve) as provider:
        for _ in range(5):
            await provider.call(target("openai", "chat"), CHAT)
    assert connections == 1
