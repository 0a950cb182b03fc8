"""Anthropic's messages, directly and through a gateway, with a prompt cache that is asked for."""

import msgspec
import pytest

from tests.cloud import Account, Fault, Prompt, tokens_of
from tests.runtime.ai.providers.doors import REQUESTS, connected, pieces, spoken_text, target
from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.providers import Reply
from tonetouch_runtime.ai.tasks import Chat, ChatResult, Message

SONNET = "claude-sonnet-4-5"
CONTEXT = "".join(f"[F{number}] Track {number} of the album is {number} minutes long.\n" for number in range(1, 200))
CHAT = Chat(messages=(Message("user", "Write a note."),), context=CONTEXT, instructions="Be short.", max_tokens=200)
EITHER = pytest.mark.parametrize("gateway", [False, True], ids=["direct", "gateway"])
WHERE = target("anthropic", "chat", SONNET)


async def ask(cloud: Account, request: Chat, *, gateway: bool = False) -> Reply:
    async with connected(cloud, gateway=gateway) as doors:
        return await doors["anthropic"].call(WHERE, request, about={"feature": "about"})


@EITHER
async def test_a_chat(cloud: Account, gateway: bool) -> None:
    """A text with the counts that were charged, what it is called, and who answered."""
    reply = await ask(cloud, CHAT, gateway=gateway)
    charged = cloud.charged(SONNET)
    assert isinstance(reply.result, ChatResult)
    assert reply.result.text
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (
        charged.prompt_tokens,
        charged.completion_tokens,
    )
    assert reply.request_id
    assert reply.model == SONNET
    assert (reply.gateway_log_id is not None) == gateway


@EITHER
@pytest.mark.parametrize(("lifetime", "written"), [("5m", "write_5m"), ("1h", "write_1h")])
async def test_a_context_is_written_once_and_read_after(
    cloud: Account, gateway: bool, lifetime: str, written: str
) -> None:
    """The first request writes the context for as long as was asked, the next ones read it, to the token."""
    lasting = msgspec.convert({**msgspec.to_builtins(CHAT), "context_lifetime": lifetime}, Chat)
    first = await ask(cloud, lasting, gateway=gateway)
    other = msgspec.structs.replace(lasting, messages=(Message("user", "Write another."),), instructions="Be long.")
    second = await ask(cloud, other, gateway=gateway)
    kept = first.usage.cache_write_tokens
    assert kept is not None
    assert kept >= tokens_of(CONTEXT)
    assert {one.cache for one in first.usage.quantities if one.direction == "input"} == {"none", written}
    assert (second.usage.cached_tokens, second.usage.cache_write_tokens) == (kept, 0)


async def test_nothing_is_kept_unless_asked(cloud: Account) -> None:
    """Without a lifetime no breakpoint is set."""
    await ask(cloud, CHAT)
    second = await ask(cloud, CHAT)
    assert (second.usage.cached_tokens, second.usage.cache_write_tokens) == (0, 0)


@EITHER
async def test_a_stream(cloud: Account, gateway: bool) -> None:
    """A stream says and counts the same as the whole answer."""
    whole = await ask(cloud, CHAT, gateway=gateway)
    async with connected(cloud, gateway=gateway) as doors:
        texts, reply = await pieces(doors["anthropic"], WHERE, CHAT)
    assert isinstance(whole.result, ChatResult)
    assert isinstance(reply.result, ChatResult)
    assert len(texts) > 1
    assert spoken_text(texts) == reply.result.text == whole.result.text
    assert (reply.usage.quantities, reply.finish_reason) == (whole.usage.quantities, whole.finish_reason)


async def test_a_stream_reads_the_cache_too(cloud: Account) -> None:
    """Cached tokens are not lost on the way of streams."""
    lasting = msgspec.structs.replace(CHAT, context_lifetime="5m")
    first = await ask(cloud, lasting)
    async with connected(cloud) as doors:
        _, second = await pieces(doors["anthropic"], WHERE, lasting)
    assert second.usage.cached_tokens == first.usage.cache_write_tokens != 0


async def test_a_cut_stream_knows_its_input(cloud: Account) -> None:
    """A cut stream raises with the text that came, and with its input counted: partial."""
    cloud.fail(SONNET, Fault(cut_after=2))
    async with connected(cloud) as doors:
        with pytest.raises(ProviderFailed) as raised:
            await pieces(doors["anthropic"], WHERE, CHAT)
    failed = raised.value
    assert failed.failure == "cut"
    assert failed.usage is not None
    assert failed.usage.source == "partial"
    assert failed.usage.prompt_tokens == cloud.charged(SONNET).prompt_tokens


async def test_a_cut_streams_output_can_be_counted(cloud: Account) -> None:
    """The first event counts the output before there is any. What came after it is counted by us, if we can count."""
    cloud.plan(SONNET, "The album came out in 1994. " * 20)
    cloud.fail(SONNET, Fault(cut_after=12))
    async with connected(cloud, count=tokens_of) as doors:
        with pytest.raises(ProviderFailed) as raised:
            await pieces(doors["anthropic"], WHERE, CHAT)
    failed = raised.value
    assert failed.usage is not None
    assert failed.text
    assert failed.usage.source == "partial"
    assert failed.usage.completion_tokens == tokens_of(failed.text)
    assert failed.usage.prompt_tokens == cloud.charged(SONNET).prompt_tokens


async def test_the_order_of_a_prompt(cloud: Account) -> None:
    """Context, then instructions, then what was said by turns. A schema comes behind the context, in words."""
    seen: list[Prompt] = []

    def answer(prompt: Prompt) -> str:
        seen.append(prompt)
        return '{"year": 1994}'

    cloud.plan(SONNET, answer)
    reply = await ask(cloud, msgspec.structs.replace(CHAT, schema=msgspec.Raw(b'{"type":"object"}')))
    assert seen[0].system.startswith(CONTEXT)
    assert seen[0].system.index("Be short.") < seen[0].system.index('{"type":"object"}')
    assert reply.result == ChatResult(text='{"year": 1994}')


async def test_it_has_one_task() -> None:
    """Any other task names the table in which another provider can be named."""
    cloud = Account("http://127.0.0.1:9")
    async with connected(cloud) as doors:
        for task, request in REQUESTS.items():
            if task != "chat":
                with pytest.raises(AIUnavailable, match=f"TONETOUCH_AI_ROUTES.*{task}"):
                    await doors["anthropic"].call(target("anthropic", task), request)
        with pytest.raises(AIInputRefused):
            await doors["anthropic"].call(WHERE, Chat(messages=()))
