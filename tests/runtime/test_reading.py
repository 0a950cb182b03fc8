"""Reading a stream in order: whole, and never more of it in the process than it can take."""

import asyncio

from tests.runtime.installation import provision
from tonetouch_runtime import Bus, Settings
from tonetouch_runtime._reading import Reader

BODY, EVENTS = 8 << 10, 12_000
MOST_WAITING = 48 << 20


async def test_a_slow_reader_holds_the_server_back(settings: Settings) -> None:
    """Of the 94 MiB that are there little more than the server's window of 32 MiB waits here; all come in order."""
    await provision(settings)
    bus = await Bus.connect(settings.nats_url, "reading")
    for _ in range(EVENTS):
        await bus.nats.publish("track.described.a", b"x" * BODY)
    reader, read, most = Reader(bus, "CATALOG", start=1), list[int](), 0
    while len(read) < EVENTS:
        read += [sequence for sequence, _ in await reader.batch(100)]
        await asyncio.sleep(0.02)  # at work on them
        most = max(most, reader._subscription.pending_bytes)
    await reader.close()
    await bus.close()
    assert read == list(range(1, EVENTS + 1))
    assert 0 < most < MOST_WAITING


async def test_a_throttled_reader_misses_nothing(settings: Settings) -> None:
    """A new rate is a new subscription, from where the reader is; the server knows the rate."""
    await provision(settings)
    bus = await Bus.connect(settings.nats_url, "reading")
    for _ in range(300):
        await bus.nats.publish("track.described.a", b"x")
    reader, read = Reader(bus, "CATALOG", start=1), list[int]()
    while len(read) < 300:
        read += [sequence for sequence, _ in await reader.batch(100)]
        reader.throttle(8_000_000 + len(read))
    await bus.nats.publish("track.described.a", b"x")
    read += [sequence for sequence, _ in await reader.batch(100)]
    consumer = await reader._subscription.consumer_info()
    await reader.close()
    await bus.close()
    assert read == list(range(1, 302))
    assert consumer.config.rate_limit_bps == 8_000_300
