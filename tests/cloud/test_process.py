"""The simulator as a process of its own, for those who kill other processes."""

from collections.abc import Iterator

import httpx
import pytest

from tests.cloud import CloudProcess, launched
from tests.cloud.callers import http
from tests.cloud.models import LLAMA

CHAT = {"messages": [{"role": "user", "content": "Say something."}]}


@pytest.fixture(scope="module", name="process")
def _process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    with launched(tmp_path_factory.mktemp("cloud"), "--seed", "42", "--account", "acme") as process:
        yield process


@pytest.fixture(autouse=True)
def _fresh(process: CloudProcess) -> None:
    process.change("reset")


def ask(process: CloudProcess) -> httpx.Response:
    account = process.account
    url = f"{account['api_url']}/accounts/{account['id']}/ai/run/{LLAMA}"
    return http().post(url, json=CHAT, headers={"authorization": f"Bearer {account['token']}"})


def test_it_says_where_it_is_and_how_to_get_in(process: CloudProcess) -> None:
    """The account and its keys can be known beforehand."""
    account = process.account
    assert (account["id"], account["token"], account["anthropic_key"]) == ("acme", "cf-42", "sk-ant-42")
    assert account["gateway_url"] == f"{process.url}/v1"
    assert ask(process).status_code == 200


def test_its_count_can_be_read_from_outside(process: CloudProcess) -> None:
    """Counts, charges, calls and the busiest minute, in the same types as in the same process."""
    ask(process)
    ask(process)
    counts = process.counts()[LLAMA]
    assert (counts.calls, counts.answered) == (2, 2)
    assert counts.charged == process.charged()
    assert sum(call.charged.completion_tokens for call in process.calls(LLAMA)) == counts.charged.completion_tokens
    assert process.busiest(LLAMA) == 2


def test_it_can_be_changed_from_outside(process: CloudProcess) -> None:
    """Limits, latencies, faults, plans and the clock."""
    process.change("plans", model=LLAMA, answer="planned", times=1)
    process.change("latencies", model=LLAMA, seconds=0.0)
    assert ask(process).json()["result"]["response"] == "planned"
    process.change("faults", model=LLAMA, fault={"status": 500})
    assert ask(process).status_code == 500
    process.change("limits", model=LLAMA, per_minute=2)
    assert [ask(process).status_code for _ in range(3)] == [200, 200, 429]
    process.advance(60)
    assert ask(process).status_code == 200


def test_a_change_it_does_not_know_is_refused(process: CloudProcess) -> None:
    """A misspelt fault would be no fault."""
    with pytest.raises(httpx.HTTPStatusError):
        process.change("faults", model=LLAMA, fault={"statuss": 500})
    with pytest.raises(httpx.HTTPStatusError):
        process.change("limits", model=LLAMA, per_second=2)


def test_more_accounts_can_be_opened(process: CloudProcess) -> None:
    """Each is listed."""
    opened = http().post(f"{process.url}/_simulator/accounts").json()
    listed = http().get(f"{process.url}/_simulator/accounts").json()
    assert {opened["id"], "acme"} <= {one["id"] for one in listed}
    assert http().get(f"{process.url}/_simulator/accounts/{opened['id']}/counts").json() == {}
