"""Events that a part could not handle: looking at them, handling them again, passing over them; and who did what.

Asks `ListParked`, `ShowParked`, `RedriveParked`, `SkipParked` and `ListOperations`. Whatever changes something is kept
in the service's record with who asked and why.
"""

from typing import Annotated, Literal, Self

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from tonetouch_contracts.operating import (
    ListOperations,
    ListParked,
    ParkedEvent,
    RedriveParked,
    ShowParked,
    SkipParked,
)
from tonetouch_gateway.asking import OnFloor
from tonetouch_gateway.identifying import Identified
from tonetouch_gateway.listing import ID_PATTERN, Cursor, Limit
from tonetouch_gateway.operations.everybody import OneService, ServiceName, Silent, Why, ask_everybody, named
from tonetouch_gateway.problems import documented
from tonetouch_runtime import Refused

router = APIRouter(tags=["operating"])

REDRIVE_SECONDS = 20.0
"""After so long a service begins nothing new."""
PATIENCE_SECONDS = 30.0
"""It ends what it has begun."""

PartName = Annotated[str, Field(pattern=ID_PATTERN, description="A table or a consumer, by its name in the lag.")]
OnePart = Annotated[str | None, Query(pattern=ID_PATTERN, description="One table or consumer, by its name in the lag.")]
OneEntity = Annotated[str | None, Query(pattern=ID_PATTERN, description="Only events of this entity.")]
StreamName = Annotated[str, Field(pattern=r"^[A-Z][A-Z_]{0,31}$")]
Sequence = Annotated[int, Field(ge=1, lt=2**63)]
StreamInPath = Annotated[str, Path(pattern=r"^[A-Z][A-Z_]{0,31}$")]
SequenceInPath = Annotated[int, Path(ge=1, lt=2**63)]


class Parked(BaseModel):
    """An event that a part could not handle, or that waits behind one that it could not."""

    service: str
    part: str
    stream: str
    sequence: int
    wire_name: str
    entity_id: str
    parked_at: str
    attempts: int
    error: str | None = Field(description="Null where it only waits.")

    @classmethod
    def of(cls, service: str, event: ParkedEvent) -> Self:
        """An event as its service shows it."""
        return cls.model_validate({"service": service, **msgspec.to_builtins(event)})


class AllParked(BaseModel):
    """Parked events of all services, the oldest first."""

    items: list[Parked]
    next_cursor: str | None = Field(description="Where one service was asked and has more.")
    more_in: list[str] = Field(description="Services that have more; ask each of them alone.")
    silent: list[Silent]


class ParkedInFull(Parked):
    """A parked event as it stands in the log."""

    subject: str
    time: str
    event_id: str
    correlation: str | None
    waiting: int = Field(description="How many events wait behind it.")
    body: str | None = Field(description="Null where it is not text.")


class WhatToRedrive(BaseModel):
    """Which parked events of a service to handle again, and why."""

    service: ServiceName
    part: PartName | None = None
    entity_id: Annotated[str, Field(pattern=ID_PATTERN)] | None = None
    at_most: int = Field(100, ge=1, le=1000)
    reason: Why


class Attempt(BaseModel):
    """What became of one event."""

    part: str
    stream: str
    sequence: int
    wire_name: str
    entity_id: str
    outcome: Literal["done", "failed", "running", "waiting"]
    note: str


class Redriven(BaseModel):
    """What was done, and how many events are parked still."""

    attempted: list[Attempt]
    done: int
    failed: int
    left: int


class WhatToSkip(BaseModel):
    """Which parked event to pass over, and why."""

    service: ServiceName
    stream: StreamName
    sequence: Sequence
    part: PartName | None = Field(None, description="Needed where several parts of the service have parked it.")
    reason: Why


class Skipped(BaseModel):
    """The event that was passed over, and how many of its entity wait to be handled."""

    skipped: Parked
    waiting: int


class Deed(BaseModel):
    """Something an operator did."""

    service: str
    number: int
    at: str
    operator: str
    what: str
    about: str
    reason: str


class Deeds(BaseModel):
    """What operators did, the latest first."""

    items: list[Deed]
    silent: list[Silent]


@router.get("/operations/parked")
async def list_parked(
    floor: OnFloor,
    service: OneService = None,
    part: OnePart = None,
    entity: OneEntity = None,
    broken: Annotated[bool, Query(description="Without those that only wait.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AllParked:
    """What is parked. `limit` is for each service; a `cursor` goes on in the one service that is asked."""
    if cursor and service is None:
        raise Refused("invalid", "A cursor belongs to one service.", "Say which one with `service`.")
    command = ListParked(part=part, entity_id=entity, only_broken=broken, limit=limit, cursor=cursor)
    pages, silent = await ask_everybody(floor, command, named(service))
    events = [Parked.of(name, event) for name, page in pages.items() for event in page.items]
    more = {name: page.next_cursor for name, page in pages.items() if page.next_cursor}
    return AllParked(
        items=sorted(events, key=lambda event: event.parked_at),
        next_cursor=more.get(service) if service else None,
        more_in=list(more),
        silent=silent,
    )


@router.get("/operations/parked/{service}/{stream}/{sequence}", responses=documented("not_found", "conflict"))
async def show_parked(
    service: ServiceName, stream: StreamInPath, sequence: SequenceInPath, floor: OnFloor, part: OnePart = None
) -> ParkedInFull:
    """One parked event: what it says, why it is parked, and what waits behind it."""
    command = ShowParked(stream=stream, sequence=sequence, part=part)
    said = msgspec.to_builtins((await floor.bus.ask(command, service=service)).value)
    return ParkedInFull.model_validate({"service": service, **said.pop("parked"), **said})


@router.post("/operations/parked/redrive", responses=documented("not_found", "conflict"))
async def redrive_parked(what: WhatToRedrive, floor: OnFloor, user: Identified) -> Redriven:
    """Handle parked events of a service again, in order per entity; one that fails again stays parked."""
    command = RedriveParked(
        operator=user.id,
        reason=what.reason,
        part=what.part,
        entity_id=what.entity_id,
        at_most=what.at_most,
        within_seconds=REDRIVE_SECONDS,
    )
    answered = await floor.bus.ask(command, service=what.service, timeout=REDRIVE_SECONDS + PATIENCE_SECONDS)
    return Redriven.model_validate(msgspec.to_builtins(answered.value))


@router.post("/operations/parked/skip", responses=documented("not_found", "conflict"))
async def skip_parked(what: WhatToSkip, floor: OnFloor, user: Identified) -> Skipped:
    """Pass over the first parked event of an entity for good; it stays in the log."""
    command = SkipParked(
        stream=what.stream, sequence=what.sequence, operator=user.id, reason=what.reason, part=what.part
    )
    skipped = (await floor.bus.ask(command, service=what.service)).value
    return Skipped(skipped=Parked.of(what.service, skipped.skipped), waiting=skipped.waiting)


@router.get("/operations/record")
async def list_operations(floor: OnFloor, service: OneService = None, limit: Limit = 50) -> Deeds:
    """What operators did to the services, when and why; `limit` is for each service."""
    pages, silent = await ask_everybody(floor, ListOperations(limit=limit), named(service))
    deeds = [
        Deed.model_validate({"service": name, **msgspec.to_builtins(deed)})
        for name, page in pages.items()
        for deed in page.items
    ]
    return Deeds(items=sorted(deeds, key=lambda deed: deed.at, reverse=True), silent=silent)
