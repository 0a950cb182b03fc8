"""Looking things up in the log without a consumer: streams, single messages, and all of one entity.

Everything here costs a few requests, however long the log is.
"""

import asyncio
from collections.abc import Sequence
from heapq import merge

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from tonetouch_contracts.manifest import STREAMS
from tonetouch_contracts.subjects import entity_filter
from tonetouch_deploy.events.reaching import REQUEST_SECONDS, api, together
from tonetouch_deploy.events.stored import Stored, stored
from tonetouch_deploy.settings import CannotStartError

TRUTH = tuple(stream.name for stream in STREAMS)


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """How much a stream holds."""

    messages: int
    bytes: int
    first_seq: int
    last_seq: int
    first_ts: str
    last_ts: str
    consumer_count: int = 0
    num_subjects: int = 0
    subjects: dict[str, int] | None = None


class StreamConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream was made with, as far as an operator asks."""

    name: str
    retention: str = "limits"
    description: str = ""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as the server tells of it."""

    config: StreamConfig
    state: StreamState


class _StreamList(msgspec.Struct, frozen=True, kw_only=True):
    streams: list[StreamInfo] | None = None
    total: int = 0


async def all_streams(client: Client) -> list[StreamInfo]:
    """Every stream there is on the server, by name."""
    found: list[StreamInfo] = []
    while True:
        page = await api(client, "STREAM.LIST", {"offset": len(found)}, _StreamList)
        found += page.streams or []
        if not page.streams or len(found) >= page.total:
            return sorted(found, key=lambda info: info.config.name)


async def truth_streams(client: Client, names: Sequence[str] = TRUTH) -> list[StreamInfo]:
    """The streams of truth. Raises CannotStartError where one is missing."""
    return await together(*(api(client, f"STREAM.INFO.{name}", {}, StreamInfo) for name in names))


async def message_at(client: Client, stream: str, sequence: int) -> Stored | None:
    """One message; none where there is no such place."""
    found = await _direct(client, stream, {"seq": sequence})
    return found[0] if found and found[0].sequence == sequence else None


async def first_since(client: Client, stream: str, moment: str) -> Stored | None:
    """The first message that was stored at a moment (RFC 3339) or later."""
    found = await _direct(client, stream, {"start_time": moment, "batch": 1, "next_by_subj": ">"})
    return found[0] if found else None


async def entity_history(client: Client, entity_id: str, *, streams: Sequence[str] = TRUTH) -> list[Stored]:
    """All events of one entity over the streams, in the order in which they happened.

    Within a stream this is the order of the stream; between streams it is that of the times the events say.
    Raises CannotStartError where the id cannot be one.
    """
    try:
        subjects = entity_filter(entity_id)
    except ValueError as error:
        raise CannotStartError(f"{error}.") from error
    parts = await together(*(_of_entity(client, stream, subjects) for stream in streams))
    return in_order(parts)


def in_order(parts: Sequence[Sequence[Stored]]) -> list[Stored]:
    """Several streams as one story: each keeps its order, whatever became of the clocks meanwhile."""
    return [event for _, event in merge(*map(_timed, parts), key=lambda pair: pair[0])]


def _timed(events: Sequence[Stored]) -> list[tuple[str, Stored]]:
    latest, timed = "", []
    for event in events:
        latest = max(latest, event.time)
        timed.append((latest, event))
    return timed


async def _of_entity(client: Client, stream: str, subjects: str) -> list[Stored]:
    # An open-ended read would scan to the head of the log: count first, then get exactly that many. And by whole
    # subjects: with a wildcard the server goes through every block in between (among a million events 170 ms and more).
    info = await api(client, f"STREAM.INFO.{stream}", {"subjects_filter": subjects}, StreamInfo)
    counts = (info.state.subjects or {}).items()
    parts = await together(*(_of_subject(client, stream, subject, count) for subject, count in counts))
    return sorted((event for part in parts for event in part), key=lambda event: event.sequence)


async def _of_subject(client: Client, stream: str, subject: str, count: int) -> list[Stored]:
    found: list[Stored] = []
    while len(found) < count:
        after = found[-1].sequence if found else 0
        request = {"seq": after + 1, "batch": count - len(found), "next_by_subj": subject}
        more = await _direct(client, stream, request)
        if not more:
            break
        found += more
    return found


async def _direct(client: Client, stream: str, request: dict[str, object]) -> list[Stored]:
    """What a direct get gives: its messages up to the end of the batch."""
    inbox = client.new_inbox()
    arrived: asyncio.Queue[Msg] = asyncio.Queue()
    subscription = await client.subscribe(inbox, cb=arrived.put)
    found: list[Stored] = []
    try:
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", msgspec.json.encode(request), reply=inbox)
        while True:
            message = await asyncio.wait_for(arrived.get(), REQUEST_SECONDS)
            if (message.headers or {}).get("Status"):
                return found
            found.append(stored(message))
            if "batch" not in request:
                return found
    finally:
        await subscription.unsubscribe()
