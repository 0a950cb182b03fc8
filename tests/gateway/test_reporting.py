"""The rows of AIJobs, and money as an exact number."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.standins import Installation
from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import JobView, ListJobs
from tonetouch_gateway.reporting import in_dollars

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


def job(**said: Any) -> JobView:
    fields: dict[str, Any] = dict.fromkeys(JobView.__struct_fields__)
    fields |= {"id": JobId("j"), "attempt": 1, "type": "embeddings", "feature": "ingest.embed", "subject": "track:t"}
    fields |= {"provider": "local", "model": "m", "input_hash": "h", "outcome": "succeeded"}
    return JobView(**(fields | said))


@pytest.mark.asyncio(loop_scope="package")
async def test_a_row_has_exactly_these_fields(installed: Installation) -> None:
    """What is not known is null, never zero."""
    installed.services.jobs += [job(prompt_tokens=3), job(cost_pico_usd=0)]
    rows = (await installed.client.get("/api/v1/ai/jobs")).json()["items"]
    assert [row.keys() for row in rows] == [FIELDS, FIELDS]
    assert [row["cost_usd"] for row in rows] == [None, 0]
    assert (rows[0]["prompt_tokens"], rows[0]["completion_tokens"]) == (3, None)


@pytest.mark.asyncio(loop_scope="package")
async def test_a_cost_is_a_number_with_every_digit(installed: Installation) -> None:
    """A JSON number, not text, and not rounded to what a float can hold."""
    pico = 123_456_789_012_345_678_901
    installed.services.jobs.append(job(cost_pico_usd=pico))
    answer = await installed.client.get("/api/v1/ai/jobs")
    assert answer.headers["content-type"] == "application/json"
    cost = json.loads(answer.text, parse_float=Decimal)["items"][0]["cost_usd"]
    assert cost == Decimal("123456789.012345678901")


@pytest.mark.asyncio(loop_scope="package")
async def test_rows_are_asked_for_by_subject_type_and_feature(installed: Installation) -> None:
    """The ledger is told all of them."""
    query: dict[str, str | int] = {"subject": "track:t", "type": "chat", "feature": "search", "limit": 3}
    await installed.client.get("/api/v1/ai/jobs", params=query)
    asked = installed.services.last(ListJobs)
    assert (asked.subject, asked.type, asked.feature, asked.limit) == ("track:t", "chat", "search", 3)


@given(st.integers(min_value=-(10**40), max_value=10**40))
def test_pico_dollars_are_dollars_times_a_million_millions(pico: int) -> None:
    """Whatever the amount, no digit is lost."""
    dollars = in_dollars(pico)
    assert dollars is not None
    whole, _, fraction = f"{dollars:f}".partition(".")
    assert int(whole + fraction.ljust(12, "0")) == pico
