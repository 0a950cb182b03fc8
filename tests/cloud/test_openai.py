"""OpenAI and DeepSeek: chat with an implicit cache, embeddings, speech and transcription."""

import base64
from typing import Any

import numpy as np
import pytest

from tests.cloud import Account, Fault, media
from tests.cloud.callers import events, http, openai

FACTS = "The band met in Bristol in 1991. " * 200
CHAT: dict[str, Any] = {
    "model": "gpt-4.1",
    "messages": [{"role": "system", "content": FACTS}, {"role": "user", "content": "Write."}],
}


def cached(cloud: Account, body: dict[str, Any]) -> int:
    """The cached tokens an answer reports."""
    found: int = openai(cloud, "chat/completions", body).json()["usage"]["prompt_tokens_details"]["cached_tokens"]
    return found


def test_a_long_prefix_is_cached_by_itself_in_steps_of_128(cloud: Account) -> None:
    """Counted in, never apart; gone when nobody asked for five minutes."""
    cloud.clock.freeze()
    assert [cached(cloud, CHAT), cached(cloud, CHAT)] == [0, 1536]
    other = CHAT | {"messages": [CHAT["messages"][0], {"role": "user", "content": "Another question of some length."}]}
    assert cached(cloud, other) == 1536
    cloud.clock.advance(300)
    assert cached(cloud, CHAT) == 0


def test_a_prefix_may_be_kept_for_a_day(cloud: Account) -> None:
    """Where that is asked for."""
    cloud.clock.freeze()
    body = CHAT | {"prompt_cache_retention": "24h"}
    cached(cloud, body)
    cloud.clock.advance(86_000)
    assert cached(cloud, body) == 1536


def test_less_than_1024_tokens_are_not_cached(cloud: Account) -> None:
    """However often they come."""
    short = CHAT | {"messages": [{"role": "user", "content": "a" * 3900}]}
    assert [cached(cloud, short) for _ in range(2)] == [0, 0]


def test_requests_with_another_cache_key_go_elsewhere(cloud: Account) -> None:
    """The key is part of where a prefix is kept."""
    cached(cloud, CHAT | {"prompt_cache_key": "a"})
    assert cached(cloud, CHAT | {"prompt_cache_key": "b"}) == 0
    assert cached(cloud, CHAT | {"prompt_cache_key": "a"}) == 1536


def test_writing_to_the_cache_costs_from_gpt_5_6_on(cloud: Account) -> None:
    """And is counted from there on."""
    body = CHAT | {"model": "gpt-5.6-luna"}
    first, second = (openai(cloud, "chat/completions", body).json()["usage"]["prompt_tokens_details"] for _ in range(2))
    assert (first["cache_write_tokens"], first["cached_tokens"]) == (1536, 0)
    assert (second["cache_write_tokens"], second["cached_tokens"]) == (0, 1536)


def test_a_stream_tells_its_usage_only_when_asked(cloud: Account) -> None:
    """In a last chunk without choices; all before it say null."""
    streamed = CHAT | {"stream": True}
    silent = events(openai(cloud, "chat/completions", streamed).text)
    telling = events(openai(cloud, "chat/completions", streamed | {"stream_options": {"include_usage": True}}).text)
    assert silent[-1] == telling[-1] == "[DONE]"
    assert not any(one.get("usage") for one in silent[:-1])
    assert (telling[-2]["choices"], telling[-2]["usage"]["prompt_tokens"]) == (
        [],
        cloud.calls()[1].charged.prompt_tokens,
    )
    assert all(one["usage"] is None for one in telling[:-2])
    assert telling[-3]["choices"][0]["finish_reason"] == "stop"


def test_json_follows_the_schema_in_its_wrapper(cloud: Account) -> None:
    """Every fact is cited once."""
    sentence = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "facts": {"type": "array", "items": {"type": "string"}}},
        "required": ["text", "facts"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"sentences": {"type": "array", "items": sentence}},
        "required": ["sentences"],
        "additionalProperties": False,
    }
    asked = {
        "model": "gpt-4.1",
        "messages": [{"role": "user", "content": "[F1] It came out in 1994.\n[F2] It has ten songs."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "copy", "schema": schema, "strict": True}},
    }
    answer = openai(cloud, "chat/completions", asked).json()["choices"][0]["message"]["content"]
    assert answer == (
        '{"sentences":[{"text":"It came out in 1994.","facts":["F1"]},{"text":"It has ten songs.","facts":["F2"]}]}'
    )


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"messages": []}, "invalid_request_error"),
        ({"messages": [{"role": "robot", "content": "a"}]}, "invalid_request_error"),
        ({"max_tokns": 5}, "invalid_request_error"),
        ({"stream_options": {"include_usage": True}}, "invalid_request_error"),
        ({"response_format": {"type": "json_schema", "json_schema": {"type": "object"}}}, "invalid_request_error"),
        ({"model": "gpt-5", "max_tokens": 5}, "unsupported_parameter"),
        ({"model": "gpt-4o", "max_tokens": 127_000}, "context_length_exceeded"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "a", "strict": True, "schema": {"type": "object", "properties": {}}},
                }
            },
            "invalid_request_error",
        ),
    ],
)
def test_a_request_against_the_schema(cloud: Account, wrong: dict[str, Any], code: str) -> None:
    """400, with OpenAI's code for it."""
    response = openai(cloud, "chat/completions", CHAT | wrong)
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)


def test_who_may_not_and_what_is_not(cloud: Account) -> None:
    """A wrong key, an unknown model, an unknown path."""
    wrong = http().post(f"{cloud.openai_url}/chat/completions", json=CHAT, headers={"authorization": "Bearer sk-wrong"})
    unknown = openai(cloud, "chat/completions", CHAT | {"model": "gpt-99"})
    nowhere = openai(cloud, "chat/complete", CHAT)
    found = [(one.status_code, one.json()["error"]["code"]) for one in (wrong, unknown, nowhere)]
    assert found == [(401, "invalid_api_key"), (404, "model_not_found"), (404, "unknown_url")]


def test_embeddings_as_numbers_or_as_base64(cloud: Account) -> None:
    """The same vectors, of as many dimensions as asked for, each with its place."""
    body = {"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 256}
    numbers = openai(cloud, "embeddings", body).json()
    packed = openai(cloud, "embeddings", body | {"encoding_format": "base64"}).json()
    row = np.frombuffer(base64.b64decode(packed["data"][1]["embedding"]), dtype="<f4")
    assert np.allclose(row, numbers["data"][1]["embedding"])
    assert (row.shape, numbers["data"][1]["index"]) == ((256,), 1)
    assert numbers["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    cloud.fail("text-embedding-3-small", Fault(duplicate_ids=True))
    assert [one["index"] for one in openai(cloud, "embeddings", body).json()["data"]] == [0, 0]


def test_speech_is_a_recording_and_costs_by_the_character(cloud: Account) -> None:
    """MP3 unless WAV was asked for; at most 4,096 characters."""
    body = {"model": "gpt-4o-mini-tts", "input": "Good evening.", "voice": "alloy"}
    assert openai(cloud, "audio/speech", body).headers["content-type"] == "audio/mpeg"
    assert openai(cloud, "audio/speech", body | {"response_format": "wav"}).content[:4] == b"RIFF"
    assert openai(cloud, "audio/speech", body | {"input": "a" * 4097}).status_code == 400
    assert cloud.charged().characters == 26


def test_a_recording_is_sent_as_a_form(cloud: Account) -> None:
    """With its file name; a field nobody knows is refused."""
    url = f"{cloud.openai_url}/audio/transcriptions"
    key = {"authorization": f"Bearer {cloud.openai_key}"}
    file = {"file": ("note.wav", media.wav("x" * 15), "audio/wav")}
    cloud.plan("whisper-1", "Play something slow.")
    form = {"model": "whisper-1", "response_format": "verbose_json"}
    heard = http().post(url, data=form, files=file, headers=key).json()
    assert (heard["text"], heard["duration"], heard["usage"]["seconds"]) == ("Play something slow.", 1.0, 1)
    assert http().post(url, data=form | {"lang": "en"}, files=file, headers=key).status_code == 400
    assert http().post(url, json=form, headers=key).status_code == 400


def test_deepseek_tells_hits_and_misses_that_add_up(cloud: Account) -> None:
    """In steps of 64, kept for hours."""
    cloud.clock.freeze()
    key = {"authorization": f"Bearer {cloud.deepseek_key}"}
    body = CHAT | {"model": "deepseek-chat"}
    cold, warm = (
        http().post(f"{cloud.deepseek_url}/chat/completions", json=body, headers=key).json()["usage"] for _ in range(2)
    )
    assert (cold["prompt_cache_hit_tokens"], warm["prompt_cache_hit_tokens"]) == (0, 1600)
    assert warm["prompt_cache_hit_tokens"] + warm["prompt_cache_miss_tokens"] == warm["prompt_tokens"]
