"""Workers AI over REST, directly or through AI Gateway.

Directly the model stands in the path. Through a gateway it stands in the body beside its input, and a header names the
gateway: the form Cloudflare has documented since May 2026, on the same host and with the same token.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from tonetouch_runtime.ai.providers import picture, workers_ai
from tonetouch_runtime.ai.providers import usage as accounts
from tonetouch_runtime.ai.providers.chunks import Chunks
from tonetouch_runtime.ai.providers.document import at, text_at
from tonetouch_runtime.ai.providers.estimating import CountTokens, known
from tonetouch_runtime.ai.providers.failing import failed
from tonetouch_runtime.ai.providers.finishing import finish_reason, inferred
from tonetouch_runtime.ai.providers.gateway import Gateway
from tonetouch_runtime.ai.providers.provider import Ended, Piece, Reply, Target, Text
from tonetouch_runtime.ai.providers.speaking import recording, stream_speech
from tonetouch_runtime.ai.providers.streaming import stream_text
from tonetouch_runtime.ai.providers.wire import Answered, Asked, Wire
from tonetouch_runtime.ai.tasks import (
    AnyRequest,
    AnyResult,
    Chat,
    ChatResult,
    Embeddings,
    ImageGeneration,
    ImageGenerationResult,
    Rerank,
    Speech,
    Transcription,
)
from tonetouch_runtime.ai.usage import Usage


class Cloudflare:
    """The models of a Cloudflare account. `wire` leads to ``.../accounts/<account>/ai``."""

    name = "cloudflare"

    def __init__(self, wire: Wire, *, gateway: Gateway | None = None, count: CountTokens | None = None) -> None:
        self.gateway = gateway.name if gateway else None
        self._wire = wire
        self._gateway = gateway
        self._count = count

    async def call(self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None) -> Reply:
        asked = self._asked(target, request, about)
        answered = await self._wire.ask(asked, seconds=target.timeout_seconds)
        if isinstance(request, Speech):
            return recording(answered, request)
        return self._reply(answered, request)

    async def stream(
        self, target: Target, request: Chat | Speech, *, about: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Piece, None]:
        if isinstance(request, Chat) and request.schema is not None:
            # Workers AI does not stream JSON.
            reply = await self.call(target, request, about=about)
            if isinstance(reply.result, ChatResult) and reply.result.text:
                yield Text(reply.result.text)
            yield Ended(reply)
            return
        asked = self._asked(target, request, about, stream=isinstance(request, Chat))
        async with aclosing(self._pieces(asked, request, target.timeout_seconds)) as pieces:
            async for piece in pieces:
                yield piece

    async def close(self) -> None:
        await self._wire.close()

    def _pieces(self, asked: Asked, request: Chat | Speech, seconds: float) -> AsyncGenerator[Piece, None]:
        if isinstance(request, Speech):
            return stream_speech(self._wire, asked, request, seconds=seconds)
        ear = Chunks(self._wire.door, request, self._count)
        return stream_text(
            self._wire, asked, ear, seconds=seconds, whole=lambda answered: self._reply(answered, request)
        )

    def _asked(
        self, target: Target, request: AnyRequest, about: Mapping[str, str] | None, *, stream: bool = False
    ) -> Asked:
        body, headers = workers_ai.body(request, stream=stream), workers_ai.affinity(request)
        if self._gateway is None:
            return Asked.json(f"run/{target.model}", body, headers)
        through = {"cf-aig-gateway-id": self._gateway.name, **self._gateway.headers(about)}
        return Asked.json("run", {"model": target.model, "input": body}, {**through, **headers})

    def _reply(self, answered: Answered, request: AnyRequest) -> Reply:
        document = answered.json()
        if at(document, "success") is False:
            raise failed(self._wire.door, status=None, headers=answered.headers, body=answered.body)
        enveloped = isinstance(document, dict) and "result" in document
        found = at(document, "result") if enveloped else document
        result = workers_ai.result(answered, request, found)
        usage = self._usage(answered, request, result, found)
        return Reply(
            result=result,
            usage=usage,
            model=text_at(found, "model"),
            request_id=answered.request_id or text_at(found, "id"),
            gateway_log_id=answered.gateway_log_id,
            http_status=answered.status,
            finish_reason=_finished(request, found, usage),
        )

    def _usage(self, answered: Answered, request: AnyRequest, result: AnyResult, found: object) -> Usage:
        raw = at(found, "usage")
        if answered.from_gateway_cache:
            return accounts.saved_by_gateway(raw)
        if isinstance(request, Transcription):
            info = at(found, "transcription_info")
            return accounts.listened(at(info, "duration"), info if info is not None else raw)
        if isinstance(request, ImageGeneration) and isinstance(result, ImageGenerationResult):
            size = picture.size(result.image)
            return accounts.painted(size, steps=request.steps) if size else accounts.missing(raw)
        completes = not isinstance(request, Embeddings | Rerank)
        return known(accounts.openai(raw, completes=completes), request, result, self._count)


def _finished(request: AnyRequest, found: object, usage: Usage) -> str | None:
    reason = finish_reason(at(found, "choices", 0, "finish_reason") or at(found, "finish_reason"))
    if reason is None and isinstance(request, Chat):
        return inferred(usage, longest=request.max_tokens)
    return reason
