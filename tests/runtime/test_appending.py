"""What the log refuses, what it cannot lose, and what it does not need."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from nats.aio.msg import Msg

from tests.runtime.test_log import Counted, decision, rejected, uploaded
from tests.servers import nats_server
from tonetouch_contracts import manifest
from tonetouch_contracts.identity import PlayId, TrackId, UserId
from tonetouch_contracts.play import PlayRecorded
from tonetouch_contracts.subjects import MalformedIdError
from tonetouch_contracts.track import ArtistAdded, TrackDescribed
from tonetouch_runtime import Bus, ConflictError, Decision, Log, SystemClock
from tonetouch_runtime._recorded import AppendRefusedError
from tonetouch_runtime._telemetry import Cause, caused_by
from tonetouch_runtime.provisioning import apply


@pytest.fixture(name="bus")
async def _bus(fresh_nats_url: str) -> AsyncIterator[Bus]:
    bus = await Bus.connect(fresh_nats_url, "test")
    await apply(bus.jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
    yield bus
    await bus.close()


@pytest.fixture(name="log")
def _log(bus: Bus) -> Log:
    return Log(bus, SystemClock(), service="test", settle_seconds=20.0)


def played(play: str) -> PlayRecorded:
    return PlayRecorded(
        play_id=PlayId(play), user_id=UserId("u"), track_id=TrackId("t"), heard_seconds=1, duration_seconds=2, at=""
    )


def told(track: str, about: str) -> TrackDescribed:
    return TrackDescribed(track_id=TrackId(track), about=about, job_id="j")


async def messages(bus: Bus, stream: str) -> int:
    return (await bus.jetstream.stream_info(stream)).state.messages


@pytest.mark.parametrize("spare", [0, 600])
async def test_an_event_that_is_too_large_is_refused_in_words(log: Log, bus: Bus, spare: int) -> None:
    """The server would hang up on us; it is refused before, at once, alone and within a batch."""
    large = told("a", "x" * (bus.largest_message - spare))
    with pytest.raises(AppendRefusedError, match=r"track\.described\.a has [\d,]+ bytes; an event has [\d,]+"):
        await log.append(decision(large, 0))
    with pytest.raises(AppendRefusedError):
        await log.append(decision(uploaded("b"), 0), decision(large, 0))
    assert bus.reconnects == 0
    assert await messages(bus, "CATALOG") == 0


async def test_the_largest_event_is_kept(log: Log, bus: Bus) -> None:
    """A kilobyte below the server's limit there is room for all headers."""
    await log.append(decision(told("a", "x" * (bus.largest_message - 2000)), 0))
    assert len(await log.history("CATALOG", "a")) == 1
    assert bus.reconnects == 0


async def test_an_append_has_a_thousand_events_at_the_most(log: Log, bus: Bus) -> None:
    """A thousand are one append; one more is a mistake in the program, and nothing of it is kept."""
    events = tuple(told("a", str(number)) for number in range(1000))
    await log.append(Decision(entity_id="a", events=events, expected=0))
    assert len(await log.history("CATALOG", "a")) == 1000
    with pytest.raises(ValueError, match="1001 events are more than the 1000"):
        await log.append(Decision(entity_id="a", events=(*events, events[0]), expected=1000))


@pytest.mark.parametrize("entity", ["*", ">", "a.b", "a b", "line\nbreak", "🎵", ""])
async def test_an_id_that_is_no_token_is_refused(log: Log, bus: Bus, entity: str) -> None:
    """Wildcards, newlines and pictures would be other subjects, or none."""
    with pytest.raises(MalformedIdError):
        await log.append(Decision(entity_id=entity, events=(rejected(entity),), expected=0))
    with pytest.raises(MalformedIdError):
        await log.load("CATALOG", entity, Counted())
    assert await messages(bus, "CATALOG") == 0


async def test_headers_survive_whatever_they_say(log: Log) -> None:
    """Newlines and emoji in a correlation arrive as they were; the client alone would mangle them."""
    story = 'two\r\nlines, "quotes", 100 % and 🎵'
    with caused_by(Cause(causation="ünïcode", correlation=story)):
        await log.append(decision(uploaded("a"), 0))
    (recorded,) = await log.history("CATALOG", "a")
    assert (recorded.causation, recorded.correlation) == ("ünïcode", story)


async def test_a_batch_is_all_or_nothing_while_others_write(log: Log, bus: Bus) -> None:
    """Twenty pairs compete for the same two entities: one pair is kept whole, and of the others nothing."""

    def pair(number: int) -> tuple[Decision, Decision]:
        artist = ArtistAdded(artist_id="artist", name=str(number))  # type: ignore[arg-type]
        return decision(told("track", str(number)), 0), decision(artist, 0)

    results = await asyncio.gather(*(log.append(*pair(number)) for number in range(20)), return_exceptions=True)
    assert sum(isinstance(result, ConflictError) for result in results) == 19
    (track,), (artist,) = await log.history("CATALOG", "track"), await log.history("CATALOG", "artist")
    assert track.event.about == artist.event.name  # type: ignore[attr-defined]
    assert await messages(bus, "CATALOG") == 2


async def test_what_was_poured_before_does_not_vouch_for_its_neighbours(log: Log, bus: Bus) -> None:
    """A batch with a repeated play in it is refused as a whole: the new ones in it are kept all the same."""
    await log.pour(played("old"))
    positions = await log.pour(played("new"), played("newer"), played("old"))
    assert await messages(bus, "LIBRARY") == 3
    assert positions["LIBRARY"] == 3


async def test_one_that_cannot_be_poured_does_not_harm_its_neighbours(log: Log, bus: Bus) -> None:
    """They share a batch, not their fate."""
    results = await asyncio.gather(
        log.pour(played("a")), log.pour(played("*")), log.pour(played("b")), return_exceptions=True
    )
    assert [isinstance(result, MalformedIdError) for result in results] == [False, True, False]
    assert await messages(bus, "LIBRARY") == 2


async def test_one_key_for_several_entities_is_one_decision_each(log: Log) -> None:
    """The same thing may happen to two entities under one key."""

    def describe(states: object) -> dict[str, TrackDescribed]:
        return {"a": told("a", "same"), "b": told("b", "same")}

    await log.transact_together("CATALOG", {"a": Counted(), "b": Counted()}, describe, key="request")
    assert [len(await log.history("CATALOG", entity)) for entity in ("a", "b")] == [1, 1]


async def test_loading_makes_no_consumer_however_many_others_there_are(log: Log, bus: Bus) -> None:
    """Among three thousand other entities it is counting and getting: the server is asked for no consumer."""
    await log.append(decision(uploaded("a"), 0), *(decision(told(f"t{number}", "x"), 0) for number in range(999)))
    for start in (1000, 2000):
        await log.append(*(decision(told(f"t{start + number}", "x"), 0) for number in range(1000)))
    await log.append(decision(rejected("a"), 1))
    before = (await bus.jetstream.stream_info("CATALOG")).state.consumer_count
    asked: list[str] = []

    async def note(message: Msg) -> None:
        asked.append(message.subject)

    watcher = await bus.nats.subscribe("$JS.API.>", cb=note)
    await bus.nats.flush()
    loaded = await log.load("CATALOG", "a", Counted())
    await bus.nats.flush()
    await watcher.unsubscribe()
    assert loaded.state.seen == ("track.uploaded", "track.rejected")
    assert asked == ["$JS.API.STREAM.INFO.CATALOG", *["$JS.API.DIRECT.GET.CATALOG"] * 2]
    assert (await bus.jetstream.stream_info("CATALOG")).state.consumer_count == before


async def test_a_batch_the_server_has_lost_may_be_sent_again(bus: Bus) -> None:
    """Committing a batch whose beginning was lost keeps nothing, and says so with the code we take for passing."""
    from tonetouch_runtime._log import _PASSING

    headers = {"Nats-Batch-Id": "lost", "Nats-Batch-Sequence": "2", "Nats-Batch-Commit": "1"}
    answer = await bus.nats.request("track.uploaded.a", b"{}", 5.0, headers=headers)
    assert msgspec.json.decode(answer.data)["error"]["err_code"] in _PASSING
    assert await messages(bus, "CATALOG") == 0


async def test_a_reader_survives_a_server_that_stays_away(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Killed and away for longer than a reader waits, the server comes back: following goes on where it was."""
    with nats_server(tmp_path_factory.mktemp("away")) as server:
        bus = await Bus.connect(server.url, "test")
        await apply(bus.jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
        log = Log(bus, SystemClock(), service="test", settle_seconds=20.0)
        await log.append(decision(uploaded("a"), 0))
        following = log.follow("CATALOG", "a", after=0)
        assert (await anext(following)).sequence == 1
        server.kill()
        coming = asyncio.ensure_future(anext(following))
        async with asyncio.timeout(20):
            while bus.is_connected:
                await asyncio.sleep(0.01)
        server.restart()
        await log.append(decision(rejected("a"), 1))
        assert (await asyncio.wait_for(coming, 30)).sequence == 2
        await following.aclose()
        await bus.close()
