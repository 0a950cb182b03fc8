"""The embedded engines answer in the shape of every provider, and say which setting helps where they cannot."""

import numpy as np
import pytest

from tests.runtime.ai.pictures import NAVY, encoded, flat
from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable
from tonetouch_runtime.ai.local import Fact, LocalEngines, Pattern
from tonetouch_runtime.ai.providers import Ended, Piece, Provider, Target, Text
from tonetouch_runtime.ai.providers.local import LocalProvider
from tonetouch_runtime.ai.tasks import (
    AnyRequest,
    Chat,
    ChatResult,
    Embeddings,
    EmbeddingsResult,
    ImageDescription,
    ImageDescriptionResult,
    Message,
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


async def streamed(request: Chat) -> list[Piece]:
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


@pytest.mark.parametrize(
    "request_",
    [
        Chat(messages=(Message("user", "Hello!"),)),
        Chat(messages=(), facts=FACTS),
        Chat(messages=(), template=((TITLE,),)),
        Translation(text="Hello", source="en", target="fr"),
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
    ],
)
async def test_what_no_engine_will_ever_read_is_refused(request_: AnyRequest) -> None:
    """Trying again would change nothing."""
    with pytest.raises(AIInputRefused):
        await LOCAL.call(target(request_), request_)
