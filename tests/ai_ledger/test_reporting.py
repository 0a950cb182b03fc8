"""Usage and cost in groups, from the sums and from the rows, on SQLite and on PostgreSQL."""

from typing import Any

import pytest

from tests.ai_ledger.jobs import recorded, repriced, started
from tonetouch_contracts.job import Quantity
from tonetouch_contracts.ledger import GroupBy, ShowUsage, Usage, Which
from tonetouch_contracts.message import Event, Positions
from tonetouch_runtime import Floor, Refused

NEXT_DAY = "2026-01-02T00:00:00.000000Z"

EVENTS: list[Event] = [
    recorded("j1", feature="bio", model="haiku", provider="anthropic", user="u1", subject="track:a", cost_pico_usd=70),
    recorded("j2", feature="bio", model="haiku", provider="anthropic", user="u2", subject="track:b", cost_pico_usd=20),
    recorded("j3", feature="dj", model="llama", gateway="g", subject="track:a", cost_pico_usd=4, outcome="failed"),
    recorded("j4", feature="dj", model="llama", subject="track:c", cost_pico_usd=1, started_at=NEXT_DAY),
    recorded("j5", feature="dj", model="llama", cost_pico_usd=0, cache="exact_hit", avoided_pico_usd=8),
    started("j6", feature="dj", model="llama"),
]


async def said(floor: Floor) -> Positions:
    """The events above, in the log."""
    for event in EVENTS:
        positions = await floor.log.pour(event)
    return positions


async def usage(floor: Floor, *group_by: GroupBy, after: Positions | None = None, **which: Any) -> Usage:
    """The answer to one question."""
    return (await floor.ask(ShowUsage(group_by=group_by, which=Which(**which)), after=after)).value


def costs(answer: Usage) -> list[tuple[Any, ...]]:
    """Each group and what it cost, in order."""
    return [(*line.group, line.cost_pico_usd) for line in answer.lines]


async def test_the_dearest_group_comes_first_and_days_stand_in_order(floor: Floor) -> None:
    """Whatever is asked about; an attempt that runs has no cost yet and is in no group."""
    positions = await said(floor)
    assert costs(await usage(floor, "feature", after=positions)) == [("bio", 90), ("dj", 5)]
    assert costs(await usage(floor, "model")) == [("haiku", 90), ("llama", 5)]
    assert costs(await usage(floor, "day", "feature")) == [
        ("2026-01-01", "bio", 90),
        ("2026-01-01", "dj", 4),
        ("2026-01-02", "dj", 1),
    ]
    assert costs(await usage(floor, "user")) == [("u1", 70), ("u2", 20), (None, 5)]
    assert costs(await usage(floor, "gateway")) == [(None, 91), ("g", 4)]
    assert costs(await usage(floor, "outcome", "cache")) == [
        ("succeeded", "miss", 91),
        ("failed", "miss", 4),
        ("succeeded", "exact_hit", 0),
    ]


async def test_subjects_are_counted_from_the_rows_and_say_the_same(floor: Floor) -> None:
    """There are nearly as many subjects as rows, so no sum of them is kept."""
    positions = await said(floor)
    answer = await usage(floor, "subject", after=positions)
    assert costs(answer) == [("track:a", 74), ("track:b", 20), ("track:c", 1), ("track:t1", 0)]
    assert (answer.source, (await usage(floor, "feature")).source) == ("rows", "roll_ups")
    assert answer.total == (await usage(floor, "feature")).total
    assert costs(await usage(floor, "feature", subject="track:a")) == [("bio", 70), ("dj", 4)]


async def test_what_is_asked_for_together_must_hold_together(floor: Floor) -> None:
    """Filters narrow the groups, in the sums by day, in those by user, and in the rows."""
    positions = await said(floor)
    assert costs(await usage(floor, "feature", after=positions, from_day="2026-01-02")) == [("dj", 1)]
    assert costs(await usage(floor, "feature", to_day="2026-01-01", provider="local")) == [("dj", 4)]
    assert costs(await usage(floor, "model", user="u1")) == [("haiku", 70)]
    assert costs(await usage(floor, "model", user="u1", feature="dj")) == []
    assert costs(await usage(floor, "day", subject="track:a", to_day="2026-01-01")) == [("2026-01-01", 74)]
    assert costs(await usage(floor, "feature", model="ha\0iku")) == []


async def test_beyond_the_limit_groups_still_count_in_the_total(floor: Floor) -> None:
    """The dearest are shown."""
    positions = await said(floor)
    answer = (await floor.ask(ShowUsage(group_by=("user",), limit=1), after=positions)).value
    assert costs(answer) == [("u1", 70)]
    assert (answer.total.calls, answer.total.cost_pico_usd, answer.total.group) == (5, 95, (None,))


async def test_everything_an_attempt_used_is_in_the_sums(floor: Floor) -> None:
    """Unknown usage and unknown costs are counted, not summed; what is not tokens has a sum of its own."""
    used: dict[str, Any] = {
        "prompt_tokens": 100,
        "cached_tokens": 60,
        "cache_write_tokens": 30,
        "completion_tokens": 9,
        "reasoning_tokens": 4,
        "latency_ms": 12.5,
        "quantities": (
            Quantity(unit="token", direction="input", amount=10),
            Quantity(unit="character", direction="input", amount=11),
            Quantity(unit="audio_ms", direction="output", amount=1200),
            Quantity(unit="image", direction="output", amount=2),
        ),
    }
    unknown: dict[str, Any] = {name: None for name in used if name != "quantities"}
    await floor.log.pour(recorded("j1", subject="track:a", cost_pico_usd=5, **used))
    await floor.log.pour(recorded("j2", subject="track:a", cost_pico_usd=None, **used))
    await floor.log.pour(recorded("j3", subject="track:a", cost_pico_usd=0, cache="coalesced", avoided_pico_usd=5))
    lost = recorded("j4", subject="track:a", cost_pico_usd=None, usage_source="none", outcome="unknown", **unknown)
    positions = await floor.log.pour(lost)
    summed = (await usage(floor, after=positions)).total
    assert (summed.calls, summed.succeeded, summed.unknown, summed.coalesced, summed.exact_hits) == (4, 3, 1, 1, 0)
    assert (summed.unpriced, summed.without_usage, summed.cost_pico_usd, summed.avoided_pico_usd) == (2, 1, 5, 5)
    assert (summed.prompt_tokens, summed.cached_tokens, summed.cache_write_tokens) == (212, 120, 60)
    assert (summed.completion_tokens, summed.reasoning_tokens) == (52, 8)
    assert (summed.characters, summed.audio_ms, summed.images) == (22, 2400, 4)
    assert summed.timed == 3
    assert summed.latency_ms == pytest.approx(103.9)
    assert (await usage(floor, subject="track:a")).total == summed


async def test_the_latest_correction_counts(floor: Floor) -> None:
    """In the sums as in the rows; the attempt's own cost stays where it was."""
    for event in EVENTS:
        await floor.log.pour(event)
    await floor.log.pour(repriced("j1", 60))
    positions = await floor.log.pour(repriced("j1", 50), repriced("j4", None))
    assert costs(await usage(floor, "feature", after=positions)) == [("bio", 70), ("dj", 4)]
    assert costs(await usage(floor, "user", user="u1")) == [("u1", 50)]
    answer = await usage(floor, "subject")
    assert costs(answer) == [("track:a", 54), ("track:b", 20), ("track:c", 0), ("track:t1", 0)]
    assert (answer.total.unpriced, (await usage(floor)).total.unpriced) == (1, 1)


async def test_a_malformed_question_is_refused(floor: Floor) -> None:
    """Days are days, limits are numbers in between, and a name groups once."""
    for asked in (
        ShowUsage(which=Which(from_day="yesterday")),
        ShowUsage(which=Which(to_day="2026-13-01")),
        ShowUsage(limit=0),
        ShowUsage(limit=10_001),
        ShowUsage(group_by=("day", "day")),
    ):
        with pytest.raises(Refused) as refused:
            await floor.ask(asked)
        assert refused.value.problem.code == "invalid", asked
