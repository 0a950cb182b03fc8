"""Why a model stopped, in one set of words for every provider."""

from tonetouch_runtime.ai.usage import Usage

_WORDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "max_tokens": "length",
    "length": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "spii": "content_filter",
}


def finish_reason(said: object) -> str | None:
    """``stop``, ``length``, ``content_filter``, or the provider's own word in lower case; null where it says none."""
    if not isinstance(said, str) or not said:
        return None
    return _WORDS.get(said.lower(), said.lower()[:64])


def inferred(usage: Usage, *, longest: int) -> str | None:
    """The same where nobody says it: an answer that used up the longest answer was cut. Null where nothing is told."""
    if usage.source != "reported":
        return None
    return "length" if (usage.completion_tokens or 0) >= longest else "stop"
