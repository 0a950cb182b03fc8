"""A shape that cannot grow any further gets a new name, and nobody who reads notices; on a real server."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from nats.aio.msg import Msg

from tests.contracts.songs import AT_FIRST, LATER, SongRated, SongRatedV2
from tonetouch_contracts.envelope import Envelope
from tonetouch_contracts.manifest import Consumer, Stream, vocabulary
from tonetouch_contracts.message import Event
from tonetouch_runtime import Bus, Decision, Log, SystemClock
from tonetouch_runtime.provisioning import apply


class Heard(msgspec.Struct, frozen=True):
    """A noun of today's critic: it knows the newest shape only."""

    ratings: tuple[SongRatedV2, ...] = ()

    def evolve(self, event: Event) -> "Heard":
        assert isinstance(event, SongRatedV2)
        return Heard(ratings=(*self.ratings, event))


def consumer(stream: Stream, event: type[Event]) -> Consumer:
    return Consumer(name="critic-hearing", stream=stream.name, owner="critic", filters=stream.filters(event))


def log_of(bus: Bus, stream: Stream) -> Log:
    streams = dict.fromkeys(stream.says, stream.name)
    return Log(
        bus, SystemClock(), service="critic", vocabulary=vocabulary([stream]), stream_name=lambda event: streams[event]
    )


@pytest.fixture(name="bus")
async def _bus(fresh_nats_url: str) -> AsyncIterator[Bus]:
    bus = await Bus.connect(fresh_nats_url, "critic")
    yield bus
    await bus.close()


async def delivered(bus: Bus, count: int) -> list[Msg]:
    subscription = await bus.jetstream.pull_subscribe_bind(consumer="critic-hearing", stream="SONGS")
    messages: list[Msg] = await subscription.fetch(count, timeout=20)
    for message in messages:
        await message.ack_sync()
    return messages


async def test_what_was_said_under_a_retired_name_is_read_as_todays(bus: Bus) -> None:
    """Events from before and after are loaded alike, and the consumer that was there brings both, each exactly once."""
    await apply(bus.jetstream, [AT_FIRST], [], [consumer(AT_FIRST, SongRated)])
    old = tuple(SongRated(song_id="s1", stars=stars) for stars in (4, 5))
    await log_of(bus, AT_FIRST).append(Decision(entity_id="s1", events=old, expected=0))
    assert len(await delivered(bus, 1)) == 1

    await apply(bus.jetstream, [LATER], [], [consumer(LATER, SongRatedV2)])
    log, today = log_of(bus, LATER), SongRatedV2(song_id="s1", percent=30, rated_by="p1")
    loaded = await log.load("SONGS", "s1", Heard())
    await log.append(Decision(entity_id="s1", events=(today,), expected=loaded.version))

    ratings = (await log.load("SONGS", "s1", Heard())).state.ratings
    assert [rating.percent for rating in ratings] == [80, 100, 30]
    messages = await delivered(bus, 2)
    brought = [
        vocabulary([LATER]).decode(Envelope.from_headers(message.headers).type, message.data) for message in messages
    ]
    assert brought == [SongRatedV2(song_id="s1", percent=100), today]


async def test_a_retired_name_is_said_no_more(bus: Bus) -> None:
    """Whoever still tries to is told by a mistake in the program, and nothing is written."""
    await apply(bus.jetstream, [LATER], [], [])
    old = SongRated(song_id="s1", stars=4)
    with pytest.raises(KeyError):
        await log_of(bus, LATER).append(Decision(entity_id="s1", events=(old,), expected=0))
    assert (await bus.jetstream.stream_info("SONGS")).state.messages == 0
