"""Answers that are read while they come: by one, by several, by nobody any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.runtime.ai.clients import PRIVATE, TEST, Connected, connected, provision_ai, until_recorded
from tests.runtime.ai.scripted import Scripted
from tonetouch_runtime import Settings
from tonetouch_runtime.ai import ProviderFailed, Streamed
from tonetouch_runtime.ai.providers import Text
from tonetouch_runtime.ai.streaming import Live
from tonetouch_runtime.ai.tasks import Chat, ChatResult, Message
from tonetouch_runtime.ai.usage import Usage, tokens

CHAT = Chat(messages=(Message("user", "Who is Ada?"),), max_tokens=100)
PARTS = ("Ada ", "is ", "a singer.")


@pytest.fixture(name="stack")
async def _stack(settings: Settings) -> AsyncIterator[AsyncExitStack]:
    await provision_ai(settings)
    async with AsyncExitStack() as stack:
        yield stack


async def client_of(stack: AsyncExitStack, settings: Settings, *providers: Scripted) -> Connected:
    return await stack.enter_async_context(connected(settings, providers={one.name: one for one in providers}))


async def read(streamed: Streamed[ChatResult]) -> list[str]:
    return [piece.text async for piece in streamed if isinstance(piece, Text)]


async def test_the_pieces_come_in_order_and_add_up(stack: AsyncExitStack, settings: Settings) -> None:
    """The whole is accounted for like any call, with the time to its first piece."""
    client = await client_of(stack, settings, Scripted("cloudflare", PARTS))
    streamed = await client.ai.stream(CHAT, TEST)
    assert await read(streamed) == list(PARTS)
    answered = await streamed.answered()
    assert answered.result.text == "Ada is a singer."
    _, [row] = await client.rows()
    assert (row.outcome, row.completion_tokens, row.usage_source) == ("succeeded", 4, "reported")
    assert row.first_token_ms is not None and row.latency_ms is not None and row.first_token_ms <= row.latency_ms


async def test_what_was_answered_before_comes_as_one_piece(stack: AsyncExitStack, settings: Settings) -> None:
    """A stream and a plain call are one question: either finds the other's answer."""
    scripted = Scripted("cloudflare", PARTS)
    client = await client_of(stack, settings, scripted)
    await (await client.ai.stream(CHAT, TEST)).answered()
    plain = await client.ai.ask(CHAT, TEST)
    streamed = await client.ai.stream(CHAT, TEST)
    assert await read(streamed) == ["Ada is a singer."]
    assert (plain.cache, (await streamed.answered()).cache, len(scripted.asked)) == ("exact_hit", "exact_hit", 1)


async def test_two_readers_of_the_same_question_read_one_stream(stack: AsyncExitStack, settings: Settings) -> None:
    """The second reads from the beginning, whenever it comes."""
    scripted = Scripted("cloudflare", PARTS)
    client = await client_of(stack, settings, scripted)
    first, second = await client.ai.stream(CHAT, TEST), await client.ai.stream(CHAT, TEST)
    both = await asyncio.gather(read(first), read(second))
    assert [*both] == [list(PARTS), list(PARTS)]
    caches = {(await first.answered()).cache, (await second.answered()).cache}
    assert (caches, len(scripted.asked)) == ({"miss", "coalesced"}, 1)


async def test_a_reader_that_leaves_loses_no_usage(stack: AsyncExitStack, settings: Settings) -> None:
    """The call goes on to its end without it, is accounted for, and its answer is kept."""
    client = await client_of(stack, settings, Scripted("cloudflare", PARTS))
    streamed = await client.ai.stream(CHAT, TEST)
    async for _ in streamed:
        break
    del streamed
    await until_recorded(client.bus)
    _, [row] = await client.rows()
    assert (row.outcome, row.completion_tokens) == ("succeeded", 4)
    assert (await client.ai.ask(CHAT, TEST)).cache == "exact_hit"


async def test_a_stream_that_is_cut_keeps_what_is_known_of_it(stack: AsyncExitStack, settings: Settings) -> None:
    """Somebody has read the beginning: no other model goes on, and the row says what the beginning has used."""
    used = Usage(quantities=tokens(prompt=50, completion=2), source="partial")
    cut = ProviderFailed("cut", "the stream ended", usage=used, text="Ada is ")
    client = await client_of(stack, settings, Scripted("cloudflare", ("Ada ", "is ", cut)), Scripted("anthropic", "no"))
    streamed = await client.ai.stream(CHAT, TEST)
    assert await read(streamed) == ["Ada ", "is "]
    with pytest.raises(ProviderFailed, match="the stream ended"):
        await streamed.answered()
    _, [row] = await client.rows()
    assert (row.outcome, row.error_type, row.usage_source) == ("failed", "cut", "partial")
    assert (row.prompt_tokens, row.completion_tokens) == (50, 2)


async def test_a_stream_that_fails_before_its_first_piece_moves_on(stack: AsyncExitStack, settings: Settings) -> None:
    """Nobody has read anything yet: the next target tells the whole story."""
    busy = ProviderFailed("overloaded", "529")
    client = await client_of(stack, settings, Scripted("cloudflare", busy), Scripted("anthropic", PARTS))
    streamed = await client.ai.stream(CHAT, TEST)
    assert await read(streamed) == list(PARTS)
    assert (await streamed.answered()).provider == "anthropic"


async def test_a_private_stream_is_read_by_one(stack: AsyncExitStack, settings: Settings) -> None:
    """What a person asks is shared with nobody, even at the same moment."""
    scripted = Scripted("cloudflare", PARTS)
    client = await client_of(stack, settings, scripted)
    first, second = await client.ai.stream(CHAT, PRIVATE), await client.ai.stream(CHAT, PRIVATE)
    await asyncio.gather(read(first), read(second))
    assert len(scripted.asked) == 2
    assert [facts.key async for facts in client.objects.list("ai/")] == []


async def test_a_late_reader_misses_nothing() -> None:
    """All that came before is read first, and the end ends it."""
    live = Live()
    live.put(Text("a"))
    early = asyncio.create_task(_texts(live))
    live.put(Text("b"))
    await asyncio.sleep(0)
    late = asyncio.create_task(_texts(live))
    await asyncio.sleep(0)
    live.put(Text("c"))
    live.end()
    assert await early == await late == ["a", "b", "c"]


async def _texts(live: Live) -> list[str]:
    return [piece.text async for piece in live if isinstance(piece, Text)]
