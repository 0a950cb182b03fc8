"""The arithmetic of a pace, by hand: what a limit allows, in what order, and how long a pause is."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_contracts.job import Priority
from tonetouch_runtime.ai.pace import Limit, Pace

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC).timestamp()
PATIENCE = 60.0
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC).timestamp()

limits = st.integers(min_value=1, max_value=5_000).map(Limit)
priorities = st.sampled_from(("interactive", "refresh", "ingest"))
asked = st.lists(st.tuples(st.floats(0, 5), priorities, st.integers(1, 400)), min_size=1, max_size=40)


def sent(limit: Limit, asks: list[tuple[float, Priority, int]]) -> list[float]:
    """When calls go out that come in bunches: (seconds after the last bunch, priority, how many)."""
    pace, now, times = Pace(), NOW, list[float]()
    for seconds, priority, number in asks:
        now += seconds
        for _ in range(number):
            if pace.next_slot(limit, now) > now + limit.ahead(priority):
                break  # it waits, and asks again in another bunch
            if pace.sent_at(pace.next_slot(limit, now), limit, priority) > now + PATIENCE:
                break
            pace, [slot] = pace.take(limit, now, 1)
            times.append(max(pace.sent_at(slot, limit, priority), now))
    return sorted(times)


def most_in_any_span(times: list[float], seconds: float) -> int:
    most, start = 0, 0
    for end, time in enumerate(times):
        while times[start] <= time - seconds:
            start += 1
        most = max(most, end - start + 1)
    return most


@given(limits, asked)
def test_no_span_of_a_minute_holds_more_than_the_limit(limit: Limit, asks: list[tuple[float, Priority, int]]) -> None:
    """Whatever is asked for, by whom, and wherever the minute begins."""
    assert most_in_any_span(sent(limit, asks), limit.seconds) <= limit.number


@given(limits)
def test_slots_alone_use_nearly_all_of_a_limit(limit: Limit) -> None:
    """Under saturation at least 95 % go out, and with the whole burst on top it is still within the limit."""
    assert limit.seconds / limit.interval >= 0.95 * limit.number
    assert int(limit.seconds / limit.interval) + limit.burst <= limit.number


@given(st.integers(min_value=100, max_value=5_000).map(Limit))
def test_the_lower_priorities_keep_away_from_a_reserve(limit: Limit) -> None:
    """When ingest has taken all it may, refresh may still take some, and an interactive call goes out at once."""
    pace = Pace()
    for priority in ("ingest", "refresh"):
        while pace.next_slot(limit, NOW) <= NOW + limit.ahead(priority):
            pace, _ = pace.take(limit, NOW, 1)
    _, [slot] = pace.take(limit, NOW, 1)
    assert limit.ahead("ingest") < limit.ahead("refresh") < limit.early
    # With the smallest bursts there is less than one slot between.
    assert pace.sent_at(slot, limit, "interactive") <= NOW + limit.interval


def test_a_burst_is_for_interactive_calls_only() -> None:
    """Of forty at once at 1,500 a minute, thirty interactive ones go out at once; ingest goes one by one."""
    limit = Limit(1_500)
    _, slots = Pace().take(limit, NOW, 40)
    assert [Pace().sent_at(slot, limit, "interactive") <= NOW + 1e-6 for slot in slots] == [True] * 30 + [False] * 10
    assert [Pace().sent_at(slot, limit, "ingest") for slot in slots] == slots
    assert slots[1] - slots[0] == pytest.approx(60 / (0.965 * 1_500))


def test_a_slot_further_off_than_anybody_waits_is_not_believed() -> None:
    """A machine whose clock is an hour ahead stops nobody for an hour."""
    assert NOW + 120 < Pace(free_at=NOW + 3_600).next_slot(Limit(300), NOW) < NOW + 121


def test_a_pause_moves_every_slot_behind_it() -> None:
    """Interactive calls wait for its end as all others do."""
    limit = Limit(1_500)
    pace = Pace().refused("rate_limited", NOW, retry_after=7.0)
    pace, slots = pace.take(limit, NOW, 3)
    assert slots[0] == NOW + 7.0
    assert {pace.sent_at(slot, limit, "interactive") for slot in slots} == {NOW + 7.0}


def test_a_used_up_day_is_over_at_midnight_utc() -> None:
    """Whatever else the provider said; a second of luck keeps processes apart."""
    assert Pace().refused("daily_quota", NOW, retry_after=5.0, luck=0.0).paused_until == MIDNIGHT
    assert Pace().refused("daily_quota", NOW, luck=1.0).paused_until == MIDNIGHT + 1.0


def test_pauses_in_a_row_grow_until_they_are_forgotten() -> None:
    """Each is twice the last up to the longest; two quiet minutes later they start anew."""
    pace, now, lasted = Pace(), NOW, list[float]()
    for _ in range(5):
        pace = pace.refused("rate_limited", now)
        lasted.append(pace.paused_until - now)
        now = pace.paused_until
    assert lasted == pytest.approx([5.0, 10.0, 20.0, 40.0, 60.0])
    now += 120.5
    assert pace.refused("rate_limited", now).paused_until - now == pytest.approx(5.0)


@given(st.floats(0, 1))
def test_a_pause_for_want_of_capacity_is_spread(luck: float) -> None:
    """Between half a second and a second at first: not everybody comes back at once."""
    pause = Pace().refused("out_of_capacity", NOW, luck=luck).paused_until - NOW
    assert 0.4999 <= pause <= 1.0001


def test_calls_that_were_on_their_way_do_not_lengthen_a_pause() -> None:
    """A hundred of them are refused together: that is one refusal. A longer retry-after is believed, a shorter not."""
    pace = Pace().refused("rate_limited", NOW, retry_after=10.0)
    assert pace.refused("rate_limited", NOW + 1) == pace
    assert pace.refused("rate_limited", NOW + 1, retry_after=3.0) == pace
    longer = pace.refused("rate_limited", NOW + 1, retry_after=20.0)
    assert (longer.paused_until, longer.refusals) == (NOW + 21.0, 1)
