"""The JSON schemas of chat requests, one for each dialect. Where a provider refuses unknown fields, so do these."""

from typing import Any

from jsonschema import Draft202012Validator

JsonSchema = dict[str, Any]
STRING: JsonSchema = {"type": "string"}
NUMBER: JsonSchema = {"type": "number"}
BOOLEAN: JsonSchema = {"type": "boolean"}
OBJECT: JsonSchema = {"type": "object"}


def closed(properties: JsonSchema, *required: str) -> JsonSchema:
    """An object that knows no other fields."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def opened(properties: JsonSchema, *required: str) -> JsonSchema:
    """An object that may have other fields."""
    return {"type": "object", "properties": properties, "required": list(required)}


def listed(items: JsonSchema, **bounds: int) -> JsonSchema:
    return {"type": "array", "items": items, **bounds}


def between(least: float, most: float, kind: str = "number") -> JsonSchema:
    return {"type": kind, "minimum": least, "maximum": most}


def either(*schemas: JsonSchema) -> JsonSchema:
    return {"anyOf": list(schemas)}


# Workers AI, the native form of the Llama models

_NATIVE_MESSAGE = opened(
    {"role": {**STRING, "minLength": 1}, "content": either(STRING, listed(OBJECT))}, "role", "content"
)
NATIVE_CHAT = Draft202012Validator(
    {
        **opened(
            {
                "prompt": {**STRING, "minLength": 1, "maxLength": 131_072},
                "messages": listed(_NATIVE_MESSAGE),
                "functions": listed(OBJECT),
                "tools": listed(OBJECT),
                "lora": STRING,
                "max_tokens": {"type": "integer"},
                "temperature": between(0, 5),
                "top_p": between(0.001, 1),
                "top_k": between(1, 50, "integer"),
                "seed": between(1, 9_999_999_999, "integer"),
                "repetition_penalty": between(0, 2),
                "frequency_penalty": between(-2, 2),
                "presence_penalty": between(-2, 2),
                "stream": BOOLEAN,
                "raw": BOOLEAN,
                "options": closed({"rejectIfBusy": BOOLEAN}),
                "response_format": opened({"type": {"enum": ["json_object", "json_schema"]}, "json_schema": OBJECT}),
            }
        ),
        "oneOf": [{"required": ["prompt"]}, {"required": ["messages"]}],
    }
)
LLAMA_GUARD_CHAT = Draft202012Validator(
    opened(
        {
            "messages": listed(
                opened(
                    {"role": {"enum": ["user", "assistant"]}, "content": {**STRING, "maxLength": 131_072}},
                    "role",
                    "content",
                ),
                minItems=1,
            ),
            "max_tokens": {"type": "integer"},
            "temperature": between(0, 5),
            "response_format": opened({"type": STRING}),
        },
        "messages",
    )
)

# OpenAI

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

# Anthropic

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

# Gemini

_GEMINI_PART = closed(
    {
        "text": STRING,
        "inlineData": OBJECT,
        "fileData": OBJECT,
        "functionCall": OBJECT,
        "functionResponse": OBJECT,
        "thought": BOOLEAN,
        "thoughtSignature": STRING,
    }
)
_GEMINI_CONTENT = closed({"role": {"enum": ["user", "model"]}, "parts": listed(_GEMINI_PART, minItems=1)}, "parts")
GEMINI_GENERATE = Draft202012Validator(
    closed(
        {
            "contents": listed(_GEMINI_CONTENT, minItems=1),
            "systemInstruction": closed({"role": STRING, "parts": listed(_GEMINI_PART, minItems=1)}, "parts"),
            "cachedContent": STRING,
            "tools": listed(OBJECT),
            "toolConfig": OBJECT,
            "safetySettings": listed(OBJECT),
            "labels": OBJECT,
            "generationConfig": closed(
                {
                    "maxOutputTokens": {"type": "integer", "minimum": 1},
                    "temperature": between(0, 2),
                    "topP": between(0, 1),
                    "topK": {"type": "integer"},
                    "seed": {"type": "integer"},
                    "stopSequences": listed(STRING, maxItems=5),
                    "candidateCount": {"const": 1},
                    "responseMimeType": {"enum": ["text/plain", "application/json", "text/x.enum"]},
                    "responseSchema": OBJECT,
                    "responseJsonSchema": OBJECT,
                    "thinkingConfig": OBJECT,
                    "presencePenalty": NUMBER,
                    "frequencyPenalty": NUMBER,
                }
            ),
        },
        "contents",
    )
)
