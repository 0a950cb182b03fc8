"""The story of one track, or of any entity: who caused what, in which service, and how long each hop took.

The events of the entity are looked up on every stream. Their correlation says when the story began; from there on the
headers of the streams are read, up to a bound. What nobody has read is said.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query
from nats.aio.msg import Msg
from pydantic import BaseModel, Field

from tonetouch_contracts.envelope import Envelope, EnvelopeError, encode_value
from tonetouch_contracts.manifest import STREAMS
from tonetouch_contracts.story import time_of, told
from tonetouch_gateway.asking import OnFloor
from tonetouch_gateway.listing import ID_PATTERN
from tonetouch_gateway.operations.surveying import first_since, state_of
from tonetouch_gateway.problems import documented
from tonetouch_runtime import Floor, Refused, Unavailable, stamp
from tonetouch_runtime._reading import Reader
from tonetouch_runtime._recorded import origin_of

router = APIRouter(tags=["operating"])

MOST_READ = 10_000
"""Headers that are read of one stream, so that nobody waits for the whole of a busy hour."""
MOST_ENTITIES = 50
"""Entities whose events are looked up beyond what was read."""

_TRUTH = tuple(stream.name for stream in STREAMS)
_BATCH = 1000
_READ_SECONDS = 20.0
_EARLIER = timedelta(seconds=5)
"""The clock of who said it and that of the server may differ by so much."""


class HopShown(BaseModel):
    """An event of the story."""

    depth: int = Field(description="How many causes stand above it; its own is the nearest before it with one less.")
    stream: str
    sequence: int
    type: str
    entity: str
    service: str
    time: str
    id: str
    causation: str | None
    after_ms: float = Field(description="Since its cause.")
    since_beginning_ms: float


class FlowShown(BaseModel):
    """A story, each hop below what caused it."""

    correlation: str
    began: str
    took_ms: float
    hops: list[HopShown]
    read: int = Field(description="How many events were looked at for it.")
    notes: list[str] = Field(description="What was not read.")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An event as its place, its subject and its headers tell of it."""

    stream: str
    sequence: int
    subject: str
    envelope: Envelope

    @property
    def type(self) -> str:
        return self.subject.rpartition(".")[0]

    @property
    def entity(self) -> str:
        return self.subject.rpartition(".")[2]

    @property
    def time(self) -> str:
        return self.envelope.time


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What one stream gave of a story, how many events were read for it, and from when on it was not."""

    stream: str
    found: tuple[Standing, ...] = ()
    read: int = 0
    left_at: str | None = None


@router.get("/operations/flows/{entity_id}", responses=documented("not_found"))
async def show_flow(
    entity_id: Annotated[str, Path(pattern=ID_PATTERN, description="A track, another entity, or a correlation.")],
    floor: OnFloor,
    minutes: Annotated[int, Query(ge=1, le=1440, description="How long from its beginning the streams are read.")] = 60,
) -> FlowShown:
    """The story an entity began with, as an upload: every event, below what caused it."""
    own = await _about([entity_id], floor)
    correlation, began = _beginning(entity_id, own)
    begin, end = stamp(began - _EARLIER), stamp(began + timedelta(minutes=minutes))
    try:
        async with asyncio.timeout(_READ_SECONDS):
            parts = await asyncio.gather(*(_read(floor, stream, correlation, begin, end) for stream in _TRUTH))
    except TimeoutError:
        raise Unavailable(f"the streams were not read within {_READ_SECONDS:g} s") from None
    found = [*own, *(event for part in parts for event in part.found)]
    left = [part for part in parts if part.left_at]
    if left:
        entities = {event.entity for event in found if event.envelope.correlation == correlation} - {entity_id}
        found += await _about(sorted(entities)[:MOST_ENTITIES], floor)
    story = {(event.stream, event.sequence): event for event in found if event.envelope.correlation == correlation}
    if not story:
        raise Refused("not_found", f"No event is about {entity_id}, and no story has that name.")
    flow = told(correlation, list(story.values()), read=sum(part.read for part in parts), notes=_notes(left))
    return FlowShown.model_validate(msgspec.to_builtins(flow))


def _beginning(asked_for: str, own: Sequence[Standing]) -> tuple[str, datetime]:
    """The correlation of the entity's first event, or what was asked for itself, and when it began. Raises Refused."""
    first = min(own, key=lambda event: event.time, default=None)
    correlation = (first.envelope.correlation or first.envelope.id) if first else asked_for
    said = [datetime.fromisoformat(first.time)] if first else []
    made = time_of(correlation)
    began = min([*said, *([made] if made else [])], default=None)
    if began is None:
        raise Refused("not_found", f"No event is about {asked_for}, and no story has that name.")
    return correlation, began


async def _about(entities: Iterable[str], floor: Floor) -> list[Standing]:
    """Everything about some entities, on all streams."""
    asked = [floor.log.messages(stream, entity) for entity in entities for stream in _TRUTH]
    return _standing(message for messages in await asyncio.gather(*asked) for message in messages)


async def _read(floor: Floor, stream: str, correlation: str, begin: str, end: str) -> Read:
    """One stream from the story's beginning on: to the head, the end of the time that is read, or `MOST_READ`."""
    first = await first_since(floor.bus, stream, begin)
    if first is None:
        return Read(stream=stream)
    head = (await state_of(floor.bus, stream)).last_seq
    last, said = min(head, first + MOST_READ - 1), encode_value(correlation)
    at, seen_until, found = first - 1, begin, list[Standing]()
    reader = Reader(floor.bus, stream, start=first, headers_only=True)
    try:
        while at < last and seen_until <= end:
            placed = await reader.batch(min(_BATCH, last - at))
            found += _standing(message for _, message in placed if _may_belong(message, said))
            at = placed[-1][0]
            seen_until = max([seen_until, *(event.time for event in _standing([placed[-1][1]]))])
    finally:
        await reader.close()
    return Read(stream=stream, found=tuple(found), read=at - first + 1, left_at=seen_until if at < head else None)


def _may_belong(message: Msg, correlation: str) -> bool:
    """Nearly all events belong to other stories, and say so: the rest of their headers need not be read."""
    said = (message.headers or {}).get("ce-correlationid")
    return said is None or said == correlation


def _standing(messages: Iterable[Msg]) -> list[Standing]:
    """Those of the messages that can belong to a story: what has no envelope says of none."""
    found = []
    for message in messages:
        try:
            envelope = Envelope.from_headers(message.headers)
        except EnvelopeError:
            continue
        stream, sequence = origin_of(message)
        subject = (message.headers or {}).get("Nats-Subject", message.subject)
        found.append(Standing(stream=stream, sequence=sequence, subject=subject, envelope=envelope))
    return found


def _notes(left: Iterable[Read]) -> list[str]:
    return [
        f"{part.stream} was not read after {(part.left_at or '')[:19]}; `uv run tonetouch events flow` reads on."
        for part in left
    ]
