"""Google's generateContent, directly and through a gateway, with a prompt cache that works by itself."""

import msgspec
import pytest

from tests.cloud import Account, Fault
from tests.runtime.ai.providers.doors import REQUESTS, connected, pieces, spoken_text, target
from tonetouch_runtime.ai.errors import AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.providers import Reply
from tonetouch_runtime.ai.tasks import Chat, ChatResult, Message

FLASH = "gemini-2.5-flash"
CONTEXT = "".join(f"[F{number}] Track {number} of the album is {number} minutes long.\n" for number in range(1, 200))
CHAT = Chat(messages=(Message("user", "Write a note."),), context=CONTEXT, instructions="Be short.", max_tokens=200)
EITHER = pytest.mark.parametrize("gateway", [False, True], ids=["direct", "gateway"])
WHERE = target("gemini", "chat", FLASH)


async def ask(cloud: Account, request: Chat, *, gateway: bool = False) -> Reply:
    async with connected(cloud, gateway=gateway) as doors:
        return await doors["gemini"].call(WHERE, request, about={"feature": "about"})


@EITHER
async def test_a_chat(cloud: Account, gateway: bool) -> None:
    """A text with the counts that were charged, and the model that answered."""
    reply = await ask(cloud, CHAT, gateway=gateway)
    charged = cloud.charged(FLASH)
    assert isinstance(reply.result, ChatResult)
    assert reply.result.text
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (
        charged.prompt_tokens,
        charged.completion_tokens,
    )
    assert reply.request_id
    assert (reply.gateway_log_id is not None) == gateway


@EITHER
async def test_a_context_is_read_again_from_the_cache(cloud: Account, gateway: bool) -> None:
    """Nothing is asked of the cache; how much of it was read is told, and is part of the prompt."""
    first = await ask(cloud, CHAT, gateway=gateway)
    other = msgspec.structs.replace(CHAT, messages=(Message("user", "Write another."),))
    second = await ask(cloud, other, gateway=gateway)
    assert first.usage.cached_tokens == 0
    assert second.usage.cached_tokens == cloud.calls(FLASH)[1].charged.cached_tokens > 1000
    assert second.usage.prompt_tokens == cloud.calls(FLASH)[1].charged.prompt_tokens


@EITHER
async def test_a_stream(cloud: Account, gateway: bool) -> None:
    """A stream says the same as the whole answer, and its last chunk counts."""
    whole = await ask(cloud, msgspec.structs.replace(CHAT, context=""), gateway=gateway)
    async with connected(cloud, gateway=gateway) as doors:
        texts, reply = await pieces(doors["gemini"], WHERE, msgspec.structs.replace(CHAT, context=""))
    assert isinstance(whole.result, ChatResult)
    assert isinstance(reply.result, ChatResult)
    assert spoken_text(texts) == reply.result.text == whole.result.text
    assert (reply.usage.quantities, reply.finish_reason) == (whole.usage.quantities, whole.finish_reason)


async def test_a_cut_stream(cloud: Account) -> None:
    """A stream without its last chunk was cut; what had come is told."""
    cloud.fail(FLASH, Fault(cut_after=1))
    async with connected(cloud) as doors:
        with pytest.raises(ProviderFailed) as raised:
            await pieces(doors["gemini"], WHERE, CHAT)
    assert raised.value.failure == "cut"
    assert raised.value.text
    assert raised.value.usage is not None
    assert raised.value.usage.source in ("partial", "none")


@EITHER
async def test_json(cloud: Account, gateway: bool) -> None:
    """With a schema the answer is JSON that satisfies it."""
    schema = {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}
    request = msgspec.structs.replace(CHAT, schema=msgspec.Raw(msgspec.json.encode(schema)))
    reply = await ask(cloud, request, gateway=gateway)
    assert isinstance(reply.result, ChatResult)
    assert isinstance(msgspec.json.decode(reply.result.text)["year"], int)


async def test_it_has_one_task(cloud: Account) -> None:
    """Any other task names the table in which another provider can be named."""
    async with connected(cloud) as doors:
        for task, request in REQUESTS.items():
            if task != "chat":
                with pytest.raises(AIUnavailable, match=f"TONETOUCH_AI_ROUTES.*{task}"):
                    await doors["gemini"].call(target("gemini", task), request)
