"""The JSON schemas of OpenAI. It refuses fields it does not know, and so do these."""

from jsonschema import Draft202012Validator

from tests.cloud.schemas import BOOLEAN, OBJECT, STRING, between, closed, either, listed

_CACHE_BREAKPOINT = closed({"mode": {"const": "explicit"}}, "mode")
_OPENAI_PART = closed(
    {
        "type": {"enum": ["text", "image_url", "input_audio", "file", "refusal"]},
        "text": STRING,
        "image_url": OBJECT,
        "input_audio": OBJECT,
        "file": OBJECT,
        "refusal": STRING,
        "prompt_cache_breakpoint": _CACHE_BREAKPOINT,
    },
    "type",
)
_OPENAI_MESSAGE = closed(
    {
        "role": {"enum": ["developer", "system", "user", "assistant", "tool"]},
        "content": either(STRING, listed(_OPENAI_PART, minItems=1)),
        "name": STRING,
        "tool_calls": listed(OBJECT),
        "tool_call_id": STRING,
        "refusal": either(STRING, {"type": "null"}),
    },
    "role",
    "content",
)
_OPENAI_FORMAT = {
    "oneOf": [
        closed({"type": {"enum": ["text", "json_object"]}}, "type"),
        closed(
            {
                "type": {"const": "json_schema"},
                "json_schema": closed(
                    {
                        "name": {**STRING, "pattern": "^[a-zA-Z0-9_-]{1,64}$"},
                        "description": STRING,
                        "schema": OBJECT,
                        "strict": either(BOOLEAN, {"type": "null"}),
                    },
                    "name",
                ),
            },
            "type",
            "json_schema",
        ),
    ]
}
OPENAI_CHAT = Draft202012Validator(
    closed(
        {
            "model": {**STRING, "minLength": 1},
            "messages": listed(_OPENAI_MESSAGE, minItems=1),
            "max_tokens": {"type": "integer", "minimum": 1},
            "max_completion_tokens": {"type": "integer", "minimum": 1},
            "temperature": between(0, 2),
            "top_p": between(0, 1),
            "n": {"const": 1},
            "seed": {"type": "integer"},
            "stop": either(STRING, listed(STRING, maxItems=4)),
            "frequency_penalty": between(-2, 2),
            "presence_penalty": between(-2, 2),
            "response_format": _OPENAI_FORMAT,
            "stream": BOOLEAN,
            "stream_options": closed({"include_usage": BOOLEAN, "include_obfuscation": BOOLEAN}),
            "tools": listed(OBJECT),
            "tool_choice": {},
            "parallel_tool_calls": BOOLEAN,
            "user": STRING,
            "safety_identifier": STRING,
            "metadata": {"type": "object", "additionalProperties": STRING, "maxProperties": 16},
            "store": BOOLEAN,
            "service_tier": {"enum": ["auto", "default", "flex", "priority", "fast"]},
            "reasoning_effort": {"enum": ["none", "minimal", "low", "medium", "high", "xhigh"]},
            "verbosity": {"enum": ["low", "medium", "high"]},
            "prompt_cache_key": STRING,
            "prompt_cache_retention": {"enum": ["in_memory", "in-memory", "24h"]},
            "prompt_cache_options": closed({"mode": {"enum": ["implicit", "explicit"]}, "ttl": {"const": "30m"}}),
            "logprobs": BOOLEAN,
            "top_logprobs": between(0, 20, "integer"),
            "logit_bias": OBJECT,
        },
        "model",
        "messages",
    )
)
OPENAI_EMBEDDINGS = Draft202012Validator(
    closed(
        {
            "model": {**STRING, "minLength": 1},
            "input": either({**STRING, "minLength": 1}, listed({**STRING, "minLength": 1}, minItems=1, maxItems=2048)),
            "encoding_format": {"enum": ["float", "base64"]},
            "dimensions": {"type": "integer", "minimum": 1, "maximum": 3072},
            "user": STRING,
        },
        "model",
        "input",
    )
)
OPENAI_SPEECH = Draft202012Validator(
    closed(
        {
            "model": {**STRING, "minLength": 1},
            "input": {**STRING, "minLength": 1, "maxLength": 4096},
            "voice": {**STRING, "minLength": 1},
            "response_format": {"enum": ["mp3", "opus", "aac", "flac", "wav", "pcm"]},
            "speed": between(0.25, 4),
            "instructions": STRING,
            "stream_format": {"enum": ["audio", "sse"]},
        },
        "model",
        "input",
        "voice",
    )
)
