"""The rows of AIJobs, and money as an exact number."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.ledger import job
from tests.gateway.standins import Installation
from tonetouch_contracts.job import ListJobs
from tonetouch_gateway.money import in_dollars

FIELDS = {
    "id",
    "attempt",
    "type",
    "feature",
    "subject",
    "provider",
    "model",
    "gateway",
    "input_hash",
    "input_ref",
    "output_ref",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "cost_usd",
    "latency_ms",
    "outcome",
    "cache",
    "recorded_at",
}


@pytest.mark.asyncio(loop_scope="package")
async def test_a_row_has_exactly_these_fields(installed: Installation) -> None:
    """What is not known is null, never zero."""
    installed.services.ledger.jobs += [job(prompt_tokens=3), job(cost_pico_usd=0)]
    rows = (await installed.client.get("/api/v1/ai/jobs")).json()["items"]
    assert [row.keys() for row in rows] == [FIELDS, FIELDS]
    assert [row["cost_usd"] for row in rows] == [None, 0]
    assert (rows[0]["prompt_tokens"], rows[0]["completion_tokens"]) == (3, None)


@pytest.mark.asyncio(loop_scope="package")
async def test_a_cost_is_a_number_with_every_digit(installed: Installation) -> None:
    """A JSON number, not text, and not rounded to what a float can hold."""
    pico = 123_456_789_012_345_678_901
    installed.services.ledger.jobs.append(job(cost_pico_usd=pico))
    answer = await installed.client.get("/api/v1/ai/jobs")
    assert answer.headers["content-type"] == "application/json"
    cost = json.loads(answer.text, parse_float=Decimal)["items"][0]["cost_usd"]
    assert cost == Decimal("123456789.012345678901")


@pytest.mark.asyncio(loop_scope="package")
async def test_rows_are_asked_for_by_subject_type_and_feature(installed: Installation) -> None:
    """And by user, provider, model and outcome; the ledger is told all of them."""
    query: dict[str, str | int] = {"subject": "track:t", "type": "chat", "feature": "search", "limit": 3}
    query |= {"user": "u", "provider": "p", "model": "m", "outcome": "failed"}
    await installed.client.get("/api/v1/ai/jobs", params=query)
    asked = installed.services.ledger.last(ListJobs)
    assert {name: getattr(asked, name) for name in query} == query


@pytest.mark.asyncio(loop_scope="package")
async def test_a_corrected_cost_is_the_cost(installed: Installation) -> None:
    """Also where the correction is that nobody knows; the whole row has both."""
    corrected = {"cost_pico_usd": 10**12, "repriced_at": "2026-11-22T10:00:00Z"}
    installed.services.ledger.jobs += [job(**corrected, repriced_pico_usd=2 * 10**12), job(**corrected)]
    rows = (await installed.client.get("/api/v1/ai/jobs")).json()["items"]
    assert [row["cost_usd"] for row in rows] == [2, None]
    whole = (await installed.client.get("/api/v1/ai/jobs/j")).json()["items"]
    assert [(row["cost_usd"], row["repriced_usd"]) for row in whole] == [(1, 2), (1, None)]


@given(st.integers(min_value=-(10**40), max_value=10**40))
def test_pico_dollars_are_dollars_times_a_million_millions(pico: int) -> None:
    """Whatever the amount, no digit is lost."""
    dollars = in_dollars(pico)
    assert dollars is not None
    whole, _, fraction = f"{dollars:f}".partition(".")
    assert int(whole + fraction.ljust(12, "0")) == pico
