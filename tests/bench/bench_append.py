"""Appending with a concurrency check, against plain publishing on the same server in the same run."""

import statistics
import time
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from tests.runtime.installation import provision
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import TrackRejected
from tonetouch_runtime import Bus, Decision, Log, Settings, SystemClock

ROUNDS = 8
APPENDS = 250
FLOOR_SHARE = 0.65


@pytest.mark.bench
async def test_appending_with_a_check_is_nearly_as_fast_as_publishing(settings: Settings) -> None:
    """One event of a new entity, with its check, reaches at least 0.65 of the rate of a bare publish with ack."""
    await provision(settings)
    bus = await Bus.connect(settings.nats_url, "bench")
    log = Log(bus, SystemClock(), service="bench")
    clock = SystemClock()
    body = msgspec.json.encode(TrackRejected(track_id=TrackId(clock.new_id()), reason="measured"))

    async def publish() -> None:
        await bus.jetstream.publish(f"track.rejected.{clock.new_id()}", body)

    async def append() -> None:
        event = TrackRejected(track_id=TrackId(clock.new_id()), reason="measured")
        await log.append(Decision(entity_id=event.track_id, events=(event,), expected=0))

    # In turns, so that a machine that gets slower slows both.
    rates = [(await _rate(publish), await _rate(append)) for _ in range(ROUNDS)][1:]
    await bus.close()
    floor, ours = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(mine / plain for plain, mine in rates)
    print(f"\nappend: floor {floor:,.0f}/s, with check {ours:,.0f}/s, ratio {ratio:.2f} (at least {FLOOR_SHARE})")
    assert ratio >= FLOOR_SHARE


async def _rate(call: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    for _ in range(APPENDS):
        await call()
    return APPENDS / (time.perf_counter() - started)
