"""The embedded engines answer in the shape of every provider, and say which setting helps where they cannot."""

import asyncio
from importlib.util import find_spec

import numpy as np
import pytest

from tests.runtime.ai.pictures import NAVY, encoded, flat
from tonetouch_contracts.job import Quantity
from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.local import EngineFailed, Fact, LocalEngines, Pattern
from tonetouch_runtime.ai.local.hearing import Heard
from tonetouch_runtime.ai.providers import Audio, Ended, Piece, Provider, Target, Text
from tonetouch_runtime.ai.providers.local import LocalProvider, shared_engines
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
)

ENGINES = LocalEngines()
LOCAL = LocalProvider(ENGINES)
TARGETS = {target.task: target for target in LocalProvider.targets()}
TITLE, BY = Pattern("It is “{title}”.", needs=("title",)), Pattern("{by} made it.", needs=("by",))
FACTS = (Fact("1", "title", "Night Walk"), Fact("2", "by", "Ana Lima"))
ABOUT = Chat(messages=(Message("user", "Write about it."),), facts=FACTS, template=((TITLE,), (BY,)))


def target(request: AnyRequest) -> Target:
    return TARGETS[request.task()]


async def streamed(request: Chat | Speech) -> list[Piece]:
    return [piece async for piece in LOCAL.stream(target(request), request)]


def test_it_is_a_provider_with_one_target_for_each_task() -> None:
    """The packaged routing table can hold these rows as they are."""
    provider: Provider = LOCAL
    assert (provider.name, provider.gateway) == ("local", None)
    assert {(row.provider, row.model) for row in TARGETS.values()} == {
        ("local", name) for name in ENGINES.models.values()
    }
    assert TARGETS["image_description"].name == "local-image-description"
    assert len(TARGETS) == len(LocalProvider.targets())


async def test_vectors_come_as_bytes_in_the_order_of_their_texts() -> None:
    """What the engine gives, as little-endian float32, with the tokens of all texts."""
    texts = ("hello world", "夜に駆ける")
    reply = await LOCAL.call(TARGETS["embeddings"], Embeddings(texts=texts))
    assert isinstance(reply.result, EmbeddingsResult)
    vectors = [np.frombuffer(vector, "<f4") for vector in reply.result.vectors]
    assert np.array_equal(vectors, ENGINES.embed(texts).vectors)
    assert reply.model == TARGETS["embeddings"].model
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (ENGINES.embed(texts).prompt_tokens, 0)
    assert reply.usage.source == "reported"


async def test_a_text_is_written_from_facts_and_tells_them() -> None:
    """Every sentence comes with the facts it stands on."""
    reply = await LOCAL.call(TARGETS["chat"], ABOUT)
    assert isinstance(reply.result, ChatResult)
    assert reply.result.text == "It is “Night Walk”. Ana Lima made it."
    assert [sentence.fact_ids for sentence in reply.result.sentences] == [("1",), ("2",)]
    assert reply.usage.completion_tokens
    assert reply.finish_reason == "stop"


async def test_a_text_is_streamed_sentence_by_sentence() -> None:
    """The pieces together are the text, and the whole answer comes last."""
    *pieces, last = await streamed(ABOUT)
    assert isinstance(last, Ended)
    assert last.reply == await LOCAL.call(TARGETS["chat"], ABOUT)
    assert pieces == [Text("It is “Night Walk”."), Text(" Ana Lima made it.")]


async def test_a_text_keeps_within_the_tokens_it_may_have() -> None:
    """Sentences that do not fit are left out whole."""
    short = Chat(messages=(), facts=FACTS, template=((TITLE,), (BY,)), max_tokens=10)
    reply = await LOCAL.call(TARGETS["chat"], short)
    assert isinstance(reply.result, ChatResult)
    assert reply.result.text == "It is “Night Walk”."


async def test_an_image_is_described() -> None:
    """With the facts that came with it."""
    asked = ImageDescription(image=encoded(flat(NAVY)), facts=(("title", "Night Walk"),))
    reply = await LOCAL.call(TARGETS["image_description"], asked)
    assert isinstance(reply.result, ImageDescriptionResult)
    assert reply.result.text.startswith("“Night Walk”. A very dark square image")


async def test_passages_are_ranked() -> None:
    """By their places, with the tokens of query and passages."""
    asked = Rerank(query="sad piano", passages=("a fast song", "a slow sad piano piece", "piano"), top=2)
    reply = await LOCAL.call(target(asked), asked)
    assert isinstance(reply.result, RerankResult)
    assert [one.index for one in reply.result.ranked] == [1, 2]
    assert reply.usage.prompt_tokens == sum(map(ENGINES.count_tokens, (asked.query, *asked.passages)))


async def test_a_text_is_moderated() -> None:
    """With categories and reasons, or none."""
    reply = await LOCAL.call(TARGETS["moderation"], Moderation(text="I want to kill myself"))
    assert isinstance(reply.result, ModerationResult)
    assert (reply.result.safe, reply.result.categories) == (False, ("S11",))
    assert reply.result.reasons
    assert reply.usage.prompt_tokens == ENGINES.count_tokens("I want to kill myself")
    harmless = await LOCAL.call(TARGETS["moderation"], Moderation(text="Killing Me Softly"))
    assert harmless.result == ModerationResult(safe=True)


async def test_a_cover_is_painted() -> None:
    """One image, the same for the same prompt and seed."""
    asked = ImageGeneration(prompt="Night Walk", seed=3)
    one, other = await asyncio.gather(*(LOCAL.call(target(asked), asked) for _ in range(2)))
    assert isinstance(one.result, ImageGenerationResult)
    assert one.result.media_type == "image/jpeg"
    assert one == other
    assert one.usage.quantities == (Quantity(unit="image", direction="output", amount=1, modality="image"),)


async def test_a_text_is_spoken_and_heard_again() -> None:
    """Characters are counted on the way out, milliseconds on the way back."""
    asked = Speech(text="Hello world.", encoding="wav")
    said = await LOCAL.call(target(asked), asked)
    assert isinstance(said.result, SpeechResult)
    assert (said.result.media_type, said.result.audio[:4]) == ("audio/wav", b"RIFF")
    assert said.usage.quantities == (Quantity(unit="character", direction="input", amount=12),)
    listened = Transcription(audio=said.result.audio, media_type=said.result.media_type, language="en-GB")
    heard = await LOCAL.call(target(listened), listened)
    assert isinstance(heard.result, TranscriptionResult)
    assert (heard.result.text, heard.result.language) == ("hello world", "en")
    assert [word.text for word in heard.result.words] == ["hello", "world"]
    [amount] = heard.usage.quantities
    assert (amount.unit, amount.modality) == ("audio_ms", "audio")
    assert amount.amount == round((len(said.result.audio) - 44) / 2 / 22.05)


async def test_speech_is_streamed_in_pieces() -> None:
    """Together they are the recording; it says what it is, which is not always what was asked."""
    asked = Speech(text="A sentence of some length, to fill more than one piece of it.", encoding="wav")
    *pieces, last = await streamed(asked)
    assert isinstance(last, Ended) and isinstance(last.reply.result, SpeechResult)
    assert b"".join(piece.audio for piece in pieces if isinstance(piece, Audio)) == last.reply.result.audio
    assert len(pieces) > 1
    packed = await LOCAL.call(target(asked), Speech(text="One.", encoding="mp3"))
    assert isinstance(packed.result, SpeechResult)
    assert packed.result.media_type == ("audio/mpeg" if find_spec("av") else "audio/wav")


async def test_the_loop_goes_on_while_an_engine_works() -> None:
    """Even while the recogniser, which would hold the interpreter, listens to a second of noise."""
    noise = np.random.default_rng(1).integers(-9_000, 9_000, 16_000).astype("<i2").tobytes()
    asked = Transcription(audio=noise, media_type="audio/pcm; rate=16000")
    call = asyncio.create_task(LOCAL.call(target(asked), asked))
    turns = 0
    while not call.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert (await call).usage.source == "reported"
    assert turns > 20


async def test_an_engine_that_dies_is_a_failure_of_the_provider() -> None:
    """Another target may answer then; one that took too long is told apart from one that died."""

    class Dying(LocalEngines):
        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

        def hear(self, audio: bytes, media_type: str) -> Heard:
            raise self.error

    asked = Transcription(audio=b"", media_type="audio/wav")
    for error, failure in ((EngineFailed("died"), "nonsense"), (EngineFailed("stopped", timed_out=True), "timeout")):
        provider = LocalProvider(Dying(error))
        with pytest.raises(ProviderFailed) as failed:
            await provider.call(target(asked), asked)
        assert failed.value.failure == failure
        await provider.close()


def test_weights_are_loaded_once_however_many_providers() -> None:
    """All of a process share their engines."""
    assert shared_engines() is shared_engines()
    assert LocalProvider()._engines is LocalProvider()._engines


@pytest.mark.parametrize(
    "request_",
    [
        Chat(messages=(Message("user", "Hello!"),)),
        Chat(messages=(), facts=FACTS),
        Chat(messages=(), template=((TITLE,),)),
        Translation(text="Hello", source="en", target="fr"),
        Transcription(audio=b"", media_type="audio/wav", language="fr"),
    ],
)
async def test_what_no_engine_can_do_names_the_settings(request_: AnyRequest) -> None:
    """Nobody is left to guess what to change."""
    anywhere = Target(name="any", provider="local", task=request_.task(), model="any")
    with pytest.raises(AIUnavailable) as refused:
        await LOCAL.call(anywhere, request_)
    named = ("TONETOUCH_CLOUDFLARE_ACCOUNT", "TONETOUCH_CLOUDFLARE_TOKEN", "TONETOUCH_AI_ROUTES", request_.task())
    assert all(name in refused.value.setting for name in named)


@pytest.mark.parametrize(
    "request_",
    [
        ImageDescription(image=b"no image"),
        Chat(messages=(), facts=FACTS[:1] * 2, template=((TITLE,),)),
        Rerank(query="", passages=("x",)),
        Moderation(text="x" * 1_000_000),
        Transcription(audio=b"no recording", media_type="audio/wav"),
        Speech(text="\u200b"),
        ImageGeneration(prompt="\x00"),
    ],
)
async def test_what_no_engine_will_ever_read_is_refused(request_: AnyRequest) -> None:
    """Trying again would change nothing."""
    with pytest.raises(AIInputRefused):
        await LOCAL.call(target(request_), request_)
