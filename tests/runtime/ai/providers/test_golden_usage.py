"""What providers tell of usage, as they document it, comes down to the same quantities.

Each file under ``payloads`` is a whole answer or stream. It goes through the provider as it would come from outside.
"""

import base64
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec
import pytest

from tests.runtime.ai.providers.doors import REQUESTS, Chunked, answering, target
from tonetouch_contracts.job import Quantity
from tonetouch_runtime.ai.errors import ProviderFailed
from tonetouch_runtime.ai.providers import Ended, Provider, Reply, Target
from tonetouch_runtime.ai.tasks import AITask, AnyRequest, Chat, Speech
from tonetouch_runtime.ai.usage import Usage

FOLDER = Path(__file__).parent.parent / "payloads"


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """The one form. Totals that are left out are not looked at; null is unknown."""

    source: str
    quantities: tuple[Quantity, ...]
    prompt_tokens: int | msgspec.UnsetType | None = msgspec.UNSET
    cached_tokens: int | msgspec.UnsetType | None = msgspec.UNSET
    cache_write_tokens: int | msgspec.UnsetType | None = msgspec.UNSET
    completion_tokens: int | msgspec.UnsetType | None = msgspec.UNSET
    reasoning_tokens: int | msgspec.UnsetType | None = msgspec.UNSET


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """An answer (`body`, or `base64`) or a stream (`events`, and `done` for the mark some end with)."""

    says: str
    task: AITask
    model: str
    usage: Expected
    body: Any = None
    base64: str = ""
    events: tuple[dict[str, Any], ...] = ()
    done: bool = False
    stream: bool = False
    media_type: str = "application/json"
    failure: str = ""
    lifetime: Literal["5m", "1h"] | None = None
    schema: bool = False

    def request(self) -> AnyRequest:
        """What was asked."""
        request = REQUESTS[self.task]
        if not isinstance(request, Chat):
            return request
        schema = msgspec.Raw(b'{"type":"object"}') if self.schema else None
        return msgspec.structs.replace(request, context_lifetime=self.lifetime, schema=schema)

    def answer(self, chunk: int = 7) -> httpx.Response:
        """The answer in chunks of so many bytes."""
        body = msgspec.json.encode(self.body) if self.body is not None else base64.b64decode(self.base64)
        if self.events:
            named = [(str(event.get("type", "")), msgspec.json.encode(event).decode()) for event in self.events]
            lines = [(f"event: {name}\n" if name else "") + f"data: {data}\n\n" for name, data in named]
            body = "".join([*lines, "data: [DONE]\n\n" if self.done else ""]).encode()
        return httpx.Response(200, headers={"content-type": self.media_type}, stream=Chunked(body, chunk))


def _payloads() -> dict[str, Payload]:
    paths = sorted(FOLDER.rglob("*.json"))
    return {f"{path.parent.name}/{path.stem}": msgspec.json.decode(path.read_bytes(), type=Payload) for path in paths}


PAYLOADS = _payloads()


async def _outcome(provider: Provider, where: Target, payload: Payload) -> tuple[Reply | None, Usage | None]:
    request = payload.request()
    try:
        if not payload.stream or not isinstance(request, Chat | Speech):
            reply = await provider.call(where, request)
            return reply, reply.usage
        async with aclosing(provider.stream(where, request)) as pieces:
            replies = [piece.reply async for piece in pieces if isinstance(piece, Ended)]
        return replies[-1], replies[-1].usage
    except ProviderFailed as failed:
        assert failed.failure == payload.failure
        return None, failed.usage


async def _usage(name: str, chunk: int = 7) -> Usage:
    payload, kind = PAYLOADS[name], name.split("/")[0]
    provider = answering(kind, lambda _: payload.answer(chunk))
    reply, usage = await _outcome(provider, target(kind, payload.task, payload.model), payload)
    assert (reply is None) == bool(payload.failure)
    assert usage is not None
    return usage


def _sorted(quantities: Sequence[Quantity]) -> list[bytes]:
    return sorted(msgspec.json.encode(quantity) for quantity in quantities)


@pytest.mark.parametrize("name", PAYLOADS)
async def test_usage_is_the_one_form(name: str) -> None:
    """The quantities are those worked out by hand, and so are the totals and where they come from."""
    usage, expected = await _usage(name), PAYLOADS[name].usage
    assert usage.source == expected.source, PAYLOADS[name].says
    assert _sorted(usage.quantities) == _sorted(expected.quantities), PAYLOADS[name].says
    for total in ("prompt_tokens", "cached_tokens", "cache_write_tokens", "completion_tokens", "reasoning_tokens"):
        wanted = getattr(expected, total)
        assert wanted is msgspec.UNSET or getattr(usage, total) == wanted, f"{total}: {PAYLOADS[name].says}"


@pytest.mark.parametrize("name", [name for name, payload in PAYLOADS.items() if payload.stream])
async def test_chunk_borders_mean_nothing(name: str) -> None:
    """A stream in single bytes and a stream in one piece give the same usage."""
    assert await _usage(name, chunk=1) == await _usage(name, chunk=1 << 20)


@pytest.mark.parametrize("name", [name for name, payload in PAYLOADS.items() if payload.task == "chat"])
async def test_the_providers_own_words_are_kept(name: str) -> None:
    """Whatever a provider told stands beside the quantities; nothing stands there where it told nothing."""
    payload, usage = PAYLOADS[name], await _usage(name)
    body = payload.body or {}
    told = body.get("result", body)
    if not payload.events:
        raw = told.get("usage", told.get("usageMetadata"))
        assert (None if usage.raw is None else msgspec.json.decode(usage.raw)) == raw
    elif usage.source != "none":
        assert usage.raw is not None
        assert msgspec.json.decode(usage.raw)


def test_all_tasks_and_providers_are_there() -> None:
    """At least forty payloads; every provider, every task, streams and cut streams are among them."""
    assert len(PAYLOADS) >= 40
    assert {name.split("/")[0] for name in PAYLOADS} == {"cloudflare", "anthropic", "openai", "gemini"}
    assert {payload.task for payload in PAYLOADS.values()} == set(REQUESTS)
    assert {payload.failure for payload in PAYLOADS.values()} >= {"", "cut"}
    assert {payload.usage.source for payload in PAYLOADS.values()} == {"reported", "partial", "estimated", "none"}
