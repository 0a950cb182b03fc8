"""AI Gateway: its door, its headers, its exact cache, its tries and its logs."""

import json
from typing import Any

import httpx
import pytest

from tests.cloud import Account, Fault
from tests.cloud.callers import CHAT, cloudflare, gemini, http, openai, run, spelt, through_gateway
from tests.cloud.models import BGE_M3, LLAMA

MESSAGES = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": CHAT["messages"]}
OPENAI = {"model": "gpt-4.1", "messages": CHAT["messages"]}
PATH = "anthropic/v1/messages"


def gateway_codes(response: httpx.Response) -> tuple[int, list[int]]:
    """The status and the codes in the gateway's own form, whose key is `error`."""
    return response.status_code, [one["code"] for one in response.json()["error"]]


def logs(cloud: Account, path: str = "", **query: Any) -> Any:
    """What the logs API answers."""
    url = f"{cloud.api_url}/accounts/{cloud.id}/ai-gateway/gateways/{cloud.gateway}/logs{path}"
    return http().get(url, params=query, headers={"authorization": f"Bearer {cloud.token}"})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATH, MESSAGES),
        ("openai/chat/completions", OPENAI),
        ("openai/embeddings", {"model": "text-embedding-3-small", "input": "a"}),
        ("deepseek/chat/completions", OPENAI | {"model": "deepseek-chat"}),
        (
            "google-ai-studio/v1beta/models/gemini-2.5-flash:generateContent",
            {"contents": [{"parts": [{"text": "a"}]}]},
        ),
        (f"workers-ai/{LLAMA}", CHAT),
        (f"workers-ai/run/{BGE_M3}", {"text": "a"}),
        ("workers-ai/v1/chat/completions", CHAT | {"model": LLAMA}),
    ],
)
def test_a_provider_is_reached_by_its_own_path(cloud: Account, path: str, body: dict[str, Any]) -> None:
    """With the gateway's headers on the way back."""
    response = through_gateway(cloud, path, body)
    call = cloud.calls()[0]
    assert (response.status_code, call.gateway, call.surface) == (200, "main", "gateway")
    assert (response.headers["cf-aig-log-id"], response.headers["cf-aig-step"]) == (call.log_id, "0")
    assert "cf-aig-cache-status" not in response.headers


def test_an_answer_through_the_gateway_is_the_providers(cloud: Account) -> None:
    """To the byte, but for its id and its time."""
    direct, behind = (
        openai(cloud, "chat/completions", OPENAI),
        through_gateway(cloud, "openai/chat/completions", OPENAI),
    )
    assert direct.json()["choices"] == behind.json()["choices"]
    body = {"contents": [{"parts": [{"text": "a"}]}]}
    model = "gemini-2.5-flash:generateContent"
    through = through_gateway(cloud, f"google-ai-studio/v1/models/{model}", body)
    assert gemini(cloud, model, body).json()["candidates"] == through.json()["candidates"]


def test_the_gateway_asks_for_its_own_token(cloud: Account) -> None:
    """401 and 2009 without it or with a wrong one; a gateway without authentication does not look."""
    for token in ("", "Bearer cf-wrong"):
        assert gateway_codes(through_gateway(cloud, PATH, MESSAGES, cf_aig_authorization=token)) == (401, [2009])
    cloud.add_gateway("main", authentication=False)
    assert through_gateway(cloud, PATH, MESSAGES, cf_aig_authorization="").status_code == 200


def test_the_provider_asks_for_its_key_unless_it_is_stored(cloud: Account) -> None:
    """The refusal is then the provider's own."""
    url = f"{cloud.gateway_url}/{cloud.id}/main/{PATH}"
    headers = {"cf-aig-authorization": f"Bearer {cloud.token}", "anthropic-version": "2023-06-01"}
    refused = http().post(url, json=MESSAGES, headers=headers)
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")
    cloud.add_gateway("main", byok=frozenset({"anthropic"}))
    assert http().post(url, json=MESSAGES, headers=headers).status_code == 200


def test_a_gateway_or_provider_nobody_knows(cloud: Account) -> None:
    """Only `default` is made by being asked for."""
    cloud.gateway = "elsewhere"
    assert gateway_codes(through_gateway(cloud, PATH, MESSAGES)) == (400, [2001])
    cloud.gateway = "default"
    assert through_gateway(cloud, PATH, MESSAGES).status_code == 200
    url = f"{cloud.gateway_url}/{cloud.id}/default/nobody/v1/messages"
    strange = http().post(url, json=MESSAGES, headers={"cf-aig-authorization": f"Bearer {cloud.token}"})
    assert gateway_codes(strange) == (400, [2008])


def test_the_exact_cache_gives_the_same_body_without_asking_the_provider(cloud: Account) -> None:
    """Until its time is over, for the same body only, and without any charge."""
    cloud.clock.freeze()
    ttl = {"cf_aig_cache_ttl": "60"}
    first, second = (through_gateway(cloud, PATH, MESSAGES, **ttl) for _ in range(2))
    other = through_gateway(cloud, PATH, MESSAGES | {"max_tokens": 51}, **ttl)
    cloud.clock.advance(60)
    late = through_gateway(cloud, PATH, MESSAGES, **ttl)
    told = [one.headers["cf-aig-cache-status"] for one in (first, second, other, late)]
    assert told == ["MISS", "HIT", "MISS", "MISS"]
    assert first.content == second.content != late.content
    assert [call.charged.prompt_tokens > 0 for call in cloud.calls()] == [True, False, True, True]


def test_what_the_cache_leaves_alone(cloud: Account) -> None:
    """Streams, failures, and whoever asks to skip it."""
    ttl = {"cf_aig_cache_ttl": "60"}
    streamed = [through_gateway(cloud, PATH, MESSAGES | {"stream": True}, **ttl) for _ in range(2)]
    assert not any("cf-aig-cache-status" in one.headers for one in streamed)
    cloud.fail("claude-sonnet-5", Fault(status=500))
    told = [through_gateway(cloud, PATH, MESSAGES, **ttl) for _ in range(3)]
    assert [one.headers["cf-aig-cache-status"] for one in told] == ["MISS", "MISS", "HIT"]
    skipped = through_gateway(cloud, PATH, MESSAGES, cf_aig_skip_cache="true", **ttl)
    assert "cf-aig-cache-status" not in skipped.headers


def test_an_own_key_stands_for_the_body(cloud: Account) -> None:
    """And turns the cache on where it was off, for five minutes."""
    cloud.clock.freeze()
    key = {"cf_aig_cache_key": "bio-1"}
    through_gateway(cloud, PATH, MESSAGES, **key)
    cloud.clock.advance(299)
    other = through_gateway(cloud, PATH, MESSAGES | {"max_tokens": 51}, **key)
    cloud.clock.advance(1)
    late = through_gateway(cloud, PATH, MESSAGES, **key)
    assert [one.headers["cf-aig-cache-status"] for one in (other, late)] == ["HIT", "MISS"]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("cf-aig-cache-ttl", "59"),
        ("cf-aig-cache-ttl", "soon"),
        ("cf-aig-max-attempts", "6"),
        ("cf-aig-retry-delay", "5001"),
        ("cf-aig-backoff", "random"),
        ("cf-aig-skip-cache", "yes"),
        ("cf-aig-metadata", "feature=bio"),
        ("cf-aig-metadata", '{"a": {"nested": 1}}'),
    ],
)
def test_a_header_that_is_not_what_is_documented(cloud: Account, header: str, value: str) -> None:
    """400, in the gateway's own form."""
    assert gateway_codes(through_gateway(cloud, PATH, MESSAGES, **{header: value})) == (400, [2000])


def test_the_gateway_tries_again_as_often_as_it_is_told(cloud: Account) -> None:
    """Every try is a call to the provider; the client sees the last one."""
    cloud.fail("claude-sonnet-5", Fault(status=529), times=2)
    tries = {"cf_aig_max_attempts": "3", "cf_aig_retry_delay": "1"}
    assert through_gateway(cloud, PATH, MESSAGES, **tries).status_code == 200
    assert [(call.status, call.superseded) for call in cloud.calls()] == [(529, True), (529, True), (200, False)]


def test_a_try_that_is_too_slow_is_given_up_but_for_the_last(cloud: Account) -> None:
    """Milliseconds to the first byte; the last try has all the time it needs."""
    cloud.fail("claude-sonnet-5", Fault(delay_seconds=20.0))
    patience = {"cf_aig_max_attempts": "2", "cf_aig_request_timeout": "50", "cf_aig_retry_delay": "1"}
    assert through_gateway(cloud, PATH, MESSAGES, **patience).status_code == 200
    assert [(call.error, call.superseded) for call in cloud.calls()] == [("timeout", True), (None, False)]


def test_a_gateway_may_have_a_limit_of_its_own(cloud: Account) -> None:
    """429 in its own form."""
    cloud.add_gateway("main", rate_limiting_limit=1)
    assert through_gateway(cloud, PATH, MESSAGES).status_code == 200
    assert gateway_codes(through_gateway(cloud, PATH, MESSAGES)) == (429, [2003])


def test_the_host_of_the_api_goes_through_a_gateway_when_it_is_named(cloud: Account) -> None:
    """In both of its forms; the cache and the log are the gateway's."""
    named = {"cf_aig_gateway_id": "main", "cf_aig_cache_ttl": "60"}
    body = {"model": LLAMA, "input": CHAT}
    first, second = (cloudflare(cloud, "run", body, **named) for _ in range(2))
    assert [one.headers["cf-aig-cache-status"] for one in (first, second)] == ["MISS", "HIT"]
    assert second.json()["result"] == run(cloud, LLAMA, CHAT).json()["result"]
    chat = cloudflare(cloud, "v1/chat/completions", {"model": "openai/gpt-4.1", "messages": CHAT["messages"]}, **named)
    assert chat.json()["model"] == "gpt-4.1"
    assert [one["model"] for one in logs(cloud).json()["result"]] == ["gpt-4.1", LLAMA, LLAMA]


def test_a_log_holds_tokens_metadata_and_bodies(cloud: Account) -> None:
    """Five entries of metadata; a sixth is dropped without a word."""
    entries = {name: number for number, name in enumerate("abcdef")}
    response = through_gateway(cloud, PATH, MESSAGES, cf_aig_metadata=json.dumps(entries), cf_aig_event_id="job-1")
    log_id = response.headers["cf-aig-log-id"]
    log = logs(cloud, f"/{log_id}").json()["result"]
    charged = cloud.calls()[0].charged
    assert (log["tokens_in"], log["tokens_out"]) == (charged.prompt_tokens, charged.completion_tokens)
    assert log["metadata"] == cloud.calls()[0].metadata == {name: entries[name] for name in "abcde"}
    assert logs(cloud, f"/{log_id}/request").json() == MESSAGES
    assert logs(cloud, f"/{log_id}/response").json() == response.json()
    assert response.headers["cf-aig-event-id"] == "job-1"


def test_logs_are_listed_in_pages_and_filtered(cloud: Account) -> None:
    """By any of their fields, metadata among them."""
    for number in range(3):
        through_gateway(cloud, PATH, MESSAGES, cf_aig_metadata=json.dumps({"n": number}))
    page = logs(cloud, per_page=2, page=2).json()
    assert (len(page["result"]), page["result_info"]["total_count"]) == (1, 3)
    wanted = json.dumps([{"key": "metadata.n", "operator": "eq", "value": [1]}])
    assert [one["metadata"] for one in logs(cloud, filters=wanted).json()["result"]] == [{"n": 1}]
    assert logs(cloud, order_by="colour").status_code == 400


def test_a_log_is_there_a_little_later(cloud: Account) -> None:
    """Until then it is not found."""
    cloud.clock.freeze()
    cloud.log_delay_seconds = 5
    log_id = through_gateway(cloud, PATH, MESSAGES).headers["cf-aig-log-id"]
    assert logs(cloud, f"/{log_id}").status_code == 404
    cloud.clock.advance(5)
    assert logs(cloud, f"/{log_id}").status_code == 200


def test_a_log_can_be_left_out_or_kept_without_bodies(cloud: Account) -> None:
    """As the headers say."""
    unlogged = through_gateway(cloud, PATH, MESSAGES, cf_aig_collect_log="false")
    assert "cf-aig-log-id" not in unlogged.headers
    assert logs(cloud).json()["result"] == []
    bare = through_gateway(cloud, PATH, MESSAGES, cf_aig_collect_log_payload="false")
    assert logs(cloud, f"/{bare.headers['cf-aig-log-id']}/request").status_code == 404


def test_a_log_can_be_judged(cloud: Account) -> None:
    """A thumb and a score stay with it; other fields are refused."""
    log_id = through_gateway(cloud, PATH, MESSAGES).headers["cf-aig-log-id"]
    url = f"{cloud.api_url}/accounts/{cloud.id}/ai-gateway/gateways/main/logs/{log_id}"
    token = spelt({"authorization": f"Bearer {cloud.token}"})
    assert http().patch(url, json={"feedback": 1, "score": 80}, headers=token).status_code == 200
    assert http().patch(url, json={"feedback": 2}, headers=token).status_code == 400
    assert logs(cloud, f"/{log_id}").json()["result"]["feedback"] == 1
