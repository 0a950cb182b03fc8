"""How long calls took: exactly from few rows, within an error from many."""

import pytest
from pytest import MonkeyPatch

from tests.ai_ledger.jobs import recorded
from tonetouch_ai_ledger import timing
from tonetouch_ai_ledger.latency import ERROR_RATIO
from tonetouch_contracts.ledger import Latency, ShowLatency, Which
from tonetouch_contracts.message import Positions
from tonetouch_runtime import Floor


async def said(floor: Floor) -> Positions:
    """A hundred calls of one model, of 10 to 1,000 ms, one of another, and one answer that was there."""
    for number in range(1, 101):
        await floor.log.pour(
            recorded(
                f"j{number}", model="llama", latency_ms=10.0 * number, first_token_ms=1.0 * number, queue_ms=number / 10
            )
        )
    await floor.log.pour(recorded("other", model="bge", latency_ms=7.0))
    return await floor.log.pour(recorded("hit", model="llama", latency_ms=0.1, cache="exact_hit"))


async def test_percentiles_of_few_rows_are_exact(floor: Floor) -> None:
    """First tokens and queues too; an answer that was there is no call."""
    positions = await said(floor)
    answer: Latency = (await floor.ask(ShowLatency(), after=positions)).value
    assert (answer.source, answer.error_ratio) == ("rows", 0.0)
    other, llama = answer.lines
    assert (llama.group, llama.timed, llama.mean_ms) == (("llama",), 100, 505.0)
    assert (llama.p50_ms, llama.p90_ms, llama.p95_ms, llama.p99_ms) == (500.0, 900.0, 950.0, 990.0)
    assert (llama.first_token_p50_ms, llama.first_token_p95_ms) == (50.0, 95.0)
    assert (llama.queue_p50_ms, llama.queue_p95_ms) == (5.0, 9.5)
    assert (other.p99_ms, other.first_token_p50_ms) == (7.0, None)


async def test_percentiles_of_many_come_from_the_sums(floor: Floor, monkeypatch: MonkeyPatch) -> None:
    """And say how far off they may be."""
    positions = await said(floor)
    monkeypatch.setattr(timing, "MOST_ROWS", 50)
    answer: Latency = (await floor.ask(ShowLatency(), after=positions)).value
    assert (answer.source, answer.error_ratio) == ("roll_ups", ERROR_RATIO)
    _, llama = answer.lines
    assert (llama.timed, llama.mean_ms, llama.first_token_p50_ms) == (100, 505.0, None)
    for read, true in ((llama.p50_ms, 500.0), (llama.p90_ms, 900.0), (llama.p99_ms, 990.0)):
        assert read == pytest.approx(true, rel=ERROR_RATIO + 1e-9)


async def test_subjects_are_always_exact(floor: Floor, monkeypatch: MonkeyPatch) -> None:
    """The sums know nothing of them."""
    positions = await said(floor)
    monkeypatch.setattr(timing, "MOST_ROWS", 0)
    asked = ShowLatency(group_by=("subject", "model"), which=Which(subject="track:t1", model="bge"))
    answer: Latency = (await floor.ask(asked, after=positions)).value
    assert [(line.group, line.p50_ms) for line in answer.lines] == [(("track:t1", "bge"), 7.0)]
    assert answer.source == "rows"
