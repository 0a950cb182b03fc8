"""The streams as the server holds them: how far, how much, how fast, and whose."""

import asyncio
from datetime import timedelta
from typing import Literal

import msgspec
from fastapi import APIRouter
from nats.aio.msg import Msg
from pydantic import BaseModel, Field

from tonetouch_contracts.manifest import LEASES, QUEUES, STREAMS
from tonetouch_gateway.asking import OnFloor
from tonetouch_runtime import Bus, Floor, Unavailable, stamp
from tonetouch_runtime._recorded import origin_of

router = APIRouter(tags=["operating"])

StreamKind = Literal["truth", "queue", "leases"]

RATE_SECONDS = 60
"""The rate of a stream is counted over its last minute."""

_REQUEST_SECONDS = 5.0
_KINDS: tuple[tuple[StreamKind, tuple[tuple[str, str, str], ...]], ...] = (
    ("truth", tuple((one.name, one.owner, one.promise) for one in STREAMS)),
    ("queue", tuple((one.name, one.owner, one.promise) for one in QUEUES)),
    ("leases", tuple((one.name, one.owner, one.promise) for one in LEASES)),
)


class StreamShown(BaseModel):
    """A stream."""

    name: str
    kind: StreamKind = Field(description="Only `truth` is kept for ever.")
    owner: str = Field(description="Who appends to it.")
    promise: str
    head: int = Field(description="The sequence of its last message.")
    messages: int
    bytes: int
    last_at: str | None = Field(description="Null as long as it is empty.")
    per_second: float | None = Field(description="Over the last minute; null for what is no truth.")
    consumers: int


class Streams(BaseModel):
    """All streams of the manifest, in its order."""

    items: list[StreamShown]


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """How much the server holds of a stream."""

    messages: int
    bytes: int
    last_seq: int
    last_ts: str
    consumer_count: int = 0


@router.get("/operations/streams")
async def list_streams(floor: OnFloor) -> Streams:
    """Every stream: its head, size, rate over the last minute, and owner."""
    declared = [(kind, *one) for kind, several in _KINDS for one in several]
    return Streams(items=await asyncio.gather(*(_shown(floor, *one) for one in declared)))


async def state_of(bus: Bus, stream: str) -> StreamState:
    """What the server says of a stream. Raises Unavailable where it says nothing."""
    message = await _api(bus, f"STREAM.INFO.{stream}", {})
    said = msgspec.json.decode(message.data, type=_Info)
    if said.state is None:
        raise Unavailable(f"the bus does not show {stream} ({said.error.description if said.error else 'no state'})")
    return said.state


async def first_since(bus: Bus, stream: str, moment: str) -> int | None:
    """The sequence of the first message that was stored at a moment (RFC 3339) or later; none where there is none."""
    message = await _api(bus, f"DIRECT.GET.{stream}", {"start_time": moment, "batch": 1, "next_by_subj": ">"})
    return None if (message.headers or {}).get("Status") else origin_of(message)[1]


async def _shown(floor: Floor, kind: StreamKind, name: str, owner: str, promise: str) -> StreamShown:
    state = await state_of(floor.bus, name)
    per_second = None
    if kind == "truth":
        since = stamp(floor.clock.now() - timedelta(seconds=RATE_SECONDS))
        first = await first_since(floor.bus, name, since) if state.messages else None
        per_second = max(state.last_seq - first + 1, 0) / RATE_SECONDS if first else 0.0
    return StreamShown(
        name=name,
        kind=kind,
        owner=owner,
        promise=promise,
        head=state.last_seq,
        messages=state.messages,
        bytes=state.bytes,
        last_at=state.last_ts if state.last_seq else None,
        per_second=per_second,
        consumers=state.consumer_count,
    )


async def _api(bus: Bus, subject: str, body: object) -> Msg:
    if not bus.is_connected:
        raise Unavailable("the bus is not connected right now")
    return await bus.nats.request(f"$JS.API.{subject}", msgspec.json.encode(body), _REQUEST_SECONDS)


class _Error(msgspec.Struct, frozen=True):
    description: str = ""


class _Info(msgspec.Struct, frozen=True):
    state: StreamState | None = None
    error: _Error | None = None
