"""What a documented schema refuses is refused, with the documented code."""

import base64
from typing import Any

import pytest

from tests.cloud import Account
from tests.cloud.callers import CHAT, cloudflare, codes, http, run
from tests.cloud.models import AURA, BGE_M3, FLUX, LLAMA, LLAMA_GUARD, LLAVA, M2M100, RERANKER, WHISPER

USER = {"role": "user", "content": "hello"}


@pytest.mark.parametrize(
    ("model", "body", "code"),
    [
        (BGE_M3, {"text": ["a"] * 101}, 5004),
        (BGE_M3, {"text": ["a", 1]}, 5004),
        (BGE_M3, {}, 3003),
        (BGE_M3, {"text": "a" * 240_004}, 5012),
        (RERANKER, {"contexts": [{"text": "a"}]}, 3003),
        (RERANKER, {"query": "", "contexts": []}, 5004),
        (RERANKER, {"query": "a", "contexts": [{"text": "a"}], "top_k": 0}, 5004),
        (LLAMA_GUARD, {"messages": [{"role": "system", "content": "a"}]}, 5004),
        (LLAMA_GUARD, {"messages": [USER, USER]}, 5004),
        (LLAMA_GUARD, {"messages": [{"role": "user", "content": "a" * 131_073}]}, 5004),
        (LLAVA, {"image": base64.b64encode(b"\xff\xd8\xff").decode(), "prompt": "what"}, 5004),
        (LLAVA, {"image": [255, 216, 256]}, 5004),
        (LLAVA, {"prompt": "what"}, 3003),
        (M2M100, {"text": "a"}, 3003),
        (M2M100, {"text": "", "target_lang": "de"}, 5004),
        (M2M100, {"text": "a", "target_lang": "tlh"}, 5004),
        (WHISPER, {"audio": "not base64!"}, 5004),
        (WHISPER, {"audio": [1, 2, 3]}, 5004),
        (WHISPER, {"audio": "AAAA", "task": "summarise"}, 5004),
        (FLUX, {"prompt": "a" * 2049}, 5004),
        (FLUX, {"prompt": "a", "steps": 9}, 5004),
        (FLUX, {"prompt": "a", "width": 512}, 5004),
        (FLUX, {}, 3003),
        (AURA, {"text": "a", "speaker": "bob"}, 5004),
        (AURA, {"speaker": "luna"}, 3003),
        (LLAMA, {"messages": [{"role": "assistant", "content": None}]}, 5004),
        (LLAMA, {}, 3003),
        (LLAMA, CHAT | {"temperature": 6}, 5004),
        (LLAMA, CHAT | {"seed": 0}, 5004),
        (LLAMA, CHAT | {"stream": True, "response_format": {"type": "json_object"}}, 5004),
        (LLAMA, CHAT | {"max_tokens": 24_000}, 5012),
        (LLAMA, {"messages": [{"role": "user", "content": "a" * 96_000}]}, 5012),
    ],
)
def test_a_body_against_the_schema(cloud: Account, model: str, body: dict[str, Any], code: int) -> None:
    """The status is 400, the code is in the envelope, nothing is charged."""
    assert codes(run(cloud, model, body)) == (400, [code])
    assert cloud.calls()[0].outcome == "refused"
    assert cloud.charged().micro_neurons == 0


def test_a_model_that_does_not_exist(cloud: Account) -> None:
    """5007, in both forms of a chat."""
    assert codes(run(cloud, "@cf/meta/llama-99", CHAT)) == (400, [5007])
    assert codes(cloudflare(cloud, "v1/chat/completions", {"model": "@cf/meta/llama-99", **CHAT})) == (400, [5007])


def test_json_mode_that_cannot_be_met(cloud: Account) -> None:
    """A schema nothing satisfies is an error, not an answer."""
    never = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^[0-9]+$"}}, "required": ["a"]}
    response = run(cloud, LLAMA, CHAT | {"response_format": {"type": "json_schema", "json_schema": never}})
    assert response.status_code == 400
    assert "JSON Mode couldn't be met" in response.json()["errors"][0]["message"]


def test_a_body_that_is_too_large(cloud: Account) -> None:
    """413 and 3006."""
    cloud.body_limit_bytes = 1000
    assert codes(run(cloud, BGE_M3, {"text": "a" * 1000})) == (413, [3006])


def test_a_wrong_token_and_a_foreign_account(cloud: Account) -> None:
    """10000, and nobody's record is touched."""
    url = f"{cloud.api_url}/accounts/{cloud.id}/ai/run/{LLAMA}"
    assert codes(http().post(url, json=CHAT)) == (401, [10000])
    assert codes(http().post(url, json=CHAT, headers={"authorization": "Bearer cf-wrong"})) == (401, [10000])
    foreign = url.replace(cloud.id, "0" * 32)
    assert codes(http().post(foreign, json=CHAT, headers={"authorization": f"Bearer {cloud.token}"})) == (401, [10000])
    assert cloud.calls() == []


def test_a_body_that_is_no_json(cloud: Account) -> None:
    """Neither broken JSON nor another content type."""
    url = f"{cloud.api_url}/accounts/{cloud.id}/ai/run/{LLAMA}"
    token = {"authorization": f"Bearer {cloud.token}"}
    broken = http().post(url, content=b"{", headers=token | {"content-type": "application/json"})
    assert codes(broken) == (400, [5004])
    assert codes(http().post(url, content=b"hello", headers=token | {"content-type": "text/plain"})) == (400, [5004])
    assert [call.outcome for call in cloud.calls()] == ["refused", "refused"]


def test_a_path_that_leads_nowhere(cloud: Account) -> None:
    """7003: the router does not know it."""
    assert codes(cloudflare(cloud, "v2/chat", CHAT)) == (404, [7003])
    assert codes(http().get(f"{cloud.api_url}/accounts")) == (404, [7003])


def test_a_third_party_model_that_unified_billing_does_not_serve(cloud: Account) -> None:
    """2021, which asks for a key of one's own."""
    body = {"model": "mistral/large", **CHAT}
    assert codes(cloudflare(cloud, "v1/chat/completions", body)) == (402, [2021])
