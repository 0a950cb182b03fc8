"""OpenAI through a gateway, and servers that speak like it by their address."""

import struct

import msgspec
import pytest

from tests.cloud import Account, Fault, tokens_of
from tests.runtime.ai.providers.doors import REQUESTS, connected, pieces, spoken_text, target
from tonetouch_runtime.ai.errors import AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.providers import Audio, Reply
from tonetouch_runtime.ai.providers.connecting import Accounts, connect
from tonetouch_runtime.ai.tasks import (
    AnyRequest,
    Chat,
    ChatResult,
    Embeddings,
    EmbeddingsResult,
    Message,
    Speech,
    SpeechResult,
    Transcription,
    TranscriptionResult,
)

MINI = "gpt-4o-mini"
CONTEXT = "".join(f"[F{number}] Track {number} of the album is {number} minutes long.\n" for number in range(1, 200))
CHAT = Chat(messages=(Message("user", "Write a note."),), context=CONTEXT, instructions="Be short.", max_tokens=200)
EITHER = pytest.mark.parametrize("gateway", [False, True], ids=["by address", "through the gateway"])


async def ask(cloud: Account, model: str, request: AnyRequest, *, gateway: bool = False) -> Reply:
    async with connected(cloud, gateway=gateway) as doors:
        return await doors["openai"].call(target("openai", request.task(), model), request, about={"feature": "about"})


@EITHER
async def test_a_chat(cloud: Account, gateway: bool) -> None:
    """A text with the counts that were charged."""
    reply = await ask(cloud, MINI, CHAT, gateway=gateway)
    charged = cloud.charged(MINI)
    assert isinstance(reply.result, ChatResult)
    assert reply.result.text
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (
        charged.prompt_tokens,
        charged.completion_tokens,
    )
    assert (reply.gateway_log_id is not None) == gateway


@EITHER
async def test_a_context_is_read_again_from_the_cache(cloud: Account, gateway: bool) -> None:
    """The cache works by itself; how much of the prompt was read from it is told."""
    await ask(cloud, MINI, CHAT, gateway=gateway)
    second = await ask(
        cloud, MINI, msgspec.structs.replace(CHAT, messages=(Message("user", "Another."),)), gateway=gateway
    )
    charged = cloud.calls(MINI)[1].charged
    assert second.usage.cached_tokens == charged.cached_tokens > 1000
    assert second.usage.prompt_tokens == charged.prompt_tokens


@EITHER
async def test_a_stream(cloud: Account, gateway: bool) -> None:
    """A stream says and counts the same as the whole answer: usage is asked for."""
    request = msgspec.structs.replace(CHAT, context="")
    whole = await ask(cloud, MINI, request, gateway=gateway)
    async with connected(cloud, gateway=gateway) as doors:
        texts, reply = await pieces(doors["openai"], target("openai", "chat", MINI), request)
    assert isinstance(whole.result, ChatResult)
    assert isinstance(reply.result, ChatResult)
    assert spoken_text(texts) == reply.result.text == whole.result.text
    assert (reply.usage.quantities, reply.usage.source) == (whole.usage.quantities, "reported")


async def test_a_cut_stream(cloud: Account) -> None:
    """A cut stream tells no usage; with something to count by there is an estimate of what came."""
    cloud.fail(MINI, Fault(cut_after=2), times=2)
    async with connected(cloud) as doors:
        with pytest.raises(ProviderFailed) as raised:
            await pieces(doors["openai"], target("openai", "chat", MINI), CHAT)
    assert raised.value.failure == "cut"
    assert raised.value.usage is not None
    assert raised.value.usage.source == "none"
    async with connected(cloud, count=tokens_of) as doors:
        with pytest.raises(ProviderFailed) as raised:
            await pieces(doors["openai"], target("openai", "chat", MINI), CHAT)
    assert raised.value.usage is not None
    assert raised.value.usage.source == "estimated"
    assert raised.value.usage.completion_tokens == tokens_of(raised.value.text)


@EITHER
async def test_embeddings(cloud: Account, gateway: bool) -> None:
    """Each text has its vector, in the order asked."""
    reply = await ask(cloud, "text-embedding-3-small", Embeddings(texts=("one", "two", "one")), gateway=gateway)
    assert isinstance(reply.result, EmbeddingsResult)
    one, two, again = reply.result.vectors
    assert one == again != two
    assert len(struct.unpack(f"<{len(one) // 4}f", one)) > 100
    assert reply.usage.prompt_tokens == cloud.charged("text-embedding-3-small").prompt_tokens


@EITHER
async def test_speech(cloud: Account, gateway: bool) -> None:
    """A text comes back as sound, whole and in pieces."""
    reply = await ask(cloud, "tts-1", Speech(text="You are hearing Portico."), gateway=gateway)
    assert isinstance(reply.result, SpeechResult)
    assert reply.result.media_type == "audio/mpeg"
    async with connected(cloud, gateway=gateway) as doors:
        audio, last = await pieces(
            doors["openai"], target("openai", "speech", "tts-1"), Speech(text="You are hearing Portico.")
        )
    assert b"".join(piece.audio for piece in audio if isinstance(piece, Audio)) == reply.result.audio
    assert last.usage.quantities[0].amount == 24


@EITHER
@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-transcribe"])
async def test_transcription(cloud: Account, gateway: bool, model: str) -> None:
    """A recording comes back as text; its length is what it costs."""
    data = b"\0\0" * 16_000  # two seconds
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", len(data)),
    )
    cloud.plan(model, "nobody loves me")
    request = Transcription(audio=header + data, media_type="audio/wav", language="en", hint="trip hop")
    reply = await ask(cloud, model, request, gateway=gateway)
    assert isinstance(reply.result, TranscriptionResult)
    assert (reply.result.text, reply.result.language) == ("nobody loves me", "en")
    assert reply.usage.source == "reported"
    assert [(one.unit, one.amount) for one in reply.usage.quantities] == [
        ("audio_ms", cloud.charged(model).audio_milliseconds)
    ]


@EITHER
async def test_json(cloud: Account, gateway: bool) -> None:
    """With a schema the answer is JSON that satisfies it."""
    schema = {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}
    request = msgspec.structs.replace(CHAT, schema=msgspec.Raw(msgspec.json.encode(schema)))
    reply = await ask(cloud, MINI, request, gateway=gateway)
    assert isinstance(reply.result, ChatResult)
    assert isinstance(msgspec.json.decode(reply.result.text)["year"], int)


async def test_deepseek_by_its_address(cloud: Account) -> None:
    """A server that speaks like OpenAI with counts of its own."""
    accounts = Accounts(openai_base_url=cloud.deepseek_url, openai_key=cloud.deepseek_key)
    provider = connect(accounts)["openai"]
    where = target("openai", "chat", "deepseek-chat")
    await provider.call(where, CHAT)
    second = await provider.call(where, CHAT)
    await provider.close()
    assert second.usage.cached_tokens == cloud.calls("deepseek-chat")[1].charged.cached_tokens > 1000


async def test_it_has_four_tasks(cloud: Account) -> None:
    """Any other task names the table in which another provider can be named."""
    async with connected(cloud) as doors:
        for task, request in REQUESTS.items():
            if task not in ("chat", "embeddings", "speech", "transcription"):
                with pytest.raises(AIUnavailable, match=f"TONETOUCH_AI_ROUTES.*{task}"):
                    await doors["openai"].call(target("openai", task), request)
