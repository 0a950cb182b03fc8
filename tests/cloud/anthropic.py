"""Anthropic: messages, with prompt caching at marked places."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.cloud.anthropic_schemas import ANTHROPIC_MESSAGES
from tests.cloud.asking import Answer, Answering, Asked, Piece, Question, encoded, objection, parsed
from tests.cloud.faults import Fault, Refused
from tests.cloud.openai_chat import sse, text_of
from tests.cloud.prompt_caching import Block, Kept, Lifetime, marked_prefixes
from tests.cloud.record import Charged
from tests.cloud.tokens import BYTES_A_TOKEN, TOKENS_A_MESSAGE
from tests.cloud.writing import Prompt, SchemaNotMet, Written, digest, written

INVALID = (400, "invalid_request_error")
MARKS_AT_MOST = 4
VERSION = "2023-06-01"
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


@dataclass(frozen=True)
class Messages:
    """A checked request. `tokens` is the whole input."""

    prompt: Prompt
    kept: Kept
    tokens: int
    stream: bool


@dataclass(frozen=True)
class AnthropicDialect:
    """The one path is ``/v1/messages``."""

    provider: str = "anthropic"

    def key(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-api-key")

    def question(self, asked: Asked) -> Question:
        if asked.path != "/v1/messages":
            raise Refused(404, "not_found_error", "Not found")
        if not asked.is_json:
            raise Refused(*INVALID, "Content-Type must be application/json")
        body = parsed(asked.raw, *INVALID)
        name = str(body.get("model", "")).removeprefix("anthropic/")

        def check() -> Answering:
            messages = _checked(asked, body, name)
            return lambda fault: _answered(asked, messages, fault)

        return Question(
            provider=self.provider,
            model=name,
            task="chat",
            surface=asked.surface,
            raw=asked.raw,
            streamed=bool(body.get("stream")),
            check=check,
            refuse=self.refuse,
            request_id_header="request-id",
        )

    def refuse(self, refused: Refused, request_id: str) -> Answer:
        kind = refused.code if isinstance(refused.code, str) else _TYPES.get(refused.status, "api_error")
        error = {"type": "error", "error": {"type": kind, "message": refused.message}, "request_id": request_id}
        return Answer(status=refused.status, body=encoded(error), error=kind)


def _checked(asked: Asked, body: dict[str, Any], name: str) -> Messages:
    if not asked.unified_billing and asked.headers.get("anthropic-version") != VERSION:
        raise Refused(*INVALID, f"anthropic-version: header is required, and {VERSION} is the only one known")
    wrong = objection(ANTHROPIC_MESSAGES, body)
    if wrong:
        raise Refused(*INVALID, wrong)
    known = asked.account.model("anthropic", name)
    if known is None:
        raise Refused(404, "not_found_error", f"model: {name}")
    if body["messages"][0]["role"] != "user":
        raise Refused(*INVALID, "messages: first message must use the user role")
    blocks = _blocks(body, name)
    _check_marks([block.mark for block in blocks if block.mark])
    tokens = blocks[-1].tokens
    if known.window_tokens is not None and tokens + body["max_tokens"] > known.window_tokens:
        raise Refused(*INVALID, f"prompt is too long: {tokens} tokens > {known.window_tokens} maximum")
    cache, now = asked.account.prompt_cache, asked.account.clock.now()
    return Messages(
        prompt=_prompt(body, name),
        kept=marked_prefixes(cache, blocks, minimum=known.minimum_prefix, now=now),
        tokens=tokens,
        stream=bool(body.get("stream")),
    )


def _check_marks(marks: list[Lifetime]) -> None:
    if len(marks) > MARKS_AT_MOST:
        raise Refused(*INVALID, f"A maximum of 4 blocks with cache_control may be provided. Found {len(marks)}.")
    if "5m" in marks and "1h" in marks[marks.index("5m") :]:
        raise Refused(*INVALID, "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block")


def _blocks(body: dict[str, Any], name: str) -> list[Block]:
    """Tools, system, messages, in this order; what comes before a block is part of its hash."""
    found: list[tuple[str, str, Any, bool]] = []  # what it belongs to, its text, its mark, begins a message
    for tool in body.get("tools", ()):
        rest = {key: value for key, value in tool.items() if key != "cache_control"}
        found.append(("tool", encoded(rest).decode(), tool.get("cache_control"), False))
    for first, (text, mark) in _parts(body.get("system") or []):
        found.append(("system", text, mark, first))
    for message in body["messages"]:
        for first, (text, mark) in _parts(message["content"]):
            found.append((message["role"], text, mark, first))
    if body.get("cache_control"):
        found[-1] = (*found[-1][:2], body["cache_control"], found[-1][3])
    return _chained(found, name)


def _parts(content: Any) -> list[tuple[bool, tuple[str, Any]]]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    parts = []
    for index, block in enumerate(blocks):
        plain = {key: value for key, value in block.items() if key != "cache_control"}
        text = block["text"] if block["type"] == "text" else encoded(plain).decode()
        parts.append((index == 0, (text, block.get("cache_control"))))
    return parts


def _chained(found: list[tuple[str, str, Any, bool]], name: str) -> list[Block]:
    chain = hashlib.sha256(f"anthropic|{name}".encode())
    size = messages = 0
    blocks = []
    for index, (role, text, mark, begins) in enumerate(found):
        chain.update(encoded([role, text, begins]))
        size += len(text.encode()) + (1 if index else 0)
        messages += begins
        tokens = -(-size // BYTES_A_TOKEN) + TOKENS_A_MESSAGE * messages
        blocks.append(Block(chain.hexdigest(), tokens, mark.get("ttl", "5m") if mark else None))
    return blocks


def _prompt(body: dict[str, Any], name: str) -> Prompt:
    return Prompt(
        model=name,
        system=text_of(body.get("system", "")),
        turns=tuple((message["role"], text_of(message["content"])) for message in body["messages"]),
        schema=body.get("output_config", {}).get("format", {}).get("schema"),
        max_tokens=body["max_tokens"],
    )


def _answered(asked: Asked, messages: Messages, fault: Fault) -> Answer:
    account, kept = asked.account, messages.kept
    try:
        said = written(messages.prompt, account.planned(messages.prompt))
    except SchemaNotMet as error:
        raise Refused(*INVALID, f"output_config.format.schema: {error}") from error
    kept.commit(account.prompt_cache, account.clock.now())
    charged = Charged(
        prompt_tokens=messages.tokens,
        cached_tokens=kept.read,
        cache_write_5m_tokens=kept.written_5m,
        cache_write_1h_tokens=kept.written_1h,
        completion_tokens=said.tokens,
    )
    usage = {} if fault.without_usage else {"usage": _usage(charged)}
    head = {
        "id": f"msg_{'duplicate' if fault.duplicate_ids else digest(f'{messages.prompt.text}{time.time_ns()}')}",
        "type": "message",
        "role": "assistant",
        "model": messages.prompt.model,
    }
    if messages.stream and not fault.plain_json:
        return Answer(content_type="text/event-stream", pieces=_events(head, said, usage), charged=charged)
    content = [{"type": "text", "text": said.text}]
    whole = {**head, "content": content, "stop_reason": _stop(said), "stop_sequence": None, **usage}
    return Answer(body=encoded(whole), charged=charged)


def _stop(said: Written) -> str:
    return "end_turn" if said.whole else "max_tokens"


def _usage(charged: Charged) -> dict[str, Any]:
    """`input_tokens` is only what was neither read from the cache nor written to it."""
    written_tokens = charged.cache_write_5m_tokens + charged.cache_write_1h_tokens
    return {
        "input_tokens": charged.prompt_tokens - charged.cached_tokens - written_tokens,
        "cache_creation_input_tokens": written_tokens,
        "cache_read_input_tokens": charged.cached_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": charged.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": charged.cache_write_1h_tokens,
        },
        "output_tokens": charged.completion_tokens,
        "service_tier": "standard",
    }


def _events(head: dict[str, Any], said: Written, usage: dict[str, Any]) -> list[Piece]:
    """The input is known at the start, the output at the end."""
    begun = {"usage": {**usage["usage"], "output_tokens": 1}} if usage else {}
    message = {**head, "content": [], "stop_reason": None, "stop_sequence": None, **begun}
    pieces = [_event("message_start", message=message)]
    pieces.append(_event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
    pieces.append(_event("ping"))
    for word in said.pieces():
        delta = _event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
        pieces.append(Piece(delta.data, word))
    pieces.append(_event("content_block_stop", index=0))
    spent = {"usage": {"output_tokens": said.tokens}} if usage else {}
    pieces.append(_event("message_delta", delta={"stop_reason": _stop(said), "stop_sequence": None}, **spent))
    pieces.append(_event("message_stop"))
    return pieces


def _event(kind: str, **rest: Any) -> Piece:
    return Piece(sse({"type": kind, **rest}, kind))
