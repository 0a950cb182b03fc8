"""The ledger's answers over HTTP: every question arrives as it was asked, every figure as it was said."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.ledger import caching_line, job, usage_line
from tests.gateway.standins import Installation
from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import Considered, JobView, Quantity
from tonetouch_contracts.ledger import (
    BreakEven,
    Caching,
    CachingLine,
    Claim,
    Economics,
    EconomicsLine,
    Latency,
    LatencyLine,
    ListBudgets,
    ListUnaccounted,
    Replay,
    ReplayJob,
    SetBudget,
    ShowCaching,
    ShowEconomics,
    ShowLatency,
    ShowSpent,
    ShowThrottling,
    ShowUsage,
    Throttling,
    ThrottlingLine,
    Trace,
    TracedFact,
    TracedSentence,
    TraceText,
    Usage,
    UsageLine,
    Which,
)
from tonetouch_gateway import accounting, auditing, budgeting, reporting, timing
from tonetouch_gateway.money import in_dollars, in_pico_dollars, spelt
from tonetouch_runtime import Refused

pytestmark = pytest.mark.asyncio(loop_scope="package")

FILTERS = {
    "feature": "write.bio",
    "type": "chat",
    "provider": "anthropic",
    "model": "claude",
    "gateway": "g",
    "user": "u1",
    "subject": "track:t",
    "purpose": "serve",
    "cache": "miss",
    "outcome": "succeeded",
}
DAYS = {"from": "2026-11-01", "to": "2026-11-22"}
WHICH = Which(from_day="2026-11-01", to_day="2026-11-22", **FILTERS)


async def asked(installed: Installation, path: str, **query: Any) -> Any:
    """The JSON at a path of the ledger, which has to be there; money as decimals."""
    answer = await installed.client.get(f"/api/v1/ai/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


async def test_usage_is_asked_by_any_names_and_filters(installed: Installation) -> None:
    """What to group by keeps its order, and every filter arrives."""
    await asked(installed, "usage", by=["day", "feature"], limit=7, **FILTERS, **DAYS)
    assert installed.services.ledger.last(ShowUsage) == ShowUsage(group_by=("day", "feature"), which=WHICH, limit=7)


async def test_a_group_is_told_by_names_and_its_cost_is_exact(installed: Installation) -> None:
    """Not by position, and to the last pico-dollar."""
    line = usage_line("2026-11-22", None, calls=2, cost_pico_usd=1_234_567_890_123_456_789)
    total = usage_line(None, None, calls=9, cost_pico_usd=1, unpriced=3)
    usage = Usage(group_by=("day", "user"), lines=(line,), total=total, source="rows")
    installed.services.ledger.answers[ShowUsage] = usage
    body = await asked(installed, "usage", by=["day", "user"])
    assert body["lines"][0]["group"] == {"day": "2026-11-22", "user": None}
    assert body["lines"][0]["cost_usd"] == Decimal("1234567.890123456789")
    assert (body["total"]["group"], body["total"]["unpriced"], body["source"]) == ({}, 3, "rows")


async def test_the_two_caches_are_told_apart(installed: Installation) -> None:
    """An unknown saving is null, and one below zero stays below zero."""
    lines = (
        caching_line("d", exact_hits=1, exact_ratio=0.5, avoided_pico_usd=5, prompt_ratio=0.25),
        caching_line("e", prompt_saved_pico_usd=-2_500_000_000_000),
    )
    caching = Caching(group_by=("day",), lines=lines, total=caching_line())
    installed.services.ledger.answers[ShowCaching] = caching
    first, second = (await asked(installed, "caching"))["lines"]
    assert (first["exact_ratio"], first["prompt_ratio"], first["prompt_saved_usd"]) == (0.5, 0.25, None)
    assert first["avoided_usd"] == Decimal("0.000000000005")
    assert second["prompt_saved_usd"] == Decimal("-2.5")


async def test_the_break_even_stands_beside_the_models(installed: Installation) -> None:
    """Means are floats in dollars; chat is meant where nothing is said."""
    line = EconomicsLine(
        provider="anthropic",
        model="claude",
        gateway=None,
        where="external",
        calls=3,
        mean_prompt_tokens=30500.0,
        mean_completion_tokens=300.0,
        mean_cost_pico_usd=1_260_000_000.5,
        hit_cost_pico_usd=500_000_000.0,
        miss_cost_pico_usd=None,
        prompt_hit_ratio=0.75,
        prompt_token_ratio=0.7,
        against=(BreakEven(model="llama", hit_ratio=0.284, verdict="from_hit_ratio", holds=True),),
    )
    installed.services.ledger.answers[ShowEconomics] = Economics(lines=(line,))
    [shown] = (await asked(installed, "economics"))["lines"]
    assert float(shown["mean_cost_usd"]) == pytest.approx(0.0012600000000005)
    assert (shown["hit_cost_usd"], shown["miss_cost_usd"]) == (Decimal("0.0005"), None)
    assert shown["against"] == [
        {"model": "llama", "hit_ratio": Decimal("0.284"), "verdict": "from_hit_ratio", "holds": True}
    ]
    assert installed.services.ledger.last(ShowEconomics).which == Which(type="chat")


async def test_latency_is_of_calls_that_were_made(installed: Installation) -> None:
    """Answers out of a cache would make every model look fast; somebody who wants them says so."""
    nulls: dict[str, Any] = dict.fromkeys(LatencyLine.__struct_fields__)
    line = LatencyLine(**(nulls | {"group": ("m",), "timed": 4, "p95_ms": 12.5}))
    latency = Latency(group_by=("model",), lines=(line,), source="roll_ups", error_ratio=0.04)
    installed.services.ledger.answers[ShowLatency] = latency
    body = await asked(installed, "latency")
    assert (body["lines"][0]["group"], body["lines"][0]["p95_ms"]) == ({"model": "m"}, 12.5)
    assert body["lines"][0]["p50_ms"] is None
    assert installed.services.ledger.last(ShowLatency).which.cache == "miss"
    await asked(installed, "latency", cache="exact_hit")
    assert installed.services.ledger.last(ShowLatency).which.cache == "exact_hit"


async def test_throttling_has_a_history(installed: Installation) -> None:
    """By the span that was asked for."""
    line = ThrottlingLine(
        start="2026-11-22T10:05",
        provider="cloudflare",
        model="bge-m3",
        type="embeddings",
        reason="paced",
        times=3,
        jobs=2,
        waited_ms=120.0,
        longest_ms=60.0,
        limit_per_minute=1500,
    )
    installed.services.ledger.answers[ShowThrottling] = Throttling(every="minute", lines=(line,))
    body = await asked(installed, "throttling", every="minute", provider="cloudflare", **DAYS)
    assert body == {"every": "minute", "lines": [msgspec.to_builtins(line)]}
    command = installed.services.ledger.last(ShowThrottling)
    assert (command.every, command.provider, command.from_day) == ("minute", "cloudflare", "2026-11-01")


async def test_a_job_is_shown_whole(installed: Installation) -> None:
    """With what was used, what the router looked at, and every attempt."""
    considered = Considered(target="dear", cost_pico_usd=2_000_000_000_000, passed_over="too dear")
    used = Quantity(unit="token", direction="input", amount=9, cache="read")
    row = job(id="j1", attempt=2, considered=(considered,), quantities=(used,), avoided_pico_usd=7)
    installed.services.ledger.jobs += [row, job(id="j1"), job(id="j2")]
    items = (await asked(installed, "jobs/j1"))["items"]
    assert [item["attempt"] for item in items] == [2, 1]
    assert items[0]["considered"] == [{"target": "dear", "cost_usd": 2, "passed_over": "too dear"}]
    assert items[0]["quantities"][0] == {
        "unit": "token",
        "direction": "input",
        "amount": 9,
        "cache": "read",
        "modality": "text",
    }
    assert items[0]["avoided_usd"] == Decimal("0.000000000007")


async def test_a_job_that_is_not_there_is_not_found(installed: Installation) -> None:
    """An id that was never given is no empty list."""
    answer = await installed.client.get("/api/v1/ai/jobs/nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_what_is_not_accounted_for_is_listed_in_pages(installed: Installation) -> None:
    """Page after page until the cursor is null."""
    installed.services.ledger.jobs += [job(id=f"j{number}") for number in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": 2, "missing": "price"} | ({"cursor": cursor} if cursor else {})
        page = await asked(installed, "unaccounted", **query)
        seen += [item["id"] for item in page["items"]]
        if not (cursor := page["next_cursor"]):
            break
    assert seen == ["j0", "j1", "j2", "j3", "j4"]
    assert installed.services.ledger.last(ListUnaccounted).missing == "price"


async def test_a_text_is_traced_to_its_facts_and_its_input(installed: Installation) -> None:
    """The sentence, what it stands on, who was paid, and what exactly was asked."""
    fact = TracedFact(id="F17", name="artist.split", value="2019-04")
    installed.services.ledger.answers[TraceText] = Trace(
        asked=job(id="j1", cost_pico_usd=0, cache="exact_hit"),
        made_by=job(id="j0", cost_pico_usd=3_000_000),
        text="They split in 2019.",
        sentences=(TracedSentence(text="They split in 2019.", facts=(fact,)),),
        input_ref="ai/ab",
        input='{"task":"chat"}',
    )
    body = await asked(installed, "jobs/j1/trace", words="split 2019", attempt=1)
    assert body["sentences"][0]["facts"] == [msgspec.to_builtins(fact)]
    assert (body["asked"]["cost_usd"], body["made_by"]["cost_usd"]) == (0, Decimal("0.000003"))
    assert (body["input"], body["input_cut"]) == ('{"task":"chat"}', False)
    command = installed.services.ledger.last(TraceText)
    assert (command.job_id, command.attempt, command.words) == ("j1", 1, "split 2019")


async def test_a_replay_tells_what_the_other_model_claims(installed: Installation) -> None:
    """Kept, dropped and added claims, and both rows."""
    year = Claim(kind="year", value="2019", sentence="They split in 2019.")
    installed.services.ledger.answers[ReplayJob] = Replay(
        original=job(id="j1"),
        replayed=job(id="j9", purpose="replay"),
        original_text="They split in 2019.",
        replayed_text="They split.",
        kept=(),
        dropped=(year,),
        added=(),
    )
    answer = await installed.client.post("/api/v1/ai/jobs/j1/replay", json={"target": "haiku"})
    assert answer.json()["dropped"] == [msgspec.to_builtins(year)]
    assert answer.json()["replayed"]["purpose"] == "replay"
    assert installed.services.ledger.last(ReplayJob) == ReplayJob(job_id=JobId("j1"), target="haiku")


@pytest.mark.parametrize("body", [{}, {"target": ""}, {"target": "x", "attempt": 0}])
async def test_a_replay_needs_a_target(installed: Installation, body: dict[str, Any]) -> None:
    """Nothing is asked of a model by mistake."""
    answer = await installed.client.post("/api/v1/ai/jobs/j1/replay", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert installed.services.ledger.asked == []


async def test_a_budget_is_set_to_the_pico_dollar(installed: Installation) -> None:
    """The answer says how far the log was written, so that a list asked for next has it."""
    said = {"feature": "write.bio", "limit_usd": "12.000000000001", "when_exhausted": "refuse"}
    answer = await installed.client.put("/api/v1/ai/budgets", json=said)
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text, parse_float=Decimal)["limit_usd"] == Decimal("12.000000000001")
    assert answer.headers["tonetouch-position"].startswith("AI=")
    command = installed.services.ledger.last(SetBudget)
    assert (command.limit_pico_usd, command.user) == (12_000_000_000_001, None)
    assert [budget["feature"] for budget in (await asked(installed, "budgets"))["items"]] == ["write.bio"]


async def test_a_budget_is_taken_away_with_null(installed: Installation) -> None:
    """Null has to be said: a limit left out is a mistake."""
    answer = await installed.client.put("/api/v1/ai/budgets", json={"user": "u", "limit_usd": None})
    assert (answer.status_code, answer.json()["limit_usd"]) == (200, None)
    assert (await installed.client.put("/api/v1/ai/budgets", json={"user": "u"})).status_code == 400


@pytest.mark.parametrize("limit", [-1, "0.0000000000001", "NaN", "Infinity", 1e300, "much"])
async def test_a_limit_is_an_amount_of_money(installed: Installation, limit: Any) -> None:
    """Not below zero, not finer than can be kept, not beyond reason."""
    answer = await installed.client.put("/api/v1/ai/budgets", json={"feature": "f", "limit_usd": limit})
    assert (answer.status_code, answer.json()["errors"][0]["field"].startswith("body.limit_usd")) == (400, True)


async def test_spending_is_asked_by_feature_user_and_day(installed: Installation) -> None:
    """So are budgets."""
    query = {"feature": "f", "user": "u", "day": "2026-11-22"}
    assert (await asked(installed, "spent", **query))["spent_usd"] == 0
    await asked(installed, "budgets", **query)
    for kind in (ShowSpent, ListBudgets):
        command = installed.services.ledger.last(kind)
        assert (command.feature, command.user, command.day) == ("f", "u", "2026-11-22")


@pytest.mark.parametrize(
    "path",
    [
        "usage?by=colour",
        "usage?from=yesterday",
        "usage?limit=0",
        "usage?by=day&by=feature&by=type&by=user&by=model",
        "caching?to=2026-1-1",
        "latency?by=",
        "throttling?every=year",
        "unaccounted?missing=love",
        "jobs/../trace",
        "jobs/a%20b/trace",
        "jobs/j/trace?attempt=0",
        "budgets?day=today",
    ],
)
async def test_a_question_that_cannot_be_meant_is_a_problem(installed: Installation, path: str) -> None:
    """It never reaches the ledger."""
    answer = await installed.client.get(f"/api/v1/ai/{path}")
    assert answer.status_code in (400, 404), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert installed.services.ledger.asked == []


async def test_what_the_ledger_refuses_is_said_in_its_words(installed: Installation) -> None:
    """With its code and what can be done."""
    installed.services.ledger.answers[ShowUsage] = Refused("invalid", "Too many names.", "Leave one out.")
    answer = await installed.client.get("/api/v1/ai/usage")
    assert (answer.status_code, answer.json()["detail"]) == (400, "Too many names.")
    assert answer.json()["next_step"] == "Leave one out."


@pytest.mark.parametrize(
    "path", ["usage", "caching", "economics", "latency", "throttling", "unaccounted", "budgets", "spent", "jobs.csv"]
)
async def test_nothing_is_told_without_the_token(installed: Installation, path: str) -> None:
    """The ledger says what a user did."""
    answer = await installed.client.get(f"/api/v1/ai/{path}", headers={"authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert installed.services.ledger.asked == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (JobView, reporting.WholeJob),
        (UsageLine, accounting.UsageLine),
        (CachingLine, accounting.CachingLine),
        (EconomicsLine, accounting.EconomicsLine),
        (BreakEven, accounting.BreakEven),
        (LatencyLine, timing.LatencyLine),
        (ThrottlingLine, timing.ThrottlingLine),
        (Trace, auditing.Trace),
        (Replay, auditing.Replay),
    ],
)
async def test_everything_the_ledger_says_is_shown_and_described(said: Any, shown: Any) -> None:
    """A field that is added to an answer is missing here until it stands in the document of the API."""
    names = {name.replace("_pico_usd", "_usd") for name in said.__struct_fields__}
    assert names == set(shown.model_fields)


@given(st.integers(min_value=-(10**30), max_value=10**30))
async def test_money_comes_back_as_it_went(pico: int) -> None:
    """Dollars and pico-dollars are the same money."""
    dollars = in_dollars(pico)
    assert dollars is not None
    assert in_pico_dollars(dollars) == pico


async def test_only_money_changes_its_name() -> None:
    """Wherever it stands."""
    line = usage_line("a", cost_pico_usd=10**12, calls=4)
    body = spelt(Usage(group_by=("feature",), lines=(line,), total=line, source="rows"))
    assert body["lines"][0]["cost_usd"] == 1
    assert body["lines"][0]["calls"] == 4
    assert not [name for name in body["total"] if "pico" in name]
    assert budgeting.Budget.model_fields["spent_usd"].annotation is float
