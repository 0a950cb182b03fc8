"""Gemini: generateContent, with the implicit cache of common prefixes."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.cloud.asking import Answer, Answering, Asked, Piece, Question, encoded, objection, parsed
from tests.cloud.faults import Fault, Refused
from tests.cloud.gemini_schemas import GEMINI_GENERATE
from tests.cloud.openai_chat import sse, text_of
from tests.cloud.prompt_caching import Kept, common_prefix
from tests.cloud.record import Charged
from tests.cloud.writing import Prompt, SchemaNotMet, Written, digest, written

INVALID = (400, "INVALID_ARGUMENT")
KEEPS_SECONDS = 300.0
DEFAULT_MAX_TOKENS = 8192
_PATH = re.compile(r"/v1(?:beta)?/models/([^/:]+):(generateContent|streamGenerateContent)")
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


@dataclass(frozen=True)
class GeminiDialect:
    """Paths: ``/v1beta/models/{model}:generateContent`` and ``:streamGenerateContent?alt=sse``."""

    provider: str = "google-ai-studio"

    def key(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-goog-api-key")

    def question(self, asked: Asked) -> Question:
        found = _PATH.fullmatch(asked.path)
        if found is None:
            raise Refused(404, "NOT_FOUND", f"no method at {asked.path}")
        if not asked.is_json:
            raise Refused(*INVALID, "Content-Type must be application/json")
        name, streamed = found[1], found[2] == "streamGenerateContent"
        if streamed and asked.query.get("alt") != "sse":
            raise Refused(*INVALID, "the simulator streams with alt=sse only")
        body = parsed(asked.raw, *INVALID)

        def check() -> Answering:
            prompt, kept = _checked(asked, body, name)
            return lambda fault: _answered(asked, prompt, kept, streamed, fault)

        return Question(
            provider=self.provider,
            model=name,
            task="chat",
            surface=asked.surface,
            raw=asked.raw,
            streamed=streamed,
            check=check,
            refuse=self.refuse,
        )

    def refuse(self, refused: Refused, request_id: str) -> Answer:
        status = refused.code if isinstance(refused.code, str) else _STATUSES.get(refused.status, "INTERNAL")
        error = {"code": refused.status, "message": refused.message, "status": status}
        return Answer(status=refused.status, body=encoded({"error": error}), error=status)


def _checked(asked: Asked, body: dict[str, Any], name: str) -> tuple[Prompt, Kept]:
    wrong = objection(GEMINI_GENERATE, body)
    if wrong:
        raise Refused(*INVALID, f"Invalid JSON payload received. {wrong}")
    known = asked.account.model("google-ai-studio", name)
    if known is None:
        raise Refused(404, "NOT_FOUND", f"models/{name} is not found")
    if "cachedContent" in body:
        raise Refused(403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)")
    prompt = _prompt(body, name)
    if known.window_tokens is not None and prompt.tokens > known.window_tokens:
        raise Refused(*INVALID, f"The input token count ({prompt.tokens}) exceeds {known.window_tokens}")
    kept = common_prefix(
        asked.account.prompt_cache,
        prompt.text,
        scope=f"gemini|{name}",
        minimum=known.minimum_prefix,
        now=asked.account.clock.now(),
        seconds=KEEPS_SECONDS,
    )
    return prompt, kept


def _prompt(body: dict[str, Any], name: str) -> Prompt:
    settings = body.get("generationConfig", {})
    schema = settings.get("responseJsonSchema") or settings.get("responseSchema")
    if schema and settings.get("responseMimeType") != "application/json":
        raise Refused(*INVALID, "a response schema needs response_mime_type application/json")
    if settings.get("responseMimeType") == "application/json" and not schema:
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    return Prompt(
        model=name,
        system=text_of(body.get("systemInstruction", {}).get("parts", "")),
        turns=tuple((one.get("role", "user"), text_of(one["parts"])) for one in body["contents"]),
        schema=_lowered(schema),
        max_tokens=settings.get("maxOutputTokens", DEFAULT_MAX_TOKENS),
    )


def _lowered(schema: Any) -> Any:
    """A schema with its types in small letters: Gemini's own dialect writes them large."""
    if isinstance(schema, list):
        return [_lowered(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    lowered = {name: _lowered(value) for name, value in schema.items() if name != "propertyOrdering"}
    if isinstance(lowered.get("type"), str):
        lowered["type"] = lowered["type"].lower()
    return lowered


def _answered(asked: Asked, prompt: Prompt, kept: Kept, streamed: bool, fault: Fault) -> Answer:
    account = asked.account
    try:
        said = written(prompt, account.planned(prompt))
    except SchemaNotMet as error:
        raise Refused(*INVALID, f"responseSchema: {error}") from error
    kept.commit(account.prompt_cache, account.clock.now())
    charged = Charged(prompt_tokens=prompt.tokens, cached_tokens=kept.read, completion_tokens=said.tokens)
    usage = {} if fault.without_usage else {"usageMetadata": _usage(charged)}
    head = {
        "modelVersion": prompt.model,
        "responseId": "duplicate" if fault.duplicate_ids else digest(f"{prompt.text}{time.time_ns()}"),
    }
    if streamed and not fault.plain_json:
        return Answer(content_type="text/event-stream", pieces=_chunks(head, said, usage), charged=charged)
    whole = {"candidates": [_candidate(said.text, _finish(said))], **usage, **head}
    return Answer(body=encoded(whole), charged=charged)


def _finish(said: Written) -> str:
    return "STOP" if said.whole else "MAX_TOKENS"


def _candidate(text: str, finish: str | None) -> dict[str, Any]:
    content = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    return content | ({"finishReason": finish} if finish else {})


def _usage(charged: Charged) -> dict[str, Any]:
    """A cached count only where there is one."""
    usage = {
        "promptTokenCount": charged.prompt_tokens,
        "candidatesTokenCount": charged.completion_tokens,
        "totalTokenCount": charged.prompt_tokens + charged.completion_tokens,
    }
    return usage | ({"cachedContentTokenCount": charged.cached_tokens} if charged.cached_tokens else {})


def _chunks(head: dict[str, Any], said: Written, usage: dict[str, Any]) -> list[Piece]:
    """Words as whole responses; the last has the finish reason and the usage. There is no end marker."""
    words = said.pieces() or [""]
    pieces = [Piece(sse({"candidates": [_candidate(word, None)], **head}), word) for word in words[:-1]]
    last = {"candidates": [_candidate(words[-1], _finish(said))], **usage, **head}
    return [*pieces, Piece(sse(last), words[-1])]
