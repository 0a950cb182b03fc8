"""Workers AI: one way in for every model, Cloudflare's envelope and codes, and the OpenAI-compatible endpoints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jsonschema import Draft202012Validator

from tests.cloud.asking import Answer, Answering, Asked, Question, encoded, parsed
from tests.cloud.faults import Fault, Refused
from tests.cloud.models import Model
from tests.cloud.native_chat import native_chat
from tests.cloud.native_guard import guard
from tests.cloud.native_media import aura, flux, llava, whisper
from tests.cloud.native_text import TEXTS_AT_MOST, bge_m3, m2m100, reranker
from tests.cloud.openai import bearer, embeddings_question
from tests.cloud.openai_chat import ChatRules, chat_question
from tests.cloud.schemas import OBJECT, STRING, either, listed, opened

INVALID_DATA = (400, 5004)
INCOMPLETE = (400, 3003)
TOO_LARGE = (413, 3006)
NO_MODEL = Refused(400, 5007, "No such model or task")
UNAUTHORISED = Refused(401, 10000, "Authentication error")
NO_ROUTE = Refused(404, 7003, "Could not route to the path, perhaps your object identifier is invalid?")

Native = Callable[[Asked, Model, dict[str, Any] | None], Answering]
_BY_TASK: dict[str, Native] = {
    "embeddings": bge_m3,
    "transcription": whisper,
    "rerank": reranker,
    "image_description": llava,
    "translation": m2m100,
    "image_generation": flux,
    "speech": aura,
    "chat": native_chat,
    "moderation": guard,
}
_COMPATIBLE = Draft202012Validator(
    opened(
        {
            "model": {**STRING, "minLength": 1},
            "messages": listed(
                opened({"role": STRING, "content": either(STRING, listed(OBJECT))}, "role", "content"), minItems=1
            ),
            "max_tokens": {"type": "integer", "minimum": 1},
            "max_completion_tokens": {"type": "integer", "minimum": 1},
            "stream": {"type": "boolean"},
            "stream_options": OBJECT,
            "response_format": OBJECT,
        },
        "model",
        "messages",
    )
)
RULES = ChatRules(
    provider="workers-ai",
    validator=_COMPATIBLE,
    unknown_model=NO_MODEL,
    invalid=INVALID_DATA,
    too_long=(400, 5012),
    default_max_tokens=256,
    always_streams_usage=True,
    session_scope=True,
)


@dataclass(frozen=True)
class WorkersAIDialect:
    """Paths: ``/run/{model}``, ``/run`` (model and input in the body), ``/v1/...``."""

    provider: str = "workers-ai"

    def key(self, headers: Mapping[str, str]) -> str | None:
        return bearer(headers)

    def question(self, asked: Asked) -> Question:
        if asked.path == "/v1/chat/completions":
            _need_json(asked)
            return chat_question(asked, RULES, self.refuse)
        if asked.path == "/v1/embeddings":
            _need_json(asked)
            return embeddings_question(asked, self, no_model=NO_MODEL, texts_at_most=TEXTS_AT_MOST)
        if asked.path == "/run":
            return self._enveloped(asked)
        if asked.path.startswith("/run/@"):
            return self._native(asked, asked.path.removeprefix("/run/"))
        raise NO_ROUTE

    def refuse(self, refused: Refused, request_id: str) -> Answer:
        code = refused.code if isinstance(refused.code, int) else INVALID_DATA[1]
        error = {"code": code, "message": refused.message}
        body = {"result": None, "success": False, "errors": [error], "messages": []}
        return Answer(status=refused.status, body=encoded(body), error=str(code))

    def _enveloped(self, asked: Asked) -> Question:
        _need_json(asked)
        body = parsed(asked.raw, *INVALID_DATA)
        if not isinstance(body.get("model"), str) or not isinstance(body.get("input"), dict):
            raise Refused(*INCOMPLETE, "model and input are required")
        return self._native(replace(asked, raw=encoded(body["input"])), body["model"])

    def _native(self, asked: Asked, name: str) -> Question:
        body = parsed(asked.raw, *INVALID_DATA) if asked.is_json else None
        known = asked.account.model(self.provider, name)
        return Question(
            provider=self.provider,
            model=name,
            task=known.task if known else "unknown",
            surface=asked.surface,
            raw=asked.raw,
            streamed=bool(body and body.get("stream")),
            check=lambda: _answering(asked, known, body),
            refuse=self.refuse,
            request_id_header="cf-ai-req-id",
            texts=_texts(body),
        )


def _answering(asked: Asked, known: Model | None, body: dict[str, Any] | None) -> Answering:
    if known is None:
        raise NO_MODEL
    if len(asked.raw) > asked.account.body_limit_bytes:
        raise Refused(*TOO_LARGE, "Request too large")
    answering = _BY_TASK[known.task](asked, known, body)

    def enveloped(fault: Fault) -> Answer:
        answer = answering(fault)
        if answer.pieces is None and answer.content_type == "application/json":
            answer.body = b'{"result":' + answer.body + b',"success":true,"errors":[],"messages":[]}'
        return answer

    return enveloped


def _need_json(asked: Asked) -> None:
    if not asked.is_json:
        raise Refused(*INVALID_DATA, "Content-Type must be application/json")


def _texts(body: dict[str, Any] | None) -> int:
    text = body.get("text") if body else None
    return len(text) if isinstance(text, list) else int(isinstance(text, str))
