"""Chat in OpenAI's form: for OpenAI, DeepSeek and the OpenAI-compatible endpoint of Workers AI."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from tests.cloud.asking import Answer, Answering, Asked, Piece, Question, encoded, objection, parsed
from tests.cloud.faults import Fault, Refused
from tests.cloud.models import Model
from tests.cloud.prompt_caching import Kept, common_prefix
from tests.cloud.record import Charged
from tests.cloud.writing import Prompt, SchemaNotMet, Written, digest, written

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, kw_only=True)
class ChatRules:
    """Where providers of this form differ. `keeps_seconds` is the life of the implicit cache, 0 is none."""

    provider: str
    validator: Draft202012Validator
    unknown_model: Refused
    invalid: tuple[int, int | str] = (400, "invalid_request_error")
    too_long: tuple[int, int | str] = (400, "context_length_exceeded")
    keeps_seconds: float = 300.0
    step: int = 128
    default_max_tokens: int = 4096
    always_streams_usage: bool = False
    hit_and_miss: bool = False
    session_scope: bool = False


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A checked request: what is asked, and how much of it the provider knew already."""

    prompt: Prompt
    kept: Kept
    stream: bool
    include_usage: bool
    says_writes: bool


def chat_question(
    asked: Asked, rules: ChatRules, refuse: Callable[[Refused, str], Answer], *, model: str | None = None
) -> Question:
    """The question in a chat request."""
    body = parsed(asked.raw, *rules.invalid)
    name = str(body.get("model", "")) if model is None else model

    def check() -> Answering:
        chat = _checked(asked, rules, body, name)
        return lambda fault: _answered(asked, rules, chat, fault)

    return Question(
        provider=rules.provider,
        model=name,
        task="chat",
        surface=asked.surface,
        raw=asked.raw,
        streamed=bool(body.get("stream")),
        check=check,
        refuse=refuse,
    )


def text_of(content: Any) -> str:
    """The text of a message: itself, or its text parts."""
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content or ())


def _checked(asked: Asked, rules: ChatRules, body: dict[str, Any], name: str) -> Chat:
    wrong = objection(rules.validator, body)
    if wrong:
        raise Refused(*rules.invalid, wrong)
    known = asked.account.model(rules.provider, name)
    if known is None or known.task != "chat":
        raise rules.unknown_model
    _check_openai(rules, body, name)
    prompt = _prompt(rules, body, name)
    _check_window(rules, known, prompt, body)
    return Chat(
        prompt=prompt,
        kept=_kept(asked, rules, body, known, prompt),
        stream=bool(body.get("stream")),
        include_usage=rules.always_streams_usage or bool(body.get("stream_options", {}).get("include_usage")),
        says_writes=name.startswith("gpt-5.6"),
    )


def _check_openai(rules: ChatRules, body: dict[str, Any], name: str) -> None:
    """What a schema cannot say."""
    if "stream_options" in body and not body.get("stream"):
        raise Refused(*rules.invalid, "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    if rules.provider != "openai":
        return
    if name.startswith("gpt-5") and "max_tokens" in body:
        raise Refused(400, "unsupported_parameter", "Use 'max_completion_tokens' instead of 'max_tokens'.")
    asked_format = body.get("response_format", {}).get("json_schema", {})
    if asked_format.get("strict"):
        _check_strict(asked_format.get("schema", {}), rules)


def _check_strict(schema: Any, rules: ChatRules) -> None:
    """A strict schema closes every object and requires every field of it."""
    if isinstance(schema, list):
        for one in schema:
            _check_strict(one, rules)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(schema.get("properties", {})):
            raise Refused(*rules.invalid, "a strict schema needs additionalProperties: false and every field required")
    for value in schema.values():
        _check_strict(value, rules)


def _prompt(rules: ChatRules, body: dict[str, Any], name: str) -> Prompt:
    messages = [(message["role"], text_of(message["content"])) for message in body["messages"]]
    asked_format = body.get("response_format", {})
    schema = asked_format.get("json_schema", {})
    wanted = schema.get("schema", schema) if asked_format.get("type") == "json_schema" else None
    if asked_format.get("type") == "json_object":
        wanted = {"type": "object", "properties": {"text": {"type": "string"}}}
    return Prompt(
        model=name,
        system="\n".join(text for role, text in messages if role in ("system", "developer")),
        turns=tuple((role, text) for role, text in messages if role not in ("system", "developer")),
        schema=wanted,
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens") or rules.default_max_tokens,
    )


def _check_window(rules: ChatRules, known: Model, prompt: Prompt, body: dict[str, Any]) -> None:
    """Prompt and answer share the window."""
    asked_tokens = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    if known.window_tokens is not None and prompt.tokens + asked_tokens > known.window_tokens:
        raise Refused(
            *rules.too_long,
            f"the window holds {known.window_tokens} tokens, you asked for {prompt.tokens + asked_tokens} "
            f"({prompt.tokens} in the messages, {asked_tokens} in the completion)",
        )


def _kept(asked: Asked, rules: ChatRules, body: dict[str, Any], known: Model, prompt: Prompt) -> Kept:
    session = asked.headers.get("x-session-affinity")
    if not rules.keeps_seconds or (rules.session_scope and not session):
        return Kept()
    mine = session if rules.session_scope else body.get("prompt_cache_key", "")
    return common_prefix(
        asked.account.prompt_cache,
        prompt.text,
        scope=f"{rules.provider}|{known.name}|{mine}",
        minimum=known.minimum_prefix,
        now=asked.account.clock.now(),
        seconds=86_400.0 if body.get("prompt_cache_retention") == "24h" else rules.keeps_seconds,
        step=rules.step,
    )


def _answered(asked: Asked, rules: ChatRules, chat: Chat, fault: Fault) -> Answer:
    account = asked.account
    try:
        said = written(chat.prompt, account.planned(chat.prompt))
    except SchemaNotMet as error:
        raise Refused(*rules.invalid, f"JSON Mode couldn't be met: {error}") from error
    chat.kept.commit(account.prompt_cache, account.clock.now())
    charged = Charged(
        prompt_tokens=chat.prompt.tokens,
        cached_tokens=chat.kept.read,
        cache_write_5m_tokens=chat.kept.written_5m if chat.says_writes else 0,
        completion_tokens=said.tokens,
    )
    usage = None if fault.without_usage else _usage(rules, chat, charged)
    head = {
        "id": f"chatcmpl-{'duplicate' if fault.duplicate_ids else digest(f'{chat.prompt.text}{time.time_ns()}')}",
        "created": int(account.clock.now()),
        "model": chat.prompt.model,
    }
    if chat.stream and not fault.plain_json:
        return Answer(content_type="text/event-stream", pieces=_chunks(head, chat, said, usage), charged=charged)
    message = {"role": "assistant", "content": said.text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(said)}
    whole = {**head, "object": "chat.completion", "choices": [choice]} | ({"usage": usage} if usage else {})
    return Answer(body=encoded(whole), charged=charged)


def _finish(said: Written) -> str:
    return "stop" if said.whole else "length"


def _usage(rules: ChatRules, chat: Chat, charged: Charged) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "prompt_tokens": charged.prompt_tokens,
        "completion_tokens": charged.completion_tokens,
        "total_tokens": charged.prompt_tokens + charged.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": charged.cached_tokens},
    }
    if chat.says_writes:
        usage["prompt_tokens_details"]["cache_write_tokens"] = charged.cache_write_5m_tokens
    if rules.provider == "openai":
        usage["completion_tokens_details"] = {"reasoning_tokens": 0}
    if rules.hit_and_miss:
        usage["prompt_cache_hit_tokens"] = charged.cached_tokens
        usage["prompt_cache_miss_tokens"] = charged.prompt_tokens - charged.cached_tokens
    return usage


def _chunks(head: dict[str, Any], chat: Chat, said: Written, usage: dict[str, Any] | None) -> list[Piece]:
    """Role, words, finish reason, then usage in a chunk without choices where it was asked for."""

    def chunk(delta: dict[str, Any], finish: str | None = None, text: str = "") -> Piece:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        told = {**head, "object": "chat.completion.chunk", "choices": [choice]}
        return Piece(sse(told | ({"usage": None} if chat.include_usage else {})), text)

    pieces = [chunk({"role": "assistant", "content": ""})]
    pieces += [chunk({"content": word}, text=word) for word in said.pieces()]
    pieces.append(chunk({}, _finish(said)))
    if chat.include_usage and usage:
        pieces.append(Piece(sse({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})))
    pieces.append(Piece(DONE))
    return pieces


def sse(data: Any, event: str | None = None) -> bytes:
    """One server-sent event."""
    return (f"event: {event}\n".encode() if event else b"") + b"data: " + encoded(data) + b"\n\n"
