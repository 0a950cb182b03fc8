"""The JSON schema of generateContent. It refuses fields it does not know, and so does this."""

from jsonschema import Draft202012Validator

from tests.cloud.schemas import BOOLEAN, NUMBER, OBJECT, STRING, between, closed, listed

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
