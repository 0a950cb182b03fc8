"""Anthropic: messages, their events, and prompt caching at marked places."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.cloud import Account, Charged
from tests.cloud.callers import anthropic, events, http

FACTS = "The band met in Bristol in 1991. " * 200
"""6,600 bytes: 1,650 tokens."""


def asked(*system: tuple[str, str | None], question: str = "Write.", **fields: Any) -> dict[str, Any]:
    """A request whose system blocks are texts, each with the lifetime of its mark."""
    blocks = [
        {"type": "text", "text": text} | ({"cache_control": {"type": "ephemeral", "ttl": ttl}} if ttl else {})
        for text, ttl in system
    ]
    messages = [{"role": "user", "content": question}]
    return {"model": "claude-sonnet-5", "max_tokens": 50, "system": blocks, "messages": messages, **fields}


def counted(cloud: Account, body: dict[str, Any]) -> tuple[int, int, int]:
    """Tokens that were neither read nor written, that were written, and that were read."""
    usage = anthropic(cloud, body).json()["usage"]
    return usage["input_tokens"], usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]


def test_a_marked_prefix_is_written_once_and_read_for_five_minutes(cloud: Account) -> None:
    """A read begins the five minutes anew; then it has to be written again."""
    cloud.clock.freeze()
    body = asked((FACTS, "5m"))
    prefix = 1654
    assert counted(cloud, body) == (6, prefix, 0)
    for _ in range(2):
        cloud.clock.advance(299)
        assert counted(cloud, asked((FACTS, "5m"), question="Write!")) == (6, 0, prefix)
    cloud.clock.advance(300)
    assert counted(cloud, body) == (6, prefix, 0)


def test_an_hour_is_written_as_an_hour(cloud: Account) -> None:
    """The two lifetimes are counted apart."""
    cloud.clock.freeze()
    usage = anthropic(cloud, asked((FACTS, "1h"), (FACTS, "5m"))).json()["usage"]
    assert usage["cache_creation"] == {"ephemeral_1h_input_tokens": 1654, "ephemeral_5m_input_tokens": 1651}
    cloud.clock.advance(3000)
    usage = anthropic(cloud, asked((FACTS, "1h"), (FACTS, "5m"))).json()["usage"]
    assert usage["cache_read_input_tokens"] == 1654
    assert usage["cache_creation"] == {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 1651}
    assert cloud.charged().cache_write_1h_tokens == 1654


def test_any_change_before_a_mark_voids_it(cloud: Account) -> None:
    """One letter is enough; so is another model."""
    counted(cloud, asked((FACTS, "5m")))
    assert counted(cloud, asked((FACTS.replace("1991", "1992"), "5m")))[2] == 0
    assert counted(cloud, asked((FACTS, "5m"), model="claude-sonnet-4-6"))[2] == 0
    assert counted(cloud, asked((FACTS, "5m"), tools=[{"name": "search", "input_schema": {}}]))[2] == 0


def test_below_the_minimum_nothing_is_kept_and_nothing_is_said(cloud: Account) -> None:
    """1,024 tokens for Sonnet, 4,096 for Haiku 4.5, 512 for Opus 5."""
    assert counted(cloud, asked(("short", "5m")))[1:] == (0, 0)
    assert counted(cloud, asked((FACTS, "5m"), model="claude-haiku-4-5"))[1:] == (0, 0)
    assert counted(cloud, asked((FACTS[:2100], "5m"), model="claude-opus-5"))[1] == 529


def test_a_prefix_is_found_up_to_twenty_blocks_before_a_mark(cloud: Account) -> None:
    """A conversation that grew by more than that is written anew."""
    near, far = [("more", None)] * 18, [("more", None)] * 20
    counted(cloud, asked((FACTS, "5m")))
    assert counted(cloud, asked((FACTS, None), *near, ("end", "5m")))[2] == 1654
    assert counted(cloud, asked((FACTS, None), *far, ("end", "5m")))[2] == 0


def test_a_mark_at_the_top_stands_for_the_last_block(cloud: Account) -> None:
    """What follows from it is read by the same request once more."""
    body = asked((FACTS, None), cache_control={"type": "ephemeral"})
    assert counted(cloud, body) == (0, 1660, 0)
    assert counted(cloud, body) == (0, 0, 1660)


def test_a_fan_out_before_the_first_answer_has_begun_reads_nothing(cloud: Account) -> None:
    """Warm first: requests side by side all write."""
    cloud.slow("claude-sonnet-5", 0.3)
    with ThreadPoolExecutor(3) as pool:
        written = list(pool.map(lambda _: counted(cloud, asked((FACTS, "5m")))[1], range(3)))
    assert written == [1654] * 3


def test_events_tell_the_input_first_and_the_output_last(cloud: Account) -> None:
    """In the order Anthropic sends them, and together what the whole answer would say."""
    cloud.plan("claude-sonnet-5", "Two words.")
    said = events(anthropic(cloud, asked((FACTS, "5m"), stream=True)).text)
    kinds = [one["type"] for one in said]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[3:] == [*["content_block_delta"] * 2, "content_block_stop", "message_delta", "message_stop"]
    assert said[0]["message"]["usage"]["cache_creation_input_tokens"] == 1654
    assert "".join(one["delta"]["text"] for one in said[3:5]) == "Two words."
    assert said[-2]["usage"] == {"output_tokens": 3}
    charged = cloud.calls()[0].charged
    assert charged == Charged(prompt_tokens=1660, cache_write_5m_tokens=1654, completion_tokens=3)


def test_an_answer_that_is_too_long_stops_at_max_tokens(cloud: Account) -> None:
    """And says so."""
    cloud.plan("claude-sonnet-5", "word " * 100)
    answer = anthropic(cloud, asked(max_tokens=10)).json()
    assert (answer["stop_reason"], answer["usage"]["output_tokens"]) == ("max_tokens", 10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_tokens": None},
        {"max_tokens": 0},
        {"messages": []},
        {"messages": [{"role": "system", "content": "a"}]},
        {"messages": [{"role": "assistant", "content": "a"}]},
        {"messages": [{"role": "user", "content": ""}]},
        {"temperature": 1.5},
        {"tempreature": 1.0},
        {"cache_control": {"type": "ephemeral", "ttl": "10m"}},
        {"max_tokens": 1_000_001},
        {"system": [{"type": "text", "text": f"{n}", "cache_control": {"type": "ephemeral"}} for n in range(5)]},
        {
            "system": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": ttl}}
                for ttl in ("5m", "1h")
            ]
        },
    ],
)
def test_a_request_against_the_schema(cloud: Account, wrong: dict[str, Any]) -> None:
    """Missing, out of range, unknown, too many marks, an hour behind five minutes: all are invalid requests."""
    response = anthropic(cloud, asked() | wrong)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")


def test_who_may_not_and_what_is_not(cloud: Account) -> None:
    """A wrong key, a missing version, an unknown model."""
    url = f"{cloud.anthropic_url}/v1/messages"
    version = {"anthropic-version": "2023-06-01"}
    key = {"x-api-key": cloud.anthropic_key}
    stranger = http().post(url, json=asked(), headers=version | {"x-api-key": "sk-ant-wrong"})
    unversioned = http().post(url, json=asked(), headers=key)
    unknown = anthropic(cloud, asked(model="claude-9"))
    found = [(one.status_code, one.json()["error"]["type"]) for one in (stranger, unversioned, unknown)]
    assert found == [(401, "authentication_error"), (400, "invalid_request_error"), (404, "not_found_error")]
    assert unknown.json()["request_id"] == unknown.headers["request-id"]
