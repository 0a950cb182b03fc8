"""Google's generateContent, directly or through AI Gateway.

Its prompt cache works by itself: what is said first and stays the same is kept, and the usage tells how much was.
"""

from collections.abc import AsyncGenerator, Mapping

from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable
from tonetouch_runtime.ai.providers import usage as accounts
from tonetouch_runtime.ai.providers.document import as_text, at, list_at, text_at
from tonetouch_runtime.ai.providers.estimating import CountTokens, known
from tonetouch_runtime.ai.providers.failing import Door, failed_with, said_in
from tonetouch_runtime.ai.providers.finishing import finish_reason
from tonetouch_runtime.ai.providers.gateway import Gateway
from tonetouch_runtime.ai.providers.provider import Piece, Reply, Target
from tonetouch_runtime.ai.providers.streaming import Heard, stream_text
from tonetouch_runtime.ai.providers.wire import Answered, Asked, Wire
from tonetouch_runtime.ai.tasks import AnyRequest, Chat, ChatResult
from tonetouch_runtime.ai.usage import Usage

DEFAULT_URL = "https://generativelanguage.googleapis.com/v1beta"


class Gemini:
    """Chat with long contexts. `wire` leads to where ``models/<model>:generateContent`` is."""

    name = "gemini"

    def __init__(self, wire: Wire, *, gateway: Gateway | None = None, count: CountTokens | None = None) -> None:
        self.gateway = gateway.name if gateway else None
        self._wire = wire
        self._gateway = gateway
        self._count = count

    async def call(self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None) -> Reply:
        chat = _chat(request)
        asked = self._asked(f"models/{target.model}:generateContent", chat, about)
        answered = await self._wire.ask(asked, seconds=target.timeout_seconds)
        return self._reply(answered, chat)

    def stream(
        self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Piece, None]:
        chat = _chat(request)
        asked = self._asked(f"models/{target.model}:streamGenerateContent?alt=sse", chat, about)
        ear = Candidates(self._wire.door, chat, self._count)
        return stream_text(
            self._wire,
            asked,
            ear,
            seconds=target.timeout_seconds,
            whole=lambda answered: self._reply(answered, chat),
        )

    async def close(self) -> None:
        await self._wire.close()

    def _asked(self, path: str, request: Chat, about: Mapping[str, str] | None) -> Asked:
        return Asked.json(path, _body(request), self._gateway.headers(about) if self._gateway else {})

    def _reply(self, answered: Answered, request: Chat) -> Reply:
        document = answered.json()
        _refuse_blocked(document)
        if not list_at(document, "candidates"):
            raise answered.nonsense("the answer holds no candidate")
        raw = at(document, "usageMetadata")
        result = ChatResult(text=_text(document))
        saved = answered.from_gateway_cache
        told = accounts.gemini(raw)
        return Reply(
            result=result,
            usage=accounts.saved_by_gateway(raw) if saved else known(told, request, result, self._count),
            model=text_at(document, "modelVersion"),
            request_id=answered.request_id or text_at(document, "responseId"),
            gateway_log_id=answered.gateway_log_id,
            http_status=answered.status,
            finish_reason=finish_reason(at(document, "candidates", 0, "finishReason")),
        )


class Candidates:
    """The ear for Google's chunks: each is a whole answer with a part of the text, the last one says why it ended."""

    def __init__(self, door: Door, request: Chat, count: CountTokens | None) -> None:
        self._door = door
        self._request = request
        self._count = count

    def hear(self, heard: Heard, event: object) -> str:
        """The text of one chunk. Raises for a chunk that tells an error, or that the question is not allowed."""
        if at(event, "error"):
            raise failed_with(self._door, said_in(as_text(event).encode()), status=None)
        _refuse_blocked(event)
        heard.count(at(event, "usageMetadata"))
        heard.model = text_at(event, "modelVersion") or heard.model
        heard.request_id = text_at(event, "responseId") or heard.request_id
        heard.finish_reason = finish_reason(at(event, "candidates", 0, "finishReason")) or heard.finish_reason
        return _text(event)

    def usage(self, heard: Heard, *, cut: bool) -> Usage:
        """What the last chunk counted: every chunk counts from the beginning."""
        told = accounts.gemini(heard.usage, cut=cut)
        return known(told, self._request, ChatResult(text=heard.text), self._count)


def _chat(request: AnyRequest) -> Chat:
    if not isinstance(request, Chat):
        raise AIUnavailable(f"TONETOUCH_AI_ROUTES: gemini serves no {request.task()}; name another provider for it")
    if not request.messages:
        raise AIInputRefused("a chat needs at least one message")
    return request


def _body(request: Chat) -> dict[str, object]:
    settings: dict[str, object] = {"maxOutputTokens": request.max_tokens}
    if request.temperature is not None:
        settings["temperature"] = request.temperature
    if request.seed is not None:
        settings["seed"] = request.seed
    if request.schema is not None:
        settings |= {"responseMimeType": "application/json", "responseJsonSchema": request.schema}
    said: dict[str, object] = {
        "contents": [
            {"role": "user" if message.role == "user" else "model", "parts": [{"text": message.content}]}
            for message in request.messages
        ],
        "generationConfig": settings,
    }
    if system := [{"text": part} for part in (request.context, request.instructions) if part]:
        said["systemInstruction"] = {"parts": system}
    return said


def _text(document: object) -> str:
    parts = list_at(document, "candidates", 0, "content", "parts")
    return "".join(text_at(part, "text") or "" for part in parts if at(part, "thought") is not True)


def _refuse_blocked(document: object) -> None:
    reason = text_at(document, "promptFeedback", "blockReason")
    if reason:
        raise AIInputRefused(f"Gemini does not answer this: {reason[:80]}")
