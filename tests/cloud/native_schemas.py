"""The JSON schemas of chats in Workers AI's own form. Fields they do not name are let through."""

from jsonschema import Draft202012Validator

from tests.cloud.schemas import BOOLEAN, OBJECT, STRING, between, closed, either, listed, opened

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
