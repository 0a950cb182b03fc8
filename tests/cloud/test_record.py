"""The record is the simulator's own count: what it was asked, what it answered, what it charged."""

from tests.cloud import Account, Charged, Simulator
from tests.cloud.callers import CHAT, anthropic, http, run
from tests.cloud.models import BGE_M3, LLAMA

MESSAGES = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": CHAT["messages"]}


def test_calls_are_counted_by_model_with_what_they_cost(cloud: Account) -> None:
    """Refused ones too, for nothing."""
    cloud.plan(LLAMA, "four")
    run(cloud, LLAMA, CHAT)
    run(cloud, LLAMA, {})
    run(cloud, BGE_M3, {"text": ["abcd", "abcde"]})
    counts = cloud.counts()
    chat = Charged(prompt_tokens=8, completion_tokens=1, micro_neurons=8 * 26_668 + 204_805)
    assert (counts[LLAMA].calls, counts[LLAMA].answered, counts[LLAMA].refused) == (2, 1, 1)
    assert counts[LLAMA].charged == chat == cloud.charged(LLAMA)
    assert counts[BGE_M3].charged == Charged(prompt_tokens=3, micro_neurons=3 * 1075)
    assert cloud.charged() == chat + counts[BGE_M3].charged


def test_batches_and_moments_are_kept(cloud: Account) -> None:
    """How many texts each request had, and when it came on the account's clock."""
    cloud.clock.freeze()
    start = cloud.clock.now()
    for size in (25, 3):
        run(cloud, BGE_M3, {"text": ["a"] * size})
        cloud.clock.advance(40)
    assert cloud.batches(BGE_M3) == [25, 3]
    assert [call.at - start for call in cloud.calls()] == [0, 40]
    assert (cloud.busiest(BGE_M3), cloud.busiest(BGE_M3, 30)) == (2, 1)


def test_who_leaves_a_stream_pays_for_all_of_it(cloud: Account) -> None:
    """The model wrote it to its end."""
    cloud.plan("claude-sonnet-5", "word " * 40)
    cloud.slow("claude-sonnet-5", 0.0, per_chunk=0.02)
    headers = {"x-api-key": cloud.anthropic_key, "anthropic-version": "2023-06-01"}
    url = f"{cloud.anthropic_url}/v1/messages"
    with http().stream("POST", url, json=MESSAGES | {"stream": True}, headers=headers) as response:
        next(response.iter_bytes())
    whole = anthropic(cloud, MESSAGES).json()["usage"]["output_tokens"]
    assert [call.charged.completion_tokens for call in cloud.calls()] == [whole, whole]


def test_accounts_know_nothing_of_each_other(cloud_simulator: Simulator, cloud: Account) -> None:
    """Neither calls nor limits nor faults."""
    other = cloud_simulator.account()
    cloud.limit(LLAMA, 0)
    assert (run(cloud, LLAMA, CHAT).status_code, run(other, LLAMA, CHAT).status_code) == (429, 200)
    assert (len(cloud.calls()), len(other.calls())) == (1, 1)
    assert {cloud.token, cloud.id}.isdisjoint({other.token, other.id})


def test_a_reset_account_is_like_a_fresh_one(cloud: Account) -> None:
    """But for its keys."""
    cloud.limit(LLAMA, 0)
    cloud.plan(LLAMA, "planned")
    run(cloud, LLAMA, CHAT)
    cloud.reset()
    assert cloud.calls() == []
    assert run(cloud, LLAMA, CHAT).json()["result"]["response"] != "planned"
