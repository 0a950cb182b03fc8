"""What AI may cost, and what it cost so far.

Asks `ListBudgets`, `SetBudget` and `ShowSpent`.
"""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from tonetouch_contracts.ledger import ListBudgets, SetBudget, ShowSpent, WhenExhausted
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.listing import Cursor, Limit, Listing
from tonetouch_gateway.money import exact, in_pico_dollars, spelt
from tonetouch_gateway.reporting import Day, Filter

router = APIRouter(tags=["budgeting"])

Name = Annotated[str | None, Field(min_length=1, max_length=200)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=12)]


class NewBudget(BaseModel):
    """A budget to be set: of a feature, of a user, or of a feature for one user."""

    feature: Name = None
    user: Name = None
    limit_usd: Dollars | None = Field(description="For each UTC day, to the pico-dollar; null takes the budget away.")
    when_exhausted: WhenExhausted = Field("fall_back", description="What the router does then.")


class Budget(BaseModel):
    """A budget and how it stands on a day."""

    budget_id: str
    feature: str | None
    user: str | None
    limit_usd: float | None = Field(description="Null: it was taken away.")
    when_exhausted: WhenExhausted
    set_at: str
    day: str
    spent_usd: float
    refused: int = Field(description="Calls it did not let through on that day.")


class Spent(BaseModel):
    """What was spent on a day, and every budget that a call of this feature and user comes under."""

    day: str
    spent_usd: float
    calls: int
    unpriced: int = Field(description="Calls that cost something nobody knows.")
    running: int = Field(description="Calls without a cost yet.")
    budgets: list[Budget]


@router.get("/ai/budgets", response_model=Listing[Budget])
async def list_budgets(
    ask: Ask,
    feature: Filter = None,
    user: Filter = None,
    day: Day = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Budgets by feature and user, with what was spent on a day: today, if none is said."""
    question = ListBudgets(feature=feature, user=user, day=day, limit=limit, cursor=cursor)
    return exact(spelt(await ask(question)))


@router.put("/ai/budgets", response_model=Budget)
async def set_budget(budget: NewBudget, ask: Ask, response: Response) -> Response:
    """Set, change or take away a budget. What was spent on the day before counts all the same."""
    command = SetBudget(
        feature=budget.feature,
        user=budget.user,
        limit_pico_usd=None if budget.limit_usd is None else in_pico_dollars(budget.limit_usd),
        when_exhausted=budget.when_exhausted,
    )
    return exact(spelt(await ask(command)), said=response)


@router.get("/ai/spent", response_model=Spent)
async def show_spent(ask: Ask, feature: Filter = None, user: Filter = None, day: Day = None) -> Response:
    """What a feature, a user, or a feature for one user cost on a day (today, if none is said); or everything."""
    return exact(spelt(await ask(ShowSpent(feature=feature, user=user, day=day))))
