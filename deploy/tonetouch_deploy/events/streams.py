"""`streams`, `consumers` and `drift`: what the server holds, who reads it, and whether it is as declared."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
import typer
from nats.aio.client import Client
from rich.console import Console

from tonetouch_contracts import manifest
from tonetouch_deploy.events._root import SEE, AsJson, events, say_json
from tonetouch_deploy.events.looking import StreamInfo, all_streams, first_since
from tonetouch_deploy.events.reaching import api, reach, together
from tonetouch_deploy.events.streams_showing import consumer_table, drift_table, stream_table
from tonetouch_deploy.ledger_showing import say
from tonetouch_deploy.settings import CannotStartError

StreamKind = Literal["truth", "queue", "leases", "undeclared"]
ConsumerKind = Literal["durable", "reader", "undeclared"]

RATE_SECONDS = 60
"""The rate of a stream is counted over its last minute."""

_TRUTH = {stream.name: stream.owner for stream in manifest.STREAMS}
_QUEUES = {queue.name: queue.owner for queue in manifest.QUEUES}
_LEASES = {leases.name: leases.owner for leases in manifest.LEASES}
_OWNERS = _TRUTH | _QUEUES | _LEASES
_CONSUMERS = {(consumer.stream, consumer.name): consumer for consumer in manifest.CONSUMERS}


class StreamRow(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as an operator sees it. `per_second` is null where nobody counts: only of truth it is asked."""

    name: str
    kind: StreamKind
    owner: str
    head: int
    events: int
    bytes: int
    last_at: str | None
    per_second: float | None
    consumers: int


class ConsumerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer as the server tells of it. `pending` it was not given yet, `in_hand` it has not acknowledged."""

    stream: str
    name: str
    kind: ConsumerKind
    owner: str
    reached: int
    acknowledged: int
    pending: int
    in_hand: int
    redelivered: int
    waiting: int
    paused: bool


class DriftRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as the manifest declares it, and how."""

    what: str
    how: tuple[str, ...]


@events.command(rich_help_panel=SEE)
def streams(*, as_json: AsJson = False) -> None:
    """Every stream: its head, size, rate over the last minute, and owner."""
    rows = reach(stream_rows)
    if as_json:
        say_json(rows)
    else:
        Console().print(stream_table(rows))


@events.command(rich_help_panel=SEE)
def consumers(
    stream: Annotated[str | None, typer.Argument(help="Only of this stream.", show_default=False)] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Every consumer: how far it was given and acknowledged, what it holds in hand, what waits for it."""
    rows = reach(lambda client: consumer_rows(client, stream))
    if as_json:
        say_json(rows)
    else:
        Console().print(consumer_table(rows))


@events.command(rich_help_panel=SEE)
def drift(*, as_json: AsJson = False) -> None:
    """Compare the server with the manifest; fails where they differ."""
    rows = reach(drift_rows)
    if as_json:
        say_json(rows)
    elif rows:
        Console().print(drift_table(rows))
        say(Console(), "`tonetouch provision` makes what is declared; what is not declared it leaves alone.")
    else:
        say(Console(), "The server is as the manifest declares it.")
    if rows:
        raise typer.Exit(1)


async def stream_rows(client: Client) -> list[StreamRow]:
    """The streams of the server; those of the manifest first, in its order."""
    found = await all_streams(client)
    order = {name: place for place, name in enumerate(_OWNERS)}
    found.sort(key=lambda info: order.get(info.config.name, len(order)))
    since = (datetime.now(UTC) - timedelta(seconds=RATE_SECONDS)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return await together(*(_stream_row(client, info, since) for info in found))


async def consumer_rows(client: Client, stream: str | None = None) -> list[ConsumerRow]:
    """The consumers of one declared stream, or of all of them: of others an operator may not ask."""
    there = [info.config.name for info in await all_streams(client) if info.config.name in _OWNERS]
    if stream is not None and stream not in there:
        raise CannotStartError(f"There is no declared stream {stream} here; there are {', '.join(there) or 'none'}.")
    names = there if stream is None else [stream]
    lists = await together(*(_consumers_of(client, name) for name in names))
    return sorted((row for rows in lists for row in rows), key=lambda row: (row.stream, row.kind, row.name))


async def drift_rows(client: Client) -> list[DriftRow]:
    """What differs from the manifest, and what the manifest knows nothing of."""
    # The runtime compares them for the services too; it takes a moment to load.
    from tonetouch_runtime import provisioning

    declared = (manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
    differing = await provisioning.drift(client.jetstream(), *declared)
    rows = [DriftRow(what=what, how=tuple(how)) for what, how in differing]
    streams, consumers = await asyncio.gather(stream_rows(client), consumer_rows(client))
    undeclared = [f"stream {row.name}" for row in streams if row.kind == "undeclared"]
    undeclared += [f"consumer {row.name} on {row.stream}" for row in consumers if row.kind == "undeclared"]
    return rows + [DriftRow(what=what, how=("the manifest does not know it",)) for what in undeclared]


async def _stream_row(client: Client, info: StreamInfo, since: str) -> StreamRow:
    name, state = info.config.name, info.state
    kind = _kind(name)
    per_second = None
    if kind == "truth":
        first = await first_since(client, name, since) if state.messages else None
        per_second = (state.last_seq - first.sequence + 1) / RATE_SECONDS if first else 0.0
    return StreamRow(
        name=name,
        kind=kind,
        owner=_OWNERS.get(name) or info.config.metadata.get("owner", ""),
        head=state.last_seq,
        events=state.messages,
        bytes=state.bytes,
        last_at=state.last_ts if state.last_seq else None,
        per_second=per_second,
        consumers=state.consumer_count,
    )


def _kind(name: str) -> StreamKind:
    if name in _TRUTH:
        return "truth"
    return "queue" if name in _QUEUES else "leases" if name in _LEASES else "undeclared"


class _Place(msgspec.Struct, frozen=True):
    stream_seq: int = 0


class _ConsumerConfig(msgspec.Struct, frozen=True):
    durable_name: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


class _ConsumerInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    config: _ConsumerConfig
    delivered: _Place
    ack_floor: _Place
    num_pending: int = 0
    num_ack_pending: int = 0
    num_redelivered: int = 0
    num_waiting: int = 0
    paused: bool = False


class _ConsumerList(msgspec.Struct, frozen=True, kw_only=True):
    consumers: list[_ConsumerInfo] | None = None
    total: int = 0


async def _consumers_of(client: Client, stream: str) -> Iterable[ConsumerRow]:
    found: list[_ConsumerInfo] = []
    while True:
        page = await api(client, f"CONSUMER.LIST.{stream}", {"offset": len(found)}, _ConsumerList)
        found += page.consumers or []
        if not page.consumers or len(found) >= page.total:
            return [_consumer_row(stream, info) for info in found]


def _consumer_row(stream: str, info: _ConsumerInfo) -> ConsumerRow:
    declared = _CONSUMERS.get((stream, info.name))
    durable = info.config.durable_name is not None
    return ConsumerRow(
        stream=stream,
        name=info.name,
        kind="durable" if declared else "undeclared" if durable else "reader",
        owner=declared.owner if declared else info.config.metadata.get("owner", ""),
        reached=info.delivered.stream_seq,
        acknowledged=info.ack_floor.stream_seq,
        pending=info.num_pending,
        in_hand=info.num_ack_pending,
        redelivered=info.num_redelivered,
        waiting=info.num_waiting,
        paused=info.paused,
    )
