"""Anthropic's messages, directly or through AI Gateway.

The context of a chat is a system block of its own in front of everything that changes, with a breakpoint of the prompt
cache after it. JSON is asked for in words behind that block: a tool would stand before it and void it.
"""

from collections.abc import AsyncGenerator, Mapping

from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable
from tonetouch_runtime.ai.providers import usage as accounts
from tonetouch_runtime.ai.providers.document import as_text, at, text_at
from tonetouch_runtime.ai.providers.estimating import CountTokens, known, no_less
from tonetouch_runtime.ai.providers.failing import Door, failed_with, said_in
from tonetouch_runtime.ai.providers.finishing import finish_reason
from tonetouch_runtime.ai.providers.gateway import Gateway
from tonetouch_runtime.ai.providers.provider import Piece, Reply, Target
from tonetouch_runtime.ai.providers.streaming import Heard, stream_text
from tonetouch_runtime.ai.providers.wire import Answered, Asked, Headed, Wire
from tonetouch_runtime.ai.tasks import AnyRequest, Chat, ChatResult
from tonetouch_runtime.ai.usage import Usage

DEFAULT_URL = "https://api.anthropic.com"
VERSION = "2023-06-01"


class Anthropic:
    """Chat with long contexts. `wire` leads to where ``v1/messages`` is."""

    name = "anthropic"

    def __init__(self, wire: Wire, *, gateway: Gateway | None = None, count: CountTokens | None = None) -> None:
        self.gateway = gateway.name if gateway else None
        self._wire = wire
        self._gateway = gateway
        self._count = count

    async def call(self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None) -> Reply:
        chat = _chat(request)
        answered = await self._wire.ask(self._asked(target, chat, about), seconds=target.timeout_seconds)
        return self._reply(answered, chat)

    def stream(
        self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Piece, None]:
        chat = _chat(request)
        asked = self._asked(target, chat, about, stream=True)
        ear = Messages(self._wire.door, chat, self._count)
        return stream_text(
            self._wire,
            asked,
            ear,
            seconds=target.timeout_seconds,
            whole=lambda answered: self._reply(answered, chat),
        )

    async def close(self) -> None:
        await self._wire.close()

    def _asked(self, target: Target, request: Chat, about: Mapping[str, str] | None, *, stream: bool = False) -> Asked:
        headers = self._gateway.headers(about) if self._gateway else {}
        return Asked.json("v1/messages", _body(target.model, request, stream=stream), headers)

    def _reply(self, answered: Answered, request: Chat) -> Reply:
        document = answered.json()
        raw = at(document, "usage")
        result = ChatResult(text=_text(answered, document))
        told = accounts.anthropic(raw, lifetime=request.context_lifetime)
        saved = answered.from_gateway_cache
        return Reply(
            result=result,
            usage=accounts.saved_by_gateway(raw) if saved else known(told, request, result, self._count),
            model=text_at(document, "model"),
            request_id=answered.request_id or text_at(document, "id"),
            gateway_log_id=answered.gateway_log_id,
            http_status=answered.status,
            finish_reason=finish_reason(at(document, "stop_reason")),
        )


class Messages:
    """The ear for Anthropic's events. The first one tells the input to the token, so a cut stream still knows it."""

    def __init__(self, door: Door, request: Chat, count: CountTokens | None) -> None:
        self._door = door
        self._request = request
        self._count = count

    def hear(self, heard: Heard, event: object) -> str:
        """The text of one event. Raises for an event that tells an error."""
        match at(event, "type"):
            case "error":
                raise failed_with(self._door, said_in(as_text(event).encode()), status=None)
            case "message_start":
                heard.model, heard.request_id = text_at(event, "message", "model"), text_at(event, "message", "id")
                heard.count(at(event, "message", "usage"))
            case "content_block_delta":
                return text_at(event, "delta", "text") or ""
            case "message_delta":
                heard.count(at(event, "usage"))
                heard.finish_reason = finish_reason(at(event, "delta", "stop_reason")) or heard.finish_reason
            case "message_stop":
                heard.ended = True
        return ""

    def usage(self, heard: Heard, *, cut: bool) -> Usage:
        """What the events said, later counts over earlier ones."""
        told = accounts.anthropic(heard.usage, lifetime=self._request.context_lifetime, cut=cut)
        if told.source == "partial" and cut:
            return no_less(told, heard.text, self._count)
        return known(told, self._request, ChatResult(text=heard.text), self._count)


def _chat(request: AnyRequest) -> Chat:
    if not isinstance(request, Chat):
        raise AIUnavailable(f"TONETOUCH_AI_ROUTES: anthropic serves no {request.task()}; name another provider for it")
    if not request.messages:
        raise AIInputRefused("a chat needs at least one message")
    return request


def _body(model: str, request: Chat, *, stream: bool) -> dict[str, object]:
    system: list[dict[str, object]] = []
    if request.context:
        block: dict[str, object] = {"type": "text", "text": request.context}
        if request.context_lifetime:
            block["cache_control"] = {"type": "ephemeral", "ttl": request.context_lifetime}
        system.append(block)
    if request.instructions:
        system.append({"type": "text", "text": request.instructions})
    if request.schema is not None:
        told = f"Answer with JSON alone, without a fence, that fits this JSON Schema: {bytes(request.schema).decode()}"
        system.append({"type": "text", "text": told})
    said: dict[str, object] = {
        "model": model,
        "max_tokens": request.max_tokens,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
    }
    if system:
        said["system"] = system
    if request.temperature is not None:
        said["temperature"] = request.temperature
    if stream:
        said["stream"] = True
    return said


def _text(headed: Headed, document: object) -> str:
    blocks = at(document, "content")
    if not isinstance(blocks, list):
        raise headed.nonsense("the answer holds no content")
    return "".join(text_at(block, "text") or "" for block in blocks if at(block, "type") == "text")
