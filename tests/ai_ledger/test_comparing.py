"""Costs per request outside and in the runtime, and where they meet."""

from typing import Any

import pytest

from tests.ai_ledger.jobs import recorded
from tonetouch_ai_ledger.comparing import break_even
from tonetouch_contracts.ledger import Economics, EconomicsLine, ShowEconomics, Where
from tonetouch_runtime import Floor


def line(
    *, miss: float | None = None, hit: float | None = None, mean: float, where: Where = "external"
) -> EconomicsLine:
    """A model with these mean costs."""
    return EconomicsLine(
        provider="p",
        model="m",
        gateway=None,
        where=where,
        calls=10,
        mean_prompt_tokens=0.0,
        mean_completion_tokens=0.0,
        mean_cost_pico_usd=mean,
        hit_cost_pico_usd=hit,
        miss_cost_pico_usd=miss,
        prompt_hit_ratio=0.0,
        prompt_token_ratio=None,
    )


@pytest.mark.parametrize(
    ("miss", "hit", "inside", "verdict", "ratio"),
    [
        (3.95, 0.50, 1.26, "from_hit_ratio", 0.7797),  # claude-haiku-5-5 beside a 2,000-token call of a 70B model
        (1.65, 0.30, 1.26, "from_hit_ratio", 0.2889),
        (3.95, 0.50, 7.62, "always", None),
        (158.0, 14.0, 7.62, "never", None),
        (2.0, None, 1.0, "unknown", None),
        (1.0, None, 1.0, "always", None),
        (None, 2.0, 1.0, "never", None),
        (None, 0.5, 1.0, "unknown", None),
    ],
)
def test_where_both_cost_the_same(
    miss: float | None, hit: float | None, inside: float, verdict: str, ratio: float | None
) -> None:
    """(miss - in) / (miss - hit), where it lies between 0 and 1."""
    found = break_even(line(miss=miss, hit=hit, mean=1.0), line(mean=inside, where="in_runtime"))
    assert found.verdict == verdict
    assert found.hit_ratio == (None if ratio is None else pytest.approx(ratio, abs=1e-4))
    assert found.holds is (inside > 1.0)


async def test_real_rows_give_the_means(floor: Floor) -> None:
    """Hits and misses of the prompt cache apart; what failed, was there already or has no price is left out."""
    outside: dict[str, Any] = {"type": "chat", "provider": "anthropic", "model": "haiku", "gateway": "tonetouch"}
    inside: dict[str, Any] = {"type": "chat", "provider": "cloudflare", "model": "llama"}
    for event in (
        recorded("e1", **outside, prompt_tokens=1000, cached_tokens=0, cost_pico_usd=400),
        recorded("e2", **outside, prompt_tokens=1000, cached_tokens=900, cost_pico_usd=40),
        recorded("e3", **outside, prompt_tokens=1000, cached_tokens=900, cost_pico_usd=60),
        recorded("e4", **outside, cost_pico_usd=0, cache="exact_hit"),
        recorded("e5", **outside, cost_pico_usd=9999, outcome="failed"),
        recorded("i1", **inside, cost_pico_usd=100),
        recorded("i2", **inside, cost_pico_usd=120),
        recorded("l1", type="chat", provider="local", model="facts", cost_pico_usd=0),
        recorded("n1", type="embeddings", provider="cloudflare", model="bge", cost_pico_usd=1),
    ):
        positions = await floor.log.pour(event)
    answer: Economics = (await floor.ask(ShowEconomics(), after=positions)).value
    assert [(one.where, one.model, one.calls) for one in answer.lines] == [
        ("external", "haiku", 3),
        ("in_runtime", "llama", 2),
        ("embedded", "facts", 1),
    ]
    haiku = answer.lines[0]
    assert (haiku.miss_cost_pico_usd, haiku.hit_cost_pico_usd) == (400, 50)
    assert haiku.prompt_hit_ratio == pytest.approx(2 / 3)
    assert haiku.prompt_token_ratio == pytest.approx(0.6)
    [against] = haiku.against
    assert (against.model, against.verdict, against.holds) == ("llama", "from_hit_ratio", False)
    assert against.hit_ratio == pytest.approx((400 - 110) / 350)
    assert all(one.against == () for one in answer.lines[1:])
