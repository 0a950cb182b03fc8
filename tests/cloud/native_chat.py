"""Llama chat in Workers AI's own form."""

import hashlib
import json
import re
from typing import Any

from tests.cloud.asking import Answer, Answering, Asked, Piece, encoded
from tests.cloud.faults import Fault, Refused
from tests.cloud.models import Model
from tests.cloud.native import check_window, checked
from tests.cloud.native_schemas import NATIVE_CHAT
from tests.cloud.openai_chat import DONE, sse, text_of
from tests.cloud.prompt_caching import Kept, common_prefix
from tests.cloud.record import Charged
from tests.cloud.writing import Prompt, SchemaNotMet, written

DEFAULT_MAX_TOKENS = 256
SESSION_SECONDS = 300.0
JSON_MODE = (
    "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
    "@cf/meta/llama-3.1-8b-instruct",
    "@cf/meta/llama-3-8b-instruct",
)
_TOKEN = re.compile(r"\d+|\s+(?=\d)|\s*[^\s\d]+|\s+$")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_ANY_OBJECT = {"type": "object", "properties": {"text": {"type": "string"}}}


def native_chat(asked: Asked, model: Model, body: dict[str, Any] | None) -> Answering:
    """Refuses what the schema refuses; the answer holds text, or an object in JSON mode."""
    body = checked(NATIVE_CHAT, body)
    wanted = body.get("response_format")
    if wanted and body.get("stream"):
        raise Refused(400, 5004, "JSON Mode does not support streaming")
    if wanted and model.name not in JSON_MODE:
        raise Refused(400, 5004, "This model does not support JSON Mode")
    if wanted and wanted.get("type") == "json_schema" and "json_schema" not in wanted:
        raise Refused(400, 5004, "response_format: json_schema is missing")
    prompt = _prompt(body, model, wanted)
    check_window(model, prompt.tokens + prompt.max_tokens)
    kept = session_prefix(asked, model, prompt)
    return lambda fault: _answered(asked, body, prompt, kept, fault)


def session_prefix(asked: Asked, model: Model, prompt: Prompt) -> Kept:
    """What a session has asked before; without a session nothing is kept."""
    session = asked.headers.get("x-session-affinity")
    if not session:
        return Kept()
    return common_prefix(
        asked.account.prompt_cache,
        prompt.text,
        scope=f"workers-ai|{model.name}|{session}",
        minimum=model.minimum_prefix,
        now=asked.account.clock.now(),
        seconds=SESSION_SECONDS,
    )


def _prompt(body: dict[str, Any], model: Model, wanted: dict[str, Any] | None) -> Prompt:
    messages = [(one["role"], text_of(one["content"])) for one in body.get("messages", ())]
    if "prompt" in body:
        messages = [("user", body["prompt"])]
    # The schema stands bare here; in OpenAI's wrapper it would be another schema, which nothing is asked to satisfy.
    return Prompt(
        model=model.name,
        system="\n".join(text for role, text in messages if role == "system"),
        turns=tuple((role, text) for role, text in messages if role != "system"),
        schema=(wanted.get("json_schema") or _ANY_OBJECT) if wanted else None,
        max_tokens=body.get("max_tokens", DEFAULT_MAX_TOKENS),
    )


def _answered(asked: Asked, body: dict[str, Any], prompt: Prompt, kept: Kept, fault: Fault) -> Answer:
    account = asked.account
    try:
        said = written(prompt, account.planned(prompt))
    except SchemaNotMet as error:
        raise Refused(400, 5004, "JSON Mode couldn't be met") from error
    kept.commit(account.prompt_cache, account.clock.now())
    charged = Charged(prompt_tokens=prompt.tokens, cached_tokens=kept.read, completion_tokens=said.tokens)
    usage = {} if fault.without_usage else {"usage": _usage(charged, bool(asked.headers.get("x-session-affinity")))}
    if body.get("stream") and not fault.plain_json:
        pieces = [
            Piece(sse({"response": _token(word), "p": _padding(f"{index}{word}")}), word)
            for index, word in enumerate(_TOKEN.findall(said.text))
        ]
        pieces.append(Piece(sse({"response": "", **usage, "p": _padding("end")})))
        return Answer(content_type="text/event-stream", pieces=[*pieces, Piece(DONE)], charged=charged)
    response: Any = said.text
    if prompt.schema is not None and said.whole:
        response = _read_json(said.text)
    return Answer(body=encoded({"response": response, "tool_calls": [], **usage}), charged=charged)


def _token(text: str) -> str | int:
    """A token that looks like a number comes as one."""
    return int(text) if _NUMBER.fullmatch(text) else text


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _usage(charged: Charged, in_session: bool) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "prompt_tokens": charged.prompt_tokens,
        "completion_tokens": charged.completion_tokens,
        "total_tokens": charged.prompt_tokens + charged.completion_tokens,
    }
    if in_session:
        usage["prompt_tokens_details"] = {"cached_tokens": charged.cached_tokens}
    return usage


def _padding(seed: str) -> str:
    """Against listening to the lengths of chunks: of no meaning."""
    hashed = hashlib.sha256(seed.encode()).hexdigest()
    return hashed[: 1 + int(hashed[:2], 16) % 24]
