"""Asking every service the same thing: one that does not answer keeps nobody from hearing the others."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from tonetouch_contracts.message import Command
from tonetouch_contracts.parties import PARTIES
from tonetouch_runtime import Floor, Unavailable

R = TypeVar("R")

ServiceName = Literal["catalog", "ingest", "recommend", "agents", "ai-ledger", "gateway"]
SERVICES: tuple[str, ...] = tuple(party.name for party in PARTIES)
ANSWER_SECONDS = 5.0

OneService = Annotated[ServiceName | None, Query(description="Only this service.")]
Why = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S", description="Kept in the service's record.")]


class Silent(BaseModel):
    """A service that did not answer."""

    service: str
    detail: str


async def ask_everybody(
    floor: Floor, command: Command[R], services: Sequence[str] = SERVICES
) -> tuple[dict[str, R], list[Silent]]:
    """What each service answers, and who did not. Raises Refused where one refuses, Unavailable without a bus."""
    if not floor.bus.is_connected:
        raise Unavailable("the bus is not connected right now")

    async def ask(service: str) -> R | Silent:
        try:
            return (await floor.bus.ask(command, service=service, timeout=ANSWER_SECONDS)).value
        except Unavailable as error:
            return Silent(service=service, detail=str(error))

    answers = dict(zip(services, await asyncio.gather(*map(ask, services)), strict=True))
    answered = {name: answer for name, answer in answers.items() if not isinstance(answer, Silent)}
    return answered, [answer for answer in answers.values() if isinstance(answer, Silent)]


def named(service: str | None) -> Sequence[str]:
    """One service, or all of them."""
    return SERVICES if service is None else (service,)
