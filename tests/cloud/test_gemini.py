"""Gemini: generateContent, whole and streamed."""

from typing import Any

import pytest

from tests.cloud import Account
from tests.cloud.callers import events, gemini, http

FACTS = "The band met in Bristol in 1991. " * 200
BODY: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": FACTS}]},
    "contents": [{"role": "user", "parts": [{"text": "Write."}]}],
}
FLASH = "gemini-2.5-flash:generateContent"


def test_the_cached_count_stands_only_where_something_was_cached(cloud: Account) -> None:
    """And it is a part of the prompt's count."""
    cloud.clock.freeze()
    cold, warm = (gemini(cloud, FLASH, BODY).json()["usageMetadata"] for _ in range(2))
    assert "cachedContentTokenCount" not in cold
    assert warm["cachedContentTokenCount"] == 1536 < warm["promptTokenCount"] == cold["promptTokenCount"]
    assert warm["totalTokenCount"] == warm["promptTokenCount"] + warm["candidatesTokenCount"]


def test_pro_needs_a_longer_prefix(cloud: Account) -> None:
    """4,096 tokens."""
    for _ in range(2):
        usage = gemini(cloud, "gemini-2.5-pro:generateContent", BODY).json()["usageMetadata"]
    assert "cachedContentTokenCount" not in usage


def test_a_stream_ends_with_a_finish_reason_and_usage_and_no_marker(cloud: Account) -> None:
    """Its words together are the whole answer."""
    said = events(gemini(cloud, "gemini-2.5-flash:streamGenerateContent?alt=sse", BODY).text)
    text = "".join(one["candidates"][0]["content"]["parts"][0]["text"] for one in said)
    whole = gemini(cloud, FLASH, BODY).json()
    assert text == whole["candidates"][0]["content"]["parts"][0]["text"]
    assert said[-1]["candidates"][0]["finishReason"] == "STOP"
    assert [one for one in said if "usageMetadata" in one] == said[-1:]


def test_json_follows_a_schema_in_either_spelling(cloud: Account) -> None:
    """Gemini's own writes its types large."""
    schema = {"type": "OBJECT", "properties": {"year": {"type": "INTEGER", "minimum": 1994}}, "required": ["year"]}
    settings = {"responseMimeType": "application/json", "responseSchema": schema}
    answer = gemini(cloud, FLASH, BODY | {"generationConfig": settings}).json()
    assert answer["candidates"][0]["content"]["parts"][0]["text"] == '{"year":1994}'


@pytest.mark.parametrize(
    "wrong",
    [
        {"contents": []},
        {"contents": [{"role": "assistant", "parts": [{"text": "a"}]}]},
        {"generationConfig": {"maxTokens": 5}},
        {"generationConfig": {"temperature": 3}},
        {"generationConfig": {"responseSchema": {"type": "OBJECT"}}},
        {"temperature": 1},
    ],
)
def test_a_request_against_the_schema(cloud: Account, wrong: dict[str, Any]) -> None:
    """400, INVALID_ARGUMENT."""
    response = gemini(cloud, FLASH, BODY | wrong)
    assert (response.status_code, response.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_who_may_not_and_what_is_not(cloud: Account) -> None:
    """A wrong key, an unknown model, a stream that is no server-sent events."""
    url = f"{cloud.gemini_url}/models/{FLASH}"
    assert http().post(url, json=BODY, headers={"x-goog-api-key": "AIza-wrong"}).status_code == 400
    assert gemini(cloud, "gemma:generateContent", BODY).json()["error"]["status"] == "NOT_FOUND"
    assert gemini(cloud, "gemini-2.5-flash:streamGenerateContent", BODY).status_code == 400
