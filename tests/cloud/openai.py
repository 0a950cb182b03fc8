"""OpenAI and DeepSeek: chat, embeddings, speech and transcription in OpenAI's form."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import numpy as np

from tests.cloud import media
from tests.cloud.asking import Answer, Answering, Asked, Dialect, Question, encoded, objection, parsed
from tests.cloud.faults import Fault, Refused
from tests.cloud.openai_chat import ChatRules, chat_question
from tests.cloud.openai_schemas import OPENAI_CHAT, OPENAI_EMBEDDINGS, OPENAI_SPEECH
from tests.cloud.record import Charged
from tests.cloud.tokens import tokens_of
from tests.cloud.writing import Prompt, sentence, vectors

INVALID = (400, "invalid_request_error")
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_NO_MODEL = Refused(404, "model_not_found", "The model does not exist or you do not have access to it.")

OPENAI = ChatRules(provider="openai", validator=OPENAI_CHAT, unknown_model=_NO_MODEL)
DEEPSEEK = ChatRules(
    provider="deepseek",
    validator=OPENAI_CHAT,
    unknown_model=Refused(400, "invalid_request_error", "Model Not Exist"),
    keeps_seconds=4 * 3600.0,
    step=64,
    hit_and_miss=True,
)


def bearer(headers: Mapping[str, str]) -> str | None:
    """The token of an Authorization header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token else None


@dataclass(frozen=True)
class OpenAIDialect:
    """Paths are those below ``/v1``."""

    provider: str = "openai"

    def key(self, headers: Mapping[str, str]) -> str | None:
        return bearer(headers)

    def question(self, asked: Asked) -> Question:
        if asked.path != "/audio/transcriptions" and not asked.is_json:
            raise Refused(*INVALID, "Content-Type must be application/json")
        if asked.path == "/chat/completions":
            return chat_question(asked, OPENAI if self.provider == "openai" else DEEPSEEK, self.refuse)
        if self.provider == "openai" and asked.path == "/embeddings":
            return embeddings_question(asked, self)
        if self.provider == "openai" and asked.path == "/audio/speech":
            return _speech_question(asked, self)
        if self.provider == "openai" and asked.path == "/audio/transcriptions":
            return _transcription_question(asked, self)
        raise Refused(404, "unknown_url", f"Unknown request URL: POST {asked.path}")

    def refuse(self, refused: Refused, request_id: str) -> Answer:
        kind = _TYPES.get(refused.status, "invalid_request_error" if refused.status < 500 else "server_error")
        error = {"message": refused.message, "type": kind, "param": None, "code": refused.code}
        return Answer(status=refused.status, body=encoded({"error": error}), error=str(refused.code))


def embeddings_question(
    asked: Asked, dialect: Dialect, *, no_model: Refused = _NO_MODEL, texts_at_most: int = 2048
) -> Question:
    """Embeddings in OpenAI's form; `dialect` is the provider that is asked."""
    body = parsed(asked.raw, *INVALID)
    name = str(body.get("model", ""))
    texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input") or []

    def check() -> Answering:
        wrong = objection(OPENAI_EMBEDDINGS, body)
        if wrong or len(texts) > texts_at_most:
            raise Refused(*INVALID, wrong or f"input: {texts_at_most} texts at most")
        known = asked.account.model(dialect.provider, name)
        if known is None or known.task != "embeddings":
            raise no_model
        if any(tokens_of(text) > (known.window_tokens or 8192) for text in texts):
            raise Refused(400, "context_length_exceeded", f"the window holds {known.window_tokens} tokens")
        return lambda fault: _embedded(body, texts, fault)

    return Question(
        provider=dialect.provider,
        model=name,
        task="embeddings",
        surface=asked.surface,
        raw=asked.raw,
        check=check,
        refuse=dialect.refuse,
        texts=len(texts),
    )


def _embedded(body: dict[str, Any], texts: list[str], fault: Fault) -> Answer:
    rows = vectors(texts, body.get("dimensions", 1024))[: len(texts) - fault.missing]
    as_base64 = body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": 0 if fault.duplicate_ids else index,
            "embedding": base64.b64encode(row.astype(np.float32).tobytes()).decode() if as_base64 else row.tolist(),
        }
        for index, row in enumerate(rows)
    ]
    tokens = sum(tokens_of(text) for text in texts)
    told: dict[str, Any] = {"object": "list", "data": data, "model": body["model"]}
    if not fault.without_usage:
        told["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Answer(body=encoded(told), charged=Charged(prompt_tokens=tokens))


def _speech_question(asked: Asked, dialect: OpenAIDialect) -> Question:
    body = parsed(asked.raw, *INVALID)
    name = str(body.get("model", ""))

    def check() -> Answering:
        wrong = objection(OPENAI_SPEECH, body)
        if wrong:
            raise Refused(*INVALID, wrong)
        known = asked.account.model("openai", name)
        if known is None or known.task != "speech":
            raise _NO_MODEL
        wav = body.get("response_format") == "wav"
        audio = media.wav(body["input"]) if wav else media.mp3(body["input"])
        charged = Charged(characters=len(body["input"]))
        return lambda fault: Answer(body=audio, content_type="audio/wav" if wav else "audio/mpeg", charged=charged)

    return Question(
        provider="openai",
        model=name,
        task="speech",
        surface=asked.surface,
        raw=asked.raw,
        check=check,
        refuse=dialect.refuse,
    )


def _transcription_question(asked: Asked, dialect: OpenAIDialect) -> Question:
    form = _form(asked)
    name = form.get("model", (b"", ""))[0].decode(errors="replace")

    def check() -> Answering:
        known = asked.account.model("openai", name)
        if known is None or known.task != "transcription":
            raise _NO_MODEL
        unknown = set(form) - {"file", "model", "language", "prompt", "response_format", "temperature"}
        unknown -= {"timestamp_granularities[]"}
        if unknown:
            raise Refused(*INVALID, f"Unrecognized request arguments: {sorted(unknown)}")
        audio, filename = form.get("file", (b"", ""))
        if not audio or not filename:
            raise Refused(*INVALID, "file: a recording with a file name is required")
        return lambda fault: _transcribed(asked, name, form, fault)

    return Question(
        provider="openai",
        model=name,
        task="transcription",
        surface=asked.surface,
        raw=asked.raw,
        check=check,
        refuse=dialect.refuse,
    )


def _transcribed(asked: Asked, name: str, form: dict[str, tuple[bytes, str]], fault: Fault) -> Answer:
    audio = form["file"][0]
    length = media.milliseconds_of(audio)
    text = asked.account.planned(Prompt(model=name)) or sentence(audio.hex()[:4096])
    told: dict[str, Any] = {"text": text}
    if form.get("response_format", (b"json", ""))[0] == b"verbose_json":
        language = form.get("language", (b"en", ""))[0].decode()
        told |= {"task": "transcribe", "language": language, "duration": length / 1000, "segments": [], "words": []}
    if not fault.without_usage:
        told["usage"] = {"type": "duration", "seconds": -(-length // 1000)}
    return Answer(body=encoded(told), charged=Charged(audio_milliseconds=length))


def _form(asked: Asked) -> dict[str, tuple[bytes, str]]:
    """The parts of a multipart form by name: content and file name."""
    kind = asked.headers.get("content-type", "")
    if not re.match(r"multipart/form-data\s*;.*boundary=", kind):
        raise Refused(*INVALID, "Content-Type must be multipart/form-data")
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + asked.raw)
    parts = {}
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        parts[str(part.get_param("name", header="content-disposition"))] = (content, part.get_filename() or "")
    return parts
