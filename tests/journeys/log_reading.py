"""The log of a running installation, read as its operator: with nats-py, nothing of ours in between."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import nats
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it lies in the log."""

    type: str
    time: str
    body: dict[str, Any]


@asynccontextmanager
async def log_of(data: Path) -> AsyncIterator[JetStreamContext]:
    """The log of the installation that runs on this data folder."""
    port = msgspec.json.decode((data / "run.json").read_bytes())["ports"]["nats"]
    password = (data / "secrets" / "nats-operator").read_text().strip()
    client = await nats.connect(f"nats://operator:{password}@127.0.0.1:{port}", inbox_prefix="_INBOX_operator")
    try:
        yield client.jetstream()
    finally:
        await client.close()


async def read_log(data: Path, stream: str) -> list[Entry]:
    """Every event of a stream, in its order."""
    async with log_of(data) as log:
        count = (await log.stream_info(stream)).state.messages
        order = await log.subscribe(
            "", stream=stream, ordered_consumer=True, config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
        )
        entries = []
        for _ in range(count):
            message = await order.next_msg(timeout=30)
            headers = message.headers or {}
            body = msgspec.json.decode(message.data)
            entries.append(Entry(type=headers["ce-type"], time=headers["ce-time"].replace("%3A", ":"), body=body))
        return entries


async def waiting_in(data: Path, queue: str) -> int:
    """How much work a queue holds."""
    async with log_of(data) as log:
        return int((await log.stream_info(queue)).state.messages)


def counts(entries: Sequence[Entry], wire_name: str, field: str) -> Counter[str]:
    """How often each value of a field was said in events of one type."""
    return Counter(str(entry.body[field]) for entry in entries if entry.type == wire_name)
