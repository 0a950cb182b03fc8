"""The simulator's own door: what it counted and what can be changed, for other processes."""

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict

from tests.cloud.account import Account
from tests.cloud.accounts import accounts_of
from tests.cloud.faults import Fault

router = APIRouter(prefix="/_simulator")


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ClockChange(_Change):
    """Time passes at once; with `frozen` it stands still or runs again."""

    advance_seconds: float = 0.0
    frozen: bool | None = None


class LimitChange(_Change):
    """None takes the limit away."""

    model: str
    per_minute: int | None
    window: Literal["sliding", "fixed"] = "sliding"


class LatencyChange(_Change):
    model: str
    seconds: float
    per_chunk: float = 0.0


class FaultChange(_Change):
    model: str
    fault: dict[str, Any]
    times: int = 1
    after: int = 0


class PlanChange(_Change):
    model: str
    answer: str
    times: int | None = None


def account_named(request: Request, account_id: str) -> Account:
    """The account of a path."""
    account = accounts_of(request).named(account_id)
    if account is None:
        raise HTTPException(404, "no such account")
    return account


def told(account: Account) -> dict[str, str]:
    """Where an account is and how to get in."""
    names = ("id", "token", "anthropic_key", "openai_key", "gemini_key", "deepseek_key", "gateway")
    urls = ("url", "api_url", "gateway_url", "anthropic_url", "openai_url", "gemini_url", "deepseek_url")
    return {name: getattr(account, name) for name in (*names, *urls)}


@router.get("/accounts")
async def accounts(request: Request) -> list[dict[str, str]]:
    return [told(account) for account in accounts_of(request).all()]


@router.post("/accounts")
async def open_account(request: Request) -> dict[str, str]:
    return told(accounts_of(request).open())


@router.get("/accounts/{account_id}/counts")
async def counts(request: Request, account_id: str) -> dict[str, Any]:
    return {model: asdict(one) for model, one in account_named(request, account_id).counts().items()}


@router.get("/accounts/{account_id}/charged")
async def charged(request: Request, account_id: str, model: str | None = None) -> dict[str, int]:
    return asdict(account_named(request, account_id).charged(model))


@router.get("/accounts/{account_id}/calls")
async def calls(request: Request, account_id: str, model: str | None = None) -> list[dict[str, Any]]:
    return [asdict(call) for call in account_named(request, account_id).calls(model)]


@router.get("/accounts/{account_id}/busiest")
async def busiest(request: Request, account_id: str, model: str, seconds: float = 60.0) -> int:
    return account_named(request, account_id).busiest(model, seconds)


@router.post("/accounts/{account_id}/clock")
async def move_clock(request: Request, account_id: str, change: ClockChange) -> dict[str, float]:
    clock = account_named(request, account_id).clock
    clock.advance(change.advance_seconds)
    if change.frozen is not None:
        clock.freeze() if change.frozen else clock.resume()
    return {"now": clock.now()}


@router.post("/accounts/{account_id}/limits", status_code=204)
async def limit(request: Request, account_id: str, change: LimitChange) -> None:
    account = account_named(request, account_id)
    if change.per_minute is None:
        account.unlimit(change.model)
    else:
        account.limit(change.model, change.per_minute, window=change.window)


@router.post("/accounts/{account_id}/latencies", status_code=204)
async def slow(request: Request, account_id: str, change: LatencyChange) -> None:
    account_named(request, account_id).slow(change.model, change.seconds, per_chunk=change.per_chunk)


@router.post("/accounts/{account_id}/faults", status_code=204)
async def fail(request: Request, account_id: str, change: FaultChange) -> None:
    try:
        fault = Fault(**change.fault)
    except TypeError as error:
        raise HTTPException(422, str(error)) from error
    account_named(request, account_id).fail(change.model, fault, times=change.times, after=change.after)


@router.post("/accounts/{account_id}/plans", status_code=204)
async def plan(request: Request, account_id: str, change: PlanChange) -> None:
    account_named(request, account_id).plan(change.model, change.answer, times=change.times)


@router.post("/accounts/{account_id}/reset", status_code=204)
async def reset(request: Request, account_id: str) -> None:
    account_named(request, account_id).reset()
