"""What is planned to go wrong goes wrong so, as often as planned, and is in the record."""

import httpx
import pytest

from tests.cloud import Account, Charged, Fault
from tests.cloud.callers import CHAT, anthropic, codes, events, http, openai, run, through_gateway
from tests.cloud.models import BGE_M3, LLAMA, RERANKER

STREAM = CHAT | {"stream": True}
MESSAGES = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": CHAT["messages"]}
OPENAI = {"model": "gpt-4.1", "messages": CHAT["messages"]}


def test_a_fault_comes_as_often_as_planned_and_when(cloud: Account) -> None:
    """After one good request, twice."""
    cloud.fail(LLAMA, Fault(status=429, code=3040), times=2, after=1)
    assert [run(cloud, LLAMA, CHAT).status_code for _ in range(4)] == [200, 429, 429, 200]
    assert [call.fault for call in cloud.calls()] == [None, *["status=429 code=3040"] * 2, None]


def test_out_of_capacity_is_told_apart_from_the_limit_of_a_minute(cloud: Account) -> None:
    """Same status, another code, and a time to wait where one is planned."""
    cloud.fail(LLAMA, Fault(status=429, code=3040, retry_after=2.5))
    busy = run(cloud, LLAMA, CHAT)
    cloud.limit(LLAMA, 0)
    limited = run(cloud, LLAMA, CHAT)
    assert (codes(busy), busy.headers["retry-after"]) == ((429, [3040]), "3")
    assert codes(limited) == (429, [971])


def test_a_refusal_has_the_form_of_whoever_is_asked(cloud: Account) -> None:
    """Anthropic, OpenAI and Gemini each say it in their own way."""
    for model in ("claude-sonnet-5", "gpt-4.1", "gemini-2.5-flash"):
        cloud.fail(model, Fault(status=500, message="boom"))
    overloaded = anthropic(cloud, MESSAGES)
    assert (overloaded.status_code, overloaded.json()["error"]["type"]) == (500, "api_error")
    assert openai(cloud, "chat/completions", OPENAI).json()["error"]["type"] == "server_error"
    cloud.fail("claude-sonnet-5", Fault(status=529))
    assert anthropic(cloud, MESSAGES).json()["error"]["type"] == "overloaded_error"


def test_what_is_refused_is_free(cloud: Account) -> None:
    """No tokens, no neurons."""
    cloud.fail(LLAMA, Fault(status=500))
    run(cloud, LLAMA, CHAT)
    assert cloud.charged() == Charged()


def test_usage_can_be_missing_though_it_is_charged(cloud: Account) -> None:
    """In an answer as in a stream."""
    for model in (LLAMA, "claude-sonnet-5"):
        cloud.fail(model, Fault(without_usage=True), times=2)
    assert "usage" not in run(cloud, LLAMA, CHAT).json()["result"]
    assert not [one for one in events(run(cloud, LLAMA, STREAM).text) if "usage" in one]
    assert "usage" not in anthropic(cloud, MESSAGES).json()
    assert "usage" not in anthropic(cloud, MESSAGES | {"stream": True}).text
    assert [call.charged.completion_tokens > 0 for call in cloud.calls()] == [True] * 4


def test_a_stream_can_end_before_its_end(cloud: Account) -> None:
    """Two chunks, no usage, no [DONE]; what was said until then is charged."""
    cloud.plan(LLAMA, "one two three four")
    cloud.fail(LLAMA, Fault(cut_after=2))
    said = events(run(cloud, LLAMA, STREAM).text)
    assert [one["response"] for one in said] == ["one", " two"]
    call = cloud.calls()[0]
    assert (call.outcome, call.charged.completion_tokens) == ("cut", 2)


def test_a_connection_can_break_in_a_stream(cloud: Account) -> None:
    """The client sees that the body never ended."""
    cloud.fail(LLAMA, Fault(cut_after=1, abrupt=True))
    with pytest.raises(httpx.RemoteProtocolError):
        run(cloud, LLAMA, STREAM)
    assert cloud.calls()[0].outcome == "cut"


def test_a_connection_can_break_in_an_answer_that_is_paid_for(cloud: Account) -> None:
    """The money is spent and nothing usable has come."""
    cloud.fail(LLAMA, Fault(abrupt=True))
    with pytest.raises(httpx.RemoteProtocolError):
        run(cloud, LLAMA, CHAT)
    assert cloud.calls()[0].charged.completion_tokens > 0


def test_a_page_in_place_of_an_answer(cloud: Account) -> None:
    """HTML with the status that is planned, 200 else; nothing is charged."""
    cloud.fail(LLAMA, Fault(html=True))
    cloud.fail(LLAMA, Fault(html=True, status=502))
    pages = [run(cloud, LLAMA, CHAT) for _ in range(2)]
    assert [page.status_code for page in pages] == [200, 502]
    assert all(page.headers["content-type"].startswith("text/html") for page in pages)
    assert cloud.charged() == Charged()


def test_json_of_another_shape(cloud: Account) -> None:
    """Status 200, and nothing in it that was asked for."""
    cloud.fail(LLAMA, Fault(nonsense=True), times=2)
    assert "result" not in run(cloud, LLAMA, CHAT).json()
    assert "{not json" in run(cloud, LLAMA, STREAM).text
    assert [call.outcome for call in cloud.calls()] == ["refused", "answered"]
    assert {call.error for call in cloud.calls()} == {"nonsense"}


def test_a_document_although_a_stream_was_asked_for(cloud: Account) -> None:
    """Whole and right, but no stream."""
    cloud.fail(LLAMA, Fault(plain_json=True))
    cloud.fail("gpt-4.1", Fault(plain_json=True))
    assert run(cloud, LLAMA, STREAM).json()["success"] is True
    assert openai(cloud, "chat/completions", OPENAI | {"stream": True}).json()["object"] == "chat.completion"


def test_the_wrong_content_type(cloud: Account) -> None:
    """The body is what it would have been."""
    cloud.fail(LLAMA, Fault(content_type="text/plain"))
    response = run(cloud, LLAMA, CHAT)
    assert response.headers["content-type"].startswith("text/plain")
    assert response.json()["success"] is True


def test_a_stream_in_chunks_that_are_no_events(cloud: Account) -> None:
    """Borders fall within lines and characters; the bytes are the same."""
    cloud.plan(LLAMA, "Sigur Rós, Ágætis byrjun")
    cloud.fail(LLAMA, Fault(torn=True))
    torn, whole = run(cloud, LLAMA, STREAM), run(cloud, LLAMA, STREAM)
    assert torn.content == whole.content
    assert cloud.calls()[0].charged == cloud.calls()[1].charged


def test_ids_that_come_twice(cloud: Account) -> None:
    """Of requests, and of places in a list."""
    cloud.fail(RERANKER, Fault(duplicate_ids=True))
    cloud.fail("gpt-4.1", Fault(duplicate_ids=True), times=2)
    contexts = [{"text": "a"}, {"text": "b"}]
    ranked = run(cloud, RERANKER, {"query": "a", "contexts": contexts}).json()["result"]["response"]
    assert [one["id"] for one in ranked] == [0, 0]
    first, second = (openai(cloud, "chat/completions", OPENAI) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert first.headers["x-request-id"] == second.headers["x-request-id"]


def test_vectors_that_are_missing(cloud: Account) -> None:
    """Fewer than texts were sent."""
    cloud.fail(BGE_M3, Fault(missing=1))
    assert len(run(cloud, BGE_M3, {"text": ["a", "b"]}).json()["result"]["data"]) == 1


def test_a_fault_behind_a_gateway_is_the_providers(cloud: Account) -> None:
    """The gateway passes its status and its body on."""
    cloud.fail("claude-sonnet-5", Fault(status=529))
    response = through_gateway(cloud, "anthropic/v1/messages", MESSAGES)
    assert (response.status_code, response.json()["error"]["type"]) == (529, "overloaded_error")


def test_an_answer_takes_as_long_as_it_is_told_to(cloud: Account) -> None:
    """A client that waits less sees nothing; it is charged for all the same."""
    cloud.slow(LLAMA, 0.3)
    url = f"{cloud.api_url}/accounts/{cloud.id}/ai/run/{LLAMA}"
    with pytest.raises(httpx.ReadTimeout):
        http().post(url, json=CHAT, headers={"authorization": f"Bearer {cloud.token}"}, timeout=0.05)
    run(cloud, LLAMA, CHAT)
    first, second = cloud.calls()
    assert first.outcome == second.outcome == "answered"
    assert first.charged == second.charged != Charged()
