"""Why a model stopped, in one set of words for every provider."""

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
