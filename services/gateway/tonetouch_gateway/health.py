"""Whether the process lives, and whether the whole can do its work. No token is needed to ask.

Asks `ShowHealth` of every service.
"""

import asyncio
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from tonetouch_contracts.message import ShowHealth
from tonetouch_gateway.asking import OnFloor
from tonetouch_gateway.problems import status_of
from tonetouch_runtime import Floor, Refused, Unavailable

router = APIRouter(tags=["health"])

SERVICES = ("catalog", "ingest", "recommend", "agents", "ai-ledger")
CHECK_SECONDS = 2.0


class Alive(BaseModel):
    """The process turns."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether everything can be done, and what each part says of itself."""

    ready: bool
    checks: dict[str, str] = Field(description="Each part by name: `ok`, or what is wrong with it.")


@router.get("/healthz")
async def healthz() -> Alive:
    """Alive: the loop turns."""
    return Alive()


@router.get("/readyz", responses={status_of("unavailable"): {"model": Readiness, "description": "Not ready"}})
async def readyz(floor: OnFloor, response: Response) -> Readiness:
    """Ready: the bus, the object store, and every service with its tables, consumers and projections."""
    parts = await asyncio.gather(_objects(floor), *(_service(floor, name) for name in SERVICES))
    checks = {"bus": "ok" if floor.bus.is_connected else "not connected", "objects": parts[0]}
    checks |= dict(zip(SERVICES, parts[1:], strict=True))
    ready = all(said == "ok" for said in checks.values())
    response.status_code = 200 if ready else status_of("unavailable")
    response.headers["cache-control"] = "no-store"
    return Readiness(ready=ready, checks=checks)


async def _service(floor: Floor, name: str) -> str:
    if not floor.bus.is_connected:
        return "cannot be asked"
    try:
        health = (await floor.bus.ask(ShowHealth(), service=name, timeout=CHECK_SECONDS)).value
    except (Unavailable, Refused) as error:
        return str(error)
    if health.ready:
        return "ok"
    ill = [f"{part} {said}" for part, said in health.checks.items() if not said.startswith("ok")]
    return "not ready: " + "; ".join(ill)


async def _objects(floor: Floor) -> str:
    try:
        await asyncio.wait_for(floor.objects.head("incoming/readiness"), CHECK_SECONDS)
    except (TimeoutError, Unavailable) as error:
        return str(error) or f"no answer within {CHECK_SECONDS:g} s"
    return "ok"
