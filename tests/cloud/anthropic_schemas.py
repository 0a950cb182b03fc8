"""The JSON schema of Anthropic's messages. It refuses fields it does not know, and so does this."""

from jsonschema import Draft202012Validator

from tests.cloud.schemas import BOOLEAN, OBJECT, STRING, between, closed, either, listed, opened

_CACHE_CONTROL = either(
    {"type": "null"}, closed({"type": {"const": "ephemeral"}, "ttl": {"enum": ["5m", "1h"]}}, "type")
)
_ANTHROPIC_TEXT = closed(
    {"type": {"const": "text"}, "text": {**STRING, "minLength": 1}, "cache_control": _CACHE_CONTROL, "citations": {}},
    "type",
    "text",
)
_ANTHROPIC_OTHER = opened(
    {
        "type": {"enum": ["image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking"]},
        "cache_control": _CACHE_CONTROL,
    },
    "type",
)
_ANTHROPIC_MESSAGE = closed(
    {
        "role": {"enum": ["user", "assistant"]},
        "content": either(
            {**STRING, "minLength": 1}, listed({"oneOf": [_ANTHROPIC_TEXT, _ANTHROPIC_OTHER]}, minItems=1)
        ),
    },
    "role",
    "content",
)
ANTHROPIC_MESSAGES = Draft202012Validator(
    closed(
        {
            "model": {**STRING, "minLength": 1},
            "max_tokens": {"type": "integer", "minimum": 1},
            "messages": listed(_ANTHROPIC_MESSAGE, minItems=1),
            "system": either(STRING, listed(_ANTHROPIC_TEXT)),
            "cache_control": _CACHE_CONTROL,
            "temperature": between(0, 1),
            "top_p": between(0, 1),
            "top_k": {"type": "integer", "minimum": 0},
            "stop_sequences": listed(STRING),
            "stream": BOOLEAN,
            "metadata": closed({"user_id": either(STRING, {"type": "null"})}),
            "tools": listed(opened({"name": STRING, "cache_control": _CACHE_CONTROL}, "name")),
            "tool_choice": OBJECT,
            "thinking": OBJECT,
            "service_tier": {"enum": ["auto", "standard_only"]},
            "output_config": closed(
                {
                    "effort": {"enum": ["low", "medium", "high", "xhigh", "max"]},
                    "format": closed({"type": {"const": "json_schema"}, "schema": OBJECT}, "type", "schema"),
                }
            ),
        },
        "model",
        "max_tokens",
        "messages",
    )
)
