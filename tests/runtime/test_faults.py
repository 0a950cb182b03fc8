"""What a service stands on goes away and comes back: what is seen of it, what is kept, and how it recovers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.runtime.doors import Door, door
from tests.runtime.installation import provision
from tests.runtime.test_app import Service, parked, rows, until, upload, uploaded
from tests.runtime.test_order import name_uploads
from tonetouch_contracts.envelope import Envelope
from tonetouch_contracts.message import ShowHealth
from tonetouch_contracts.track import TrackUploaded
from tonetouch_runtime import App, Decision, Floor, ObjectMissing, Recorded, Router, Settings, Unavailable, running
from tonetouch_runtime.testing import HandClock


@pytest.fixture(name="service")
def _service() -> Service:
    return Service()


@pytest.fixture(name="outside")
async def _outside(settings: Settings) -> AsyncIterator[Floor]:
    """Somebody for whom nothing is away."""
    await provision(settings)
    async with running(App(name="ingest"), settings) as floor:
        yield floor


@pytest.fixture(name="bus_door")
async def _bus_door(settings: Settings) -> AsyncIterator[Door]:
    async with door(urlsplit(settings.nats_url).port or 0) as one:
        yield one


@pytest.fixture(name="store_door")
async def _store_door(settings: Settings) -> AsyncIterator[Door]:
    async with door(urlsplit(settings.s3_endpoint).port or 0) as one:
        yield one


def through(door: Door, url: str) -> str:
    """The same address, by way of the door."""
    return url.replace(f":{urlsplit(url).port}", f":{door.port}")


async def until_so(condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_the_bus_away(outside: Floor, service: Service, settings: Settings, bus_door: Door) -> None:
    """An append waits and is kept once; what others said meanwhile is heard and in the tables; nothing is parked."""
    behind = settings.model_copy(update={"nats_url": through(bus_door, settings.nats_url)})
    async with running(service.app, behind) as floor:
        await upload(floor, "before")
        await bus_door.close()
        await until(lambda: not floor.bus.is_connected)
        waiting = asyncio.create_task(upload(floor, "waited"))
        await name_uploads(outside, "meanwhile", "1", "2")
        assert not waiting.done()
        await bus_door.open()
        positions = await asyncio.wait_for(waiting, 20.0)
        await floor.seen(positions, 20.0)
        assert [row["id"] for row in await rows(floor)] == ["before", "meanwhile", "waited"]
        await until(lambda: len({*service.heard}) == 4)
        assert list(dict.fromkeys(name for entity, name in service.heard if entity == "meanwhile")) == ["1", "2"]
        assert len(await floor.log.history("CATALOG", "waited")) == 1
        assert parked(floor) == []


async def test_the_bus_away_for_longer_than_an_append_waits(
    outside: Floor, service: Service, settings: Settings, bus_door: Door
) -> None:
    """The caller is told that the outcome is unknown; once the bus is back, asking again appends it once."""
    away = {"nats_url": through(bus_door, settings.nats_url), "settle_seconds": 0.3}
    async with running(service.app, settings.model_copy(update=away)) as floor:
        await bus_door.close()
        await until(lambda: not floor.bus.is_connected)
        with pytest.raises(Unavailable):
            await floor.log.append(Decision(entity_id="a", events=(uploaded("a"),), expected=0, key="asked"))
        await bus_door.open()
        await until(lambda: floor.bus.is_connected)
        positions = await floor.log.append(Decision(entity_id="a", events=(uploaded("a"),), expected=0, key="asked"))
        await floor.seen(positions, 20.0)
        assert len(await outside.log.history("CATALOG", "a")) == 1


class Storing:
    """A service that puts an object for every upload it hears of."""

    def __init__(self) -> None:
        self.tries = 0
        router = Router()
        router.hears(TrackUploaded, consumer="ingest-starting")(self.hear)
        self.app = App(name="ingest", routers=(router,))

    async def hear(self, fact: Recorded[TrackUploaded], floor: Floor) -> None:
        self.tries += 1
        await floor.objects.put(f"heard/{fact.event.track_id}", fact.event.file_name.encode())


async def test_the_object_store_away_for_longer_than_all_attempts(
    settings: Settings, store_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no event's fault: nothing is parked, however long it takes, and in the end every object is there."""
    monkeypatch.setattr("tonetouch_runtime._hearing.FIRST_DELAY_SECONDS", 0.001)
    monkeypatch.setattr("tonetouch_runtime._hearing.ATTEMPTS", 2)
    await provision(settings)
    storing = Storing()
    behind = settings.model_copy(update={"s3_endpoint": through(store_door, settings.s3_endpoint)})
    async with running(storing.app, behind) as floor:
        await store_door.close()
        await name_uploads(floor, "a", "1", "2")
        await until(lambda: storing.tries >= 4)
        assert parked(floor) == []
        await store_door.open()

        async def both_are_there() -> bool:
            try:
                return await floor.objects.get("heard/a", max_bytes=10) == b"2"
            except (Unavailable, ObjectMissing):
                return False

        await until_so(both_are_there)
        assert parked(floor) == []


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=400)], ids=["back", "ahead"])
async def test_the_clock_jumps(service: Service, settings: Settings, jump: timedelta) -> None:
    """The order is the log's and no clock's: rows, versions and waiting for positions are as they were."""
    await provision(settings)
    clock = HandClock()
    async with running(service.app, settings, clock=clock) as floor:
        await upload(floor, "a", "first")
        clock.turn(seconds=jump.total_seconds())
        positions = await upload(floor, "a", "second")
        await floor.seen(positions)
        first, second = await floor.log.history("CATALOG", "a")
        assert (first.time < second.time) is (jump > timedelta())
        assert [first.sequence, second.sequence] == [1, 2]
        assert [row["uploads"] for row in await rows(floor)] == [2]
        await until(lambda: service.heard == [("a", "first"), ("a", "second")])


async def test_a_consumer_deleted_behind_the_services_back(
    outside: Floor, service: Service, settings: Settings
) -> None:
    """Health says so; provisioned again it hears all there was, so nothing said meanwhile is lost, in order."""
    async with running(service.app, settings) as floor:
        await upload(floor, "a", "1")
        await until(lambda: service.heard == [("a", "1")])
        await outside.bus.jetstream.delete_consumer("CATALOG", "ingest-starting")
        await name_uploads(outside, "a", "2")

        async def is_seen() -> bool:
            health = (await floor.bus.ask(ShowHealth(), service="catalog")).value
            return not health.ready and "ingest-starting" in str(health.checks)

        await until_so(is_seen)
        await provision(settings)
        await until(lambda: ("a", "2") in service.heard)
        assert list(dict.fromkeys(service.heard)) == [("a", "1"), ("a", "2")]
        assert parked(floor) == []


async def test_an_event_of_an_unknown_type(service: Service, settings: Settings) -> None:
    """It is passed over by tables and listeners, and acknowledged; what follows it is as if it were not there."""
    await provision(settings)
    async with running(service.app, settings) as floor:
        await say(floor, "a", "track.sung-v2", b'{"event": "track.sung-v2", "loud": true}')
        positions = await upload(floor, "b")
        await floor.seen(positions)
        await until(lambda: service.heard == [("b", "a.mp3")])
        assert [row["id"] for row in await rows(floor)] == ["b"]
        assert parked(floor) == []

        async def is_acknowledged() -> bool:
            info: Any = await floor.bus.jetstream.consumer_info("CATALOG", "ingest-starting")
            return bool(info.num_ack_pending == 0 and info.num_pending == 0)

        await until_so(is_acknowledged)


async def test_an_event_that_cannot_be_decoded(service: Service, settings: Settings) -> None:
    """It is parked with its reason for the table and the listener, its entity behind it, and nobody else."""
    await provision(settings)
    async with running(service.app, settings) as floor:
        await say(floor, "a", "track.uploaded", b'{"event": "track.uploaded"}')
        await name_uploads(floor, "a", "later")
        positions = await upload(floor, "b")
        await floor.seen(positions)
        await until(lambda: service.heard == [("b", "a.mp3")])
        await until(lambda: len(parked(floor)) == 2)
        (broken, waiting) = parked(floor)
        assert broken[0] == waiting[0] == "a"
        assert "missing required field" in str(broken[1])
        assert waiting[1] is None
        assert [row["id"] for row in await rows(floor)] == ["b"]


async def say(floor: Floor, track: str, wire_name: str, body: bytes) -> None:
    """Something on a declared subject that we would never say."""
    headers = Envelope(id=f"odd-{track}", type=wire_name, source="/test", subject=track, time="2026-01-01T00:00:00Z")
    await floor.bus.jetstream.publish(f"track.uploaded.{track}", body, headers=headers.to_headers())
