"""OpenAI, and every server that speaks like it: Ollama, vLLM, TEI and the like, by their address and a key.

What only OpenAI itself knows (a key for its prompt cache, its newer name for the longest answer) is sent to it alone.
"""

import base64
import binascii
from collections.abc import AsyncGenerator, Mapping
from hashlib import sha256

import httpx

from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable
from tonetouch_runtime.ai.providers import usage as accounts
from tonetouch_runtime.ai.providers.chunks import Chunks
from tonetouch_runtime.ai.providers.document import as_text, at, list_at, text_at
from tonetouch_runtime.ai.providers.estimating import CountTokens, known
from tonetouch_runtime.ai.providers.finishing import finish_reason
from tonetouch_runtime.ai.providers.gateway import Gateway
from tonetouch_runtime.ai.providers.provider import Piece, Reply, Target
from tonetouch_runtime.ai.providers.speaking import recording, stream_speech
from tonetouch_runtime.ai.providers.streaming import stream_text
from tonetouch_runtime.ai.providers.vectors import packed
from tonetouch_runtime.ai.providers.wire import Answered, Asked, Wire
from tonetouch_runtime.ai.providers.workers_ai import spoken_word
from tonetouch_runtime.ai.tasks import (
    AnyRequest,
    AnyResult,
    Chat,
    ChatResult,
    Embeddings,
    EmbeddingsResult,
    Speech,
    Transcription,
    TranscriptionResult,
)
from tonetouch_runtime.ai.usage import Usage

DEFAULT_URL = "https://api.openai.com/v1"
DEFAULT_VOICE = "alloy"

_SUFFIXES = {"audio/mpeg": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/flac": "flac", "audio/ogg": "ogg"}


class OpenAICompatible:
    """Chat, embeddings, speech and transcription. `official` says that it is OpenAI itself."""

    name = "openai"

    def __init__(
        self, wire: Wire, *, official: bool, gateway: Gateway | None = None, count: CountTokens | None = None
    ) -> None:
        self.gateway = gateway.name if gateway else None
        self._wire = wire
        self._official = official
        self._gateway = gateway
        self._count = count

    async def call(self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None) -> Reply:
        asked = self._asked(target, request, about)
        answered = await self._wire.ask(asked, seconds=target.timeout_seconds)
        if isinstance(request, Speech):
            return recording(answered, request)
        return self._reply(answered, request)

    def stream(
        self, target: Target, request: Chat | Speech, *, about: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Piece, None]:
        asked = self._asked(target, request, about, stream=isinstance(request, Chat))
        if isinstance(request, Speech):
            return stream_speech(self._wire, asked, request, seconds=target.timeout_seconds)
        ear = Chunks(self._wire.door, request, self._count)
        return stream_text(
            self._wire,
            asked,
            ear,
            seconds=target.timeout_seconds,
            whole=lambda answered: self._reply(answered, request),
        )

    async def close(self) -> None:
        await self._wire.close()

    def _asked(
        self, target: Target, request: AnyRequest, about: Mapping[str, str] | None, *, stream: bool = False
    ) -> Asked:
        headers = self._gateway.headers(about) if self._gateway else {}
        match request:
            case Chat():
                return Asked.json("chat/completions", self._chat(target.model, request, stream=stream), headers)
            case Embeddings():
                if not request.texts:
                    raise AIInputRefused("embeddings need at least one text")
                body = {"model": target.model, "input": list(request.texts), "encoding_format": "float"}
                return Asked.json("embeddings", body, headers)
            case Speech():
                voice = request.voice or DEFAULT_VOICE
                body = {"model": target.model, "input": request.text, "voice": voice}
                return Asked.json("audio/speech", body | {"response_format": request.encoding}, headers)
            case Transcription():
                return _transcription(target.model, request, headers)
            case _:
                raise AIUnavailable(
                    f"TONETOUCH_AI_ROUTES: {self.name} serves no {request.task()}; name another provider for it"
                )

    def _chat(self, model: str, request: Chat, *, stream: bool) -> dict[str, object]:
        if not request.messages:
            raise AIInputRefused("a chat needs at least one message")
        system = "\n\n".join(part for part in (request.context, request.instructions) if part)
        messages = [{"role": "system", "content": system}] if system else []
        messages += [{"role": message.role, "content": message.content} for message in request.messages]
        longest = "max_completion_tokens" if self._official else "max_tokens"
        said: dict[str, object] = {"model": model, "messages": messages, longest: request.max_tokens}
        if request.temperature is not None:
            said["temperature"] = request.temperature
        if request.seed is not None:
            said["seed"] = request.seed
        if request.schema is not None:
            wrapped = {"name": "answer", "schema": request.schema}
            said["response_format"] = {"type": "json_schema", "json_schema": wrapped}
        if self._official and request.context:
            said["prompt_cache_key"] = sha256(request.context.encode()).hexdigest()[:32]
        if stream:  # without being asked, a stream tells no usage
            said |= {"stream": True, "stream_options": {"include_usage": True}}
        return said

    def _reply(self, answered: Answered, request: AnyRequest) -> Reply:
        document = answered.json()
        result = _result(answered, request, document)
        return Reply(
            result=result,
            usage=self._usage(answered, request, result, document),
            model=text_at(document, "model"),
            request_id=answered.request_id or text_at(document, "id"),
            gateway_log_id=answered.gateway_log_id,
            http_status=answered.status,
            finish_reason=finish_reason(at(document, "choices", 0, "finish_reason")),
        )

    def _usage(self, answered: Answered, request: AnyRequest, result: AnyResult, document: object) -> Usage:
        raw = at(document, "usage")
        if answered.from_gateway_cache:
            return accounts.saved_by_gateway(raw)
        if isinstance(request, Transcription):
            if at(raw, "type") == "duration":
                return accounts.listened(at(raw, "seconds"), raw)
            length = at(document, "duration")
            return accounts.listened(length, {"duration": length}) if raw is None else accounts.openai(raw)
        told = accounts.openai(raw, completes=not isinstance(request, Embeddings))
        return known(told, request, result, self._count)


def _transcription(model: str, request: Transcription, headers: Mapping[str, str]) -> Asked:
    name = f"recording.{_SUFFIXES.get(request.media_type, 'mp3')}"
    fields = {"model": model, "response_format": "json"}
    if "whisper" in model:  # only this family tells lengths and words
        fields |= {"response_format": "verbose_json", "timestamp_granularities[]": "word"}
    if request.language:
        fields["language"] = request.language
    if request.hint:
        fields["prompt"] = request.hint
    form = httpx.Request("POST", "http://form", data=fields, files={"file": (name, request.audio, request.media_type)})
    return Asked(
        path="audio/transcriptions", body=form.read(), media_type=form.headers["content-type"], headers=headers
    )


def _result(answered: Answered, request: AnyRequest, document: object) -> AnyResult:
    match request:
        case Embeddings():
            return EmbeddingsResult(vectors=_vectors(answered, document, expected=len(request.texts)))
        case Transcription():
            return _transcribed(answered, request, document)
        case _:
            message = at(document, "choices", 0, "message")
            if not isinstance(message, dict):
                raise answered.nonsense("the answer holds no text")
            return ChatResult(text=as_text(message.get("content")))


def _vectors(answered: Answered, document: object, *, expected: int) -> tuple[bytes, ...]:
    listed = list_at(document, "data")
    places = [at(one, "index") for one in listed]
    if sorted(place for place in places if isinstance(place, int)) != list(range(len(listed))):
        raise answered.nonsense("the vectors do not say whose they are")
    ordered: list[object] = [None] * len(listed)
    for place, one in zip(places, listed, strict=True):
        assert isinstance(place, int)
        ordered[place] = _floats(answered, at(one, "embedding"))
    return packed(answered, ordered, expected=expected)


def _floats(answered: Answered, vector: object) -> object:
    if not isinstance(vector, str):
        return vector
    try:  # some servers send base64 of float32 whatever they are asked for
        return list(memoryview(base64.b64decode(vector, validate=True)).cast("f"))
    except (binascii.Error, TypeError):
        raise answered.nonsense("a vector is neither numbers nor base64 of them") from None


def _transcribed(answered: Answered, request: Transcription, document: object) -> TranscriptionResult:
    text = text_at(document, "text")
    if text is None:
        raise answered.nonsense("the answer holds no text")
    said, seconds = text_at(document, "language"), at(document, "duration")
    try:
        length = float(seconds) if isinstance(seconds, int | float | str) else None
    except ValueError:
        length = None
    return TranscriptionResult(
        text=text.strip(),
        # OpenAI answers with the English name of a language; only codes are kept.
        language=said if said and len(said) == 2 else request.language,
        seconds=length,
        words=tuple(spoken for word in list_at(document, "words") if (spoken := spoken_word(word))),
    )
