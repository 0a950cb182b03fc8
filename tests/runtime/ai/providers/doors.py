"""Providers whose answers are written down beforehand, and one plain request for every task."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager

import httpx

from tests.cloud import Account
from tonetouch_runtime.ai.providers import Audio, Ended, Provider, Reply, Target, Text
from tonetouch_runtime.ai.providers.anthropic import Anthropic
from tonetouch_runtime.ai.providers.cloudflare import Cloudflare
from tonetouch_runtime.ai.providers.connecting import Accounts, connect
from tonetouch_runtime.ai.providers.estimating import CountTokens
from tonetouch_runtime.ai.providers.failing import Door
from tonetouch_runtime.ai.providers.gateway import Gateway
from tonetouch_runtime.ai.providers.gemini import Gemini
from tonetouch_runtime.ai.providers.openai_compatible import OpenAICompatible
from tonetouch_runtime.ai.providers.wire import Wire
from tonetouch_runtime.ai.tasks import (
    AITask,
    AnyRequest,
    Chat,
    Embeddings,
    ImageDescription,
    ImageGeneration,
    Message,
    Moderation,
    Rerank,
    Speech,
    Transcription,
    Translation,
)

Doors = dict[str, Provider]

KEY = "sk-secret-4711"
GATEWAY = Gateway(account="acc", name="main", token="cf-secret-4711")

REQUESTS: Mapping[AITask, AnyRequest] = {
    "chat": Chat(messages=(Message("user", "When did it come out?"),), context="[F1] It came out in 1994."),
    "embeddings": Embeddings(texts=("one", "two")),
    "rerank": Rerank(query="sad", passages=("a happy song", "a sad song")),
    "moderation": Moderation(text="I will find you."),
    "image_description": ImageDescription(image=b"\x89PNG\r\n\x1a\n"),
    "translation": Translation(text="Hello", source="en", target="fr"),
    "transcription": Transcription(audio=b"RIFF", media_type="audio/wav"),
    "speech": Speech(text="You are hearing Portico"),
    "image_generation": ImageGeneration(prompt="a blue square"),
}


class Chunked(httpx.AsyncByteStream):
    """A body in pieces of so many bytes, which mean nothing."""

    def __init__(self, body: bytes, size: int) -> None:
        self._body = body
        self._size = size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for place in range(0, len(self._body), self._size):
            yield self._body[place : place + self._size]


def answering(
    provider: str,
    answer: Callable[[httpx.Request], httpx.Response],
    *,
    gateway: Gateway | None = None,
    count: CountTokens | None = None,
) -> Provider:
    """A provider whose requests go to `answer`."""
    door = Door(provider=provider, setting="TONETOUCH_SOME_KEY", secrets=(KEY, GATEWAY.token))
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    wire = Wire(door, url="http://door.test/v1", headers={"authorization": f"Bearer {KEY}"}, client=client)
    match provider:
        case "cloudflare":
            return Cloudflare(wire, gateway=gateway, count=count)
        case "anthropic":
            return Anthropic(wire, gateway=gateway, count=count)
        case "gemini":
            return Gemini(wire, gateway=gateway, count=count)
        case _:
            return OpenAICompatible(wire, official=True, gateway=gateway, count=count)


def target(provider: str, task: AITask, model: str = "some-model", *, seconds: float = 20.0) -> Target:
    """A row of the routing table."""
    return Target(name=model, provider=provider, task=task, model=model, timeout_seconds=seconds)


@asynccontextmanager
async def connected(cloud: Account, *, gateway: bool = False, count: CountTokens | None = None) -> AsyncIterator[Doors]:
    """All providers of an account of the simulated cloud, directly or through its gateway."""
    accounts = Accounts(
        cloudflare_account=cloud.id,
        cloudflare_token=cloud.token,
        cloudflare_gateway=cloud.gateway if gateway else "",
        cloudflare_api_url=cloud.api_url,
        cloudflare_gateway_url=cloud.gateway_url,
        anthropic_key=cloud.anthropic_key,
        anthropic_url=cloud.anthropic_url,
        openai_key=cloud.openai_key,
        openai_base_url="" if gateway else cloud.openai_url,
        gemini_key=cloud.gemini_key,
        gemini_url=cloud.gemini_url,
    )
    providers = connect(accounts, count=count)
    try:
        yield providers
    finally:
        for provider in providers.values():
            await provider.close()


async def pieces(provider: Provider, where: Target, request: Chat | Speech) -> tuple[list[Text | Audio], Reply]:
    """All pieces of a stream, and the reply at its end."""
    async with aclosing(provider.stream(where, request)) as coming:
        came = [piece async for piece in coming]
    *first, last = came
    assert isinstance(last, Ended)
    return [piece for piece in first if not isinstance(piece, Ended)], last.reply


def spoken_text(pieces: Iterable[Text | Audio]) -> str:
    """The text that came piece by piece."""
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))
