"""Counting tokens ourselves where a provider does not say, if there is something to count with."""

from collections.abc import Callable

import msgspec

from tonetouch_contracts.job import Quantity
from tonetouch_runtime.ai.providers.usage import counted
from tonetouch_runtime.ai.tasks import (
    AnyRequest,
    AnyResult,
    Chat,
    ChatResult,
    Embeddings,
    Moderation,
    Rerank,
    Translation,
    TranslationResult,
)
from tonetouch_runtime.ai.usage import Usage

CountTokens = Callable[[str], int]


def known(usage: Usage, request: AnyRequest, result: AnyResult, count: CountTokens | None) -> Usage:
    """The usage a provider told, else an estimate, else what there was: nothing is invented without a counter."""
    if usage.source != "none" or count is None:
        return usage
    texts = _asked(request)
    if texts is None:
        return usage
    raw = None if usage.raw is None else msgspec.Raw(usage.raw.encode())
    prompt = sum(count(text) for text in texts if text)
    return counted(prompt=prompt, completion=sum(count(text) for text in _answered(result) if text), raw=raw)


def no_less(usage: Usage, text: str, count: CountTokens | None) -> Usage:
    """A partial account whose output was counted before the text came: what came was more, and is counted by us."""
    came = count(text) if count is not None and text and usage.source == "partial" else 0
    if came <= (usage.completion_tokens or 0):
        return usage
    kept = tuple(one for one in usage.quantities if one.direction == "input")
    output = Quantity(unit="token", direction="output", amount=came)
    return msgspec.structs.replace(usage, quantities=(*kept, output))


def _asked(request: AnyRequest) -> list[str] | None:
    """The texts a model reads. Null where it reads no text, or we cannot say in which units it reads."""
    match request:
        case Chat():
            return [request.context, request.instructions, *(message.content for message in request.messages)]
        case Embeddings():
            return list(request.texts)
        case Rerank():  # a cross-encoder reads the query with every passage
            return [request.query] * len(request.passages) + list(request.passages)
        case Moderation() | Translation():
            return [request.text]
        case _:
            return None


def _answered(result: AnyResult) -> list[str]:
    match result:
        case ChatResult() | TranslationResult():
            return [result.text]
        case _:
            return []
