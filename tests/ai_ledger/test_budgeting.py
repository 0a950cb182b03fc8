"""Budgets and what was spent of them, on SQLite and on PostgreSQL."""

from typing import Any

import pytest

from tests.ai_ledger.jobs import recorded, repriced, started
from tonetouch_ai_ledger.budget import Budget, set_to
from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import BudgetExhausted
from tonetouch_contracts.ledger import BudgetSet, BudgetView, ListBudgets, SetBudget, ShowSpent, Spent, budget_id
from tonetouch_runtime import Floor, Refused
from tonetouch_runtime.testing import given

DAY = "2026-01-01"


def budget_set(limit: int | None, *, feature: str | None = "bio", at: str = "2026-01-01T00:00:00Z") -> BudgetSet:
    """A budget was set."""
    return BudgetSet(
        budget_id=budget_id(feature, None),
        feature=feature,
        user=None,
        limit_pico_usd=limit,
        when_exhausted="refuse",
        set_at=at,
    )


def test_setting_it_to_what_it_is_says_nothing() -> None:
    """However often somebody saves the same form."""
    again = budget_set(5, at="2026-02-02T00:00:00Z")
    given(Budget(), budget_set(5)).when(lambda budget: set_to(budget, again)).then()
    other = budget_set(6)
    given(Budget(), budget_set(5)).when(lambda budget: set_to(budget, other)).then(other)


def test_what_never_was_is_not_taken_away() -> None:
    """What was, is."""
    away = budget_set(None)
    given(Budget()).when(lambda budget: set_to(budget, away)).then()
    given(Budget(), budget_set(5)).when(lambda budget: set_to(budget, away)).then(away)


@pytest.mark.parametrize("wanted", [budget_set(-1), budget_set(10**19), budget_set(1, feature=None)])
def test_a_budget_of_nobody_or_of_no_sum_is_refused(wanted: BudgetSet) -> None:
    """It says what a budget is."""
    with pytest.raises(Refused) as refused:
        set_to(Budget(), wanted)
    assert refused.value.problem.code == "invalid"


async def spent(floor: Floor, **asked: Any) -> Spent:
    """What was spent on the first day."""
    return (await floor.ask(ShowSpent(day=DAY, **asked))).value


async def test_what_was_spent_is_known_by_feature_by_user_and_together(floor: Floor) -> None:
    """Corrections count; what runs or has no price is told apart."""
    for event in (
        recorded("j1", feature="bio", user="u1", cost_pico_usd=100),
        recorded("j2", feature="bio", user="u2", cost_pico_usd=30),
        recorded("j3", feature="dj", user="u1", cost_pico_usd=7),
        recorded("j4", feature="dj", user="u1", cost_pico_usd=None),
        recorded("j5", feature="bio", user="u1", cost_pico_usd=5000, started_at="2026-01-02T00:00:00.000000Z"),
        started("j6", feature="bio", user="u1"),
        repriced("j1", 90),
    ):
        positions = await floor.log.pour(event)
    await floor.seen(positions)
    assert (await spent(floor)).spent_pico_usd == 127
    assert (await spent(floor, feature="bio")).spent_pico_usd == 120
    assert (await spent(floor, user="u1")).spent_pico_usd == 97
    both = await spent(floor, feature="bio", user="u1")
    assert (both.spent_pico_usd, both.calls, both.unpriced, both.running) == (90, 1, 0, 1)
    assert (await spent(floor, feature="dj", user="u1")).unpriced == 1
    assert (await spent(floor, feature="radio")).calls == 0


async def test_a_call_comes_under_every_budget_that_is_not_somebody_elses(floor: Floor) -> None:
    """Of its feature, of its user, and of both; each says how it stands."""
    for asked in (
        SetBudget(feature="bio", limit_pico_usd=1000),
        SetBudget(user="u1", limit_pico_usd=500, when_exhausted="refuse"),
        SetBudget(feature="bio", user="u1", limit_pico_usd=50),
        SetBudget(feature="dj", limit_pico_usd=1),
        SetBudget(user="u2", limit_pico_usd=2),
    ):
        await floor.seen((await floor.ask(asked)).positions)
    await floor.log.pour(recorded("j1", feature="bio", user="u1", cost_pico_usd=40))
    exhausted = BudgetExhausted(
        budget_id=budget_id("bio", "u1"),
        feature="bio",
        user="u1",
        day=DAY,
        limit_pico_usd=50,
        spent_pico_usd=40,
        needed_pico_usd=20,
        job_id=JobId("j2"),
        exhausted_at="2026-01-01T12:00:00.000000Z",
    )
    await floor.seen(await floor.log.pour(exhausted))
    answer = await spent(floor, feature="bio", user="u1")
    shown = [(one.feature, one.user, one.limit_pico_usd, one.spent_pico_usd, one.refused) for one in answer.budgets]
    assert shown == [(None, "u1", 500, 40, 0), ("bio", None, 1000, 40, 0), ("bio", "u1", 50, 40, 1)]
    assert [one.when_exhausted for one in answer.budgets] == ["refuse", "fall_back", "fall_back"]
    assert [one.feature for one in (await spent(floor)).budgets] == []


async def test_budgets_are_listed_changed_and_taken_away(floor: Floor) -> None:
    """The last word of each counts, in pages."""
    for number in range(3):
        await floor.ask(SetBudget(feature=f"f{number}", limit_pico_usd=number))
    await floor.ask(SetBudget(feature="f0", limit_pico_usd=10))
    gone = await floor.ask(SetBudget(feature="f2", limit_pico_usd=None))
    view: BudgetView = gone.value
    assert view.limit_pico_usd is None
    first = (await floor.ask(ListBudgets(limit=1), after=gone.positions)).value
    second = (await floor.ask(ListBudgets(limit=1, cursor=first.next_cursor))).value
    assert [(one.feature, one.limit_pico_usd) for one in (*first.items, *second.items)] == [("f0", 10), ("f1", 1)]
    assert second.next_cursor is None
    [only] = (await floor.ask(ListBudgets(feature="f1"))).value.items
    assert only.user is None


async def test_a_budget_of_nobody_is_refused_over_the_bus(floor: Floor) -> None:
    """Nothing is said then."""
    with pytest.raises(Refused):
        await floor.ask(SetBudget(limit_pico_usd=5))
