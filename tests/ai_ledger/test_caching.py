"""What the two kinds of caches hit and saved."""

from typing import Any

import pytest

from tests.ai_ledger.jobs import recorded
from tonetouch_contracts.job import JobRecorded
from tonetouch_contracts.ledger import Caching, ShowCaching, Which
from tonetouch_runtime import Floor, Refused
from tonetouch_runtime.ai.pricing import PriceBook

MODEL: dict[str, Any] = {"provider": "anthropic", "model": "claude-haiku-5-5", "feature": "bio"}
AT = "2026-10-01T00:00:00.000000Z"


def full_price(*, prompt: int, completion: int) -> int:
    """What so many tokens cost without any cache."""
    cost = PriceBook.load().estimate(
        MODEL["provider"], MODEL["model"], prompt_tokens=prompt, completion_tokens=completion, at=AT
    )
    assert cost
    return cost


def call(job_id: str, **said: Any) -> JobRecorded:
    """A call to a model with a price."""
    return recorded(job_id, **{**MODEL, "started_at": AT, "prompt_tokens": 1000, "completion_tokens": 100, **said})


async def test_both_caches_have_figures_of_their_own(floor: Floor) -> None:
    """An answer that was there avoided a call; a prompt that was kept made one cheaper."""
    await floor.log.pour(call("j1", cached_tokens=800, cost_pico_usd=7))
    await floor.log.pour(call("j2", cached_tokens=0, cost_pico_usd=full_price(prompt=1000, completion=100)))
    hit: dict[str, Any] = {"prompt_tokens": 0, "completion_tokens": 0, "cost_pico_usd": 0}
    await floor.log.pour(call("j3", cache="exact_hit", avoided_pico_usd=90, **hit))
    positions = await floor.log.pour(call("j4", cache="coalesced", avoided_pico_usd=10, **hit))
    answer: Caching = (await floor.ask(ShowCaching(group_by=("feature",)), after=positions)).value
    [line] = answer.lines
    assert (line.group, line.calls, line.exact_hits, line.coalesced) == (("bio",), 4, 1, 1)
    assert (line.exact_ratio, line.avoided_pico_usd) == (0.5, 100)
    assert (line.prompt_tokens, line.cached_tokens, line.prompt_ratio) == (2000, 800, 0.4)
    assert line.prompt_saved_pico_usd == full_price(prompt=1000, completion=100) - 7
    assert answer.total.calls == 4


async def test_writing_to_a_cache_that_is_not_read_costs(floor: Floor) -> None:
    """What it saved is below zero then."""
    dear = full_price(prompt=1000, completion=100) + 50
    positions = await floor.log.pour(call("j1", cached_tokens=0, cache_write_tokens=900, cost_pico_usd=dear))
    answer: Caching = (await floor.ask(ShowCaching(group_by=("model",)), after=positions)).value
    assert answer.total.prompt_saved_pico_usd == -50


async def test_without_a_price_nobody_knows_what_was_saved(floor: Floor) -> None:
    """It is null then, not zero."""
    unknown = call("j1", model="nobody-knows", cached_tokens=800, cost_pico_usd=None)
    positions = await floor.log.pour(unknown)
    answer: Caching = (await floor.ask(ShowCaching(), after=positions)).value
    assert [line.prompt_saved_pico_usd for line in answer.lines] == [None]
    assert answer.lines[0].group == ("2026-10-01",)


async def test_of_nothing_there_are_no_ratios(floor: Floor) -> None:
    """Nothing divided by nothing is not zero."""
    answer: Caching = (await floor.ask(ShowCaching())).value
    assert (answer.lines, answer.total.exact_ratio, answer.total.prompt_ratio) == ((), None, None)


async def test_subjects_have_no_caching(floor: Floor) -> None:
    """It says so instead of reading every row."""
    with pytest.raises(Refused) as refused:
        await floor.ask(ShowCaching(which=Which(subject="track:a")))
    assert refused.value.problem.code == "unsupported"
