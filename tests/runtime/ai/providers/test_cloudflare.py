"""Workers AI, directly and through a gateway: nine models, each with a body and a result of its own."""

import math
import struct
from collections.abc import Sequence

import msgspec
import pytest

from tests.cloud import Account, Fault, Prompt, tokens_of
from tests.cloud.models import AURA, BGE_M3, FLUX, LLAMA, LLAMA_GUARD, LLAVA, M2M100, RERANKER, WHISPER
from tests.runtime.ai.pictures import NAVY, encoded, flat
from tests.runtime.ai.providers.doors import connected, pieces, spoken_text, target
from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.providers import Audio, Reply
from tonetouch_runtime.ai.tasks import (
    AnyRequest,
    Chat,
    ChatResult,
    Embeddings,
    EmbeddingsResult,
    ImageDescription,
    ImageDescriptionResult,
    ImageGeneration,
    ImageGenerationResult,
    Message,
    Moderation,
    ModerationResult,
    Rerank,
    RerankResult,
    Speech,
    SpeechResult,
    Transcription,
    TranscriptionResult,
    Translation,
    TranslationResult,
)

CONTEXT = "[F1] Dummy came out in 1994.\n" * 40
CHAT = Chat(messages=(Message("user", "When did it come out?"),), context=CONTEXT, instructions="Be short.")
EITHER = pytest.mark.parametrize("gateway", [False, True], ids=["direct", "gateway"])


async def ask(cloud: Account, model: str, request: AnyRequest, *, gateway: bool = False) -> Reply:
    async with connected(cloud, gateway=gateway) as doors:
        about = {"feature": "about", "subject": "track:t1"}
        return await doors["cloudflare"].call(target("cloudflare", request.task(), model), request, about=about)


def floats(vector: bytes) -> Sequence[float]:
    return struct.unpack(f"<{len(vector) // 4}f", vector)


def wav(seconds: float) -> bytes:
    data = b"\0\0" * round(8000 * seconds)
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(data),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        8000,
        16000,
        2,
        16,
        b"data",
        len(data),
    )
    return header + data


@EITHER
async def test_embeddings(cloud: Account, gateway: bool) -> None:
    """Each text has its own vector of little-endian float32, in the order asked, and no two texts the same."""
    reply = await ask(cloud, BGE_M3, Embeddings(texts=("one", "two", "one")), gateway=gateway)
    assert isinstance(reply.result, EmbeddingsResult)
    one, two, again = reply.result.vectors
    assert len(one) == 1024 * 4
    assert one == again != two
    assert math.isclose(sum(x * x for x in floats(one)), 1, rel_tol=1e-3)


async def test_at_most_a_hundred_texts(cloud: Account) -> None:
    """A hundred texts are answered; one more is refused before anybody is asked."""
    await ask(cloud, BGE_M3, Embeddings(texts=("a",) * 100))
    with pytest.raises(AIInputRefused, match="100"):
        await ask(cloud, BGE_M3, Embeddings(texts=("a",) * 101))
    assert len(cloud.calls(BGE_M3)) == 1


@EITHER
@pytest.mark.parametrize("model", [RERANKER, BGE_M3])
async def test_rerank(cloud: Account, gateway: bool, model: str) -> None:
    """Passages come best first, by their place in the question, and no more than were asked for."""
    request = Rerank(query="rain", passages=("sun", "rain and rain", "snow", "a little rain"))
    reply = await ask(cloud, model, request, gateway=gateway)
    assert isinstance(reply.result, RerankResult)
    ranked = reply.result.ranked
    assert sorted(one.index for one in ranked) == [0, 1, 2, 3]
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    top = await ask(cloud, model, msgspec.structs.replace(request, top=2), gateway=gateway)
    assert isinstance(top.result, RerankResult)
    assert top.result.ranked == ranked[:2]


@EITHER
async def test_moderation(cloud: Account, gateway: bool) -> None:
    """A verdict is safe, or unsafe with its categories."""
    cloud.plan(LLAMA_GUARD, "unsafe\nS1,S10", times=1)
    bad = await ask(cloud, LLAMA_GUARD, Moderation(text="I will find you"), gateway=gateway)
    assert bad.result == ModerationResult(safe=False, categories=("S1", "S10"))
    cloud.plan(LLAMA_GUARD, "safe", times=1)
    good = await ask(cloud, LLAMA_GUARD, Moderation(text="hello"), gateway=gateway)
    assert good.result == ModerationResult(safe=True)
    assert good.usage.source == "reported"


@EITHER
async def test_image_description(cloud: Account, gateway: bool) -> None:
    """A picture goes in as integers and comes back as a sentence. Nobody tells what it used."""
    cloud.plan(LLAVA, "A blue square.")
    reply = await ask(cloud, LLAVA, ImageDescription(image=encoded(flat(NAVY))), gateway=gateway)
    assert reply.result == ImageDescriptionResult(text="A blue square.")
    assert (reply.usage.source, reply.usage.prompt_tokens) == ("none", None)


@EITHER
async def test_translation(cloud: Account, gateway: bool) -> None:
    """A text comes back in the other language."""
    cloud.plan(M2M100, "Bonjour")
    reply = await ask(cloud, M2M100, Translation(text="Hello", source="en", target="fr"), gateway=gateway)
    assert reply.result == TranslationResult(text="Bonjour")


@EITHER
async def test_transcription(cloud: Account, gateway: bool) -> None:
    """A recording comes back as words with their times; its length is what it costs."""
    cloud.plan(WHISPER, "nobody loves me")
    request = Transcription(audio=wav(1.5), media_type="audio/wav", language="en", hint="trip hop")
    reply = await ask(cloud, WHISPER, request, gateway=gateway)
    assert isinstance(reply.result, TranscriptionResult)
    assert (reply.result.text, reply.result.language) == ("nobody loves me", "en")
    assert [word.text for word in reply.result.words] in ([], ["nobody", "loves", "me"])
    (heard,) = reply.usage.quantities
    assert (heard.unit, heard.amount) == ("audio_ms", cloud.charged(WHISPER).audio_milliseconds)


@EITHER
@pytest.mark.parametrize(("encoding", "media_type"), [("mp3", "audio/mpeg"), ("wav", "audio/wav")])
async def test_speech(cloud: Account, gateway: bool, encoding: str, media_type: str) -> None:
    """A text comes back as sound without an envelope; its characters are what it costs."""
    request = msgspec.convert({"text": "You are hearing Portico.", "task": "speech", "encoding": encoding}, Speech)
    reply = await ask(cloud, AURA, request, gateway=gateway)
    assert isinstance(reply.result, SpeechResult)
    assert reply.result.audio
    assert reply.result.media_type == media_type
    (read,) = reply.usage.quantities
    assert (read.unit, read.amount) == ("character", cloud.charged(AURA).characters)


@EITHER
async def test_image_generation(cloud: Account, gateway: bool) -> None:
    """A picture comes back as bytes of the kind it says, counted in tiles and steps."""
    reply = await ask(cloud, FLUX, ImageGeneration(prompt="a blue square", steps=6), gateway=gateway)
    assert isinstance(reply.result, ImageGenerationResult)
    assert reply.result.media_type in ("image/jpeg", "image/png")
    assert reply.usage.source == "estimated"
    assert {one.unit for one in reply.usage.quantities} == {"tile", "step"}
    assert next(one.amount for one in reply.usage.quantities if one.unit == "step") == 6


async def test_impossible_pictures_are_refused(cloud: Account) -> None:
    """A prompt that is too long, or more steps than there are, never leaves."""
    for request in (ImageGeneration(prompt="a" * 2049), ImageGeneration(prompt="a", steps=9)):
        with pytest.raises(AIInputRefused):
            await ask(cloud, FLUX, request)
    assert not cloud.calls(FLUX)


@EITHER
async def test_chat(cloud: Account, gateway: bool) -> None:
    """A text, with the counts the provider charged."""
    reply = await ask(cloud, LLAMA, CHAT, gateway=gateway)
    assert isinstance(reply.result, ChatResult)
    assert "1994" in reply.result.text
    charged = cloud.charged(LLAMA)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (
        charged.prompt_tokens,
        charged.completion_tokens,
    )
    assert reply.request_id
    assert reply.http_status == 200
    assert reply.finish_reason == "stop"


async def test_the_context_comes_first(cloud: Account) -> None:
    """The context is the beginning of the system message to the byte; instructions come after it."""
    seen: list[Prompt] = []

    def answer(prompt: Prompt) -> str:
        seen.append(prompt)
        return "Yes."

    cloud.plan(LLAMA, answer)
    await ask(cloud, LLAMA, CHAT)
    assert seen[0].system == f"{CONTEXT}\n\nBe short."
    assert seen[0].turns == (("user", "When did it come out?"),)
    assert seen[0].max_tokens == CHAT.max_tokens


async def test_a_context_is_read_again_from_the_cache(cloud: Account) -> None:
    """A second request with the same context lands where the first one was read."""
    async with connected(cloud) as doors:
        where = target("cloudflare", "chat", LLAMA)
        first = await doors["cloudflare"].call(where, CHAT)
        other = msgspec.structs.replace(CHAT, messages=(Message("user", "Who made it?"),))
        second = await doors["cloudflare"].call(where, other)
    assert first.usage.cached_tokens == 0
    assert second.usage.cached_tokens == cloud.calls(LLAMA)[1].charged.cached_tokens > 0


async def test_long_answers_are_asked_for_and_cut_ones_named(cloud: Account) -> None:
    """The longest answer is always asked for; one that used all of it says that it was cut."""
    cloud.plan(LLAMA, "word " * 600)
    short = await ask(cloud, LLAMA, msgspec.structs.replace(CHAT, max_tokens=100))
    assert (short.usage.completion_tokens, short.finish_reason) == (100, "length")
    long = await ask(cloud, LLAMA, CHAT)
    assert (long.usage.completion_tokens or 0) > 256


@EITHER
async def test_json(cloud: Account, gateway: bool) -> None:
    """With a schema the answer is JSON; as a stream it comes in one piece, for JSON is not streamed there."""
    schema = {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}
    request = msgspec.structs.replace(CHAT, schema=msgspec.Raw(msgspec.json.encode(schema)))
    reply = await ask(cloud, LLAMA, request, gateway=gateway)
    assert isinstance(reply.result, ChatResult)
    assert isinstance(msgspec.json.decode(reply.result.text)["year"], int)
    async with connected(cloud, gateway=gateway) as doors:
        texts, last = await pieces(doors["cloudflare"], target("cloudflare", "chat", LLAMA), request)
    assert len(texts) == 1
    assert isinstance(last.result, ChatResult)
    assert last.result.text == spoken_text(texts)


@EITHER
@pytest.mark.parametrize("model", [LLAMA, "@cf/meta/llama-4-scout-17b-16e-instruct"])
async def test_chat_as_a_stream(cloud: Account, gateway: bool, model: str) -> None:
    """A stream says the same as the whole answer, piece by piece, and its end tells the usage."""
    whole = await ask(cloud, model, CHAT, gateway=gateway)
    cloud.reset()
    async with connected(cloud, gateway=gateway) as doors:
        texts, reply = await pieces(doors["cloudflare"], target("cloudflare", "chat", model), CHAT)
    assert len(texts) > 1
    assert isinstance(whole.result, ChatResult)
    assert isinstance(reply.result, ChatResult)
    assert spoken_text(texts) == reply.result.text == whole.result.text
    assert (reply.usage.quantities, reply.finish_reason) == (whole.usage.quantities, whole.finish_reason)


@EITHER
async def test_speech_as_a_stream(cloud: Account, gateway: bool) -> None:
    """The pieces of a recording are the recording."""
    async with connected(cloud, gateway=gateway) as doors:
        audio, reply = await pieces(doors["cloudflare"], target("cloudflare", "speech", AURA), Speech(text="Hello."))
    assert isinstance(reply.result, SpeechResult)
    assert b"".join(piece.audio for piece in audio if isinstance(piece, Audio)) == reply.result.audio


async def test_a_plain_document_instead_of_a_stream(cloud: Account) -> None:
    """A model that answers at once although it was asked for a stream is understood."""
    cloud.fail(LLAMA, Fault(plain_json=True))
    async with connected(cloud) as doors:
        texts, reply = await pieces(doors["cloudflare"], target("cloudflare", "chat", LLAMA), CHAT)
    assert len(texts) == 1
    assert reply.usage.source == "reported"


async def test_usage_that_is_not_told_is_unknown(cloud: Account) -> None:
    """Without usage nothing is known; with something to count by there is an estimate, which says so."""
    cloud.fail(LLAMA, Fault(without_usage=True), times=2)
    assert (await ask(cloud, LLAMA, CHAT)).usage.source == "none"
    async with connected(cloud, count=tokens_of) as doors:
        reply = await doors["cloudflare"].call(target("cloudflare", "chat", LLAMA), CHAT)
    assert reply.usage.source == "estimated"
    assert (reply.usage.prompt_tokens or 0) >= tokens_of(CONTEXT)


async def test_the_gateway_keeps_a_log(cloud: Account) -> None:
    """The id of the gateway's log comes back; feature and subject stand in it; it tries nothing again."""
    reply = await ask(cloud, LLAMA, CHAT, gateway=True)
    call = cloud.calls(LLAMA)[0]
    assert reply.gateway_log_id == call.log_id is not None
    assert call.metadata == {"feature": "about", "subject": "track:t1"}
    cloud.fail(LLAMA, Fault(status=500))
    with pytest.raises(ProviderFailed):
        await ask(cloud, LLAMA, CHAT, gateway=True)
    assert len(cloud.calls(LLAMA)) == 2
    again = await ask(cloud, LLAMA, CHAT, gateway=True)
    assert again.usage.source == "reported"


async def test_an_unknown_model_names_the_table(cloud: Account) -> None:
    """A model that is not there is a matter of the routing table."""
    with pytest.raises(AIUnavailable, match="TONETOUCH_AI_ROUTES"):
        await ask(cloud, "@cf/nobody/nothing", CHAT)
