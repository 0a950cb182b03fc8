"""Appending and loading, on a real server."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.servers import NatsServer
from tonetouch_contracts import manifest
from tonetouch_contracts.identity import ContentHash, PlayId, TrackId, UserId
from tonetouch_contracts.message import Event
from tonetouch_contracts.play import PlayRecorded
from tonetouch_contracts.track import ArtistAdded, TrackDescribed, TrackRejected, TrackUploaded
from tonetouch_runtime import Bus, ConflictError, Decision, Log, Refused, SystemClock, Unavailable
from tonetouch_runtime.provisioning import apply


class Counted(msgspec.Struct, frozen=True):
    """A noun that remembers the wire names it saw."""

    seen: tuple[str, ...] = ()

    def evolve(self, event: Event) -> "Counted":
        return Counted(seen=(*self.seen, event.wire_name()))


def uploaded(track: str) -> TrackUploaded:
    return TrackUploaded(
        track_id=TrackId(track),
        uploaded_by=UserId("admin"),
        object_key=f"incoming/{track}",
        size_bytes=1,
        sha256=ContentHash("0" * 64),
        file_name="Ærø – 夜.mp3",
    )


def rejected(track: str, reason: str = "no") -> TrackRejected:
    return TrackRejected(track_id=TrackId(track), reason=reason)


def decision(event: Event, expected: int | None) -> Decision:
    return Decision(entity_id=event.entity_id, events=(event,), expected=expected)


@pytest.fixture(name="bus")
async def _bus(fresh_nats_url: str) -> AsyncIterator[Bus]:
    bus = await Bus.connect(fresh_nats_url, "test")
    await apply(bus.jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
    yield bus
    await bus.close()


@pytest.fixture(name="log")
def _log(bus: Bus) -> Log:
    return Log(bus, SystemClock(), service="test", settle_seconds=20.0)


async def test_what_was_appended_is_loaded_in_order(log: Log) -> None:
    """An entity's state is the fold of its events, and its version the sequence of the last."""
    await log.append(decision(uploaded("a"), 0))
    positions = await log.append(decision(rejected("a"), 1))
    loaded = await log.load("CATALOG", "a", Counted())
    assert loaded.state.seen == ("track.uploaded", "track.rejected")
    assert {"CATALOG": loaded.version} == positions


async def test_text_of_any_language_survives_the_way(log: Log) -> None:
    """Bodies are JSON in UTF-8; nothing of a name is lost."""
    await log.append(decision(uploaded("a"), 0))
    (recorded,) = await log.history("CATALOG", "a")
    assert recorded.event == uploaded("a")


async def test_an_entity_nobody_heard_of_is_empty(log: Log) -> None:
    """Loading it costs one question and finds version 0."""
    loaded = await log.load("CATALOG", "nobody", Counted())
    assert (loaded.version, loaded.state) == (0, Counted())


async def test_a_second_writer_with_an_old_version_is_refused(log: Log) -> None:
    """Two who saw the entity empty cannot both write, whatever the noun of their events."""
    await log.append(decision(uploaded("a"), 0))
    with pytest.raises(ConflictError):
        await log.append(decision(rejected("a"), 0))
    assert len(await log.history("CATALOG", "a")) == 1


async def test_of_many_at_once_exactly_one_wins(log: Log) -> None:
    """Fifty writers that expect an empty entity: one event, forty-nine conflicts."""
    results = await asyncio.gather(
        *(log.append(decision(rejected("a", str(n)), 0)) for n in range(50)), return_exceptions=True
    )
    assert sum(isinstance(result, ConflictError) for result in results) == 49
    assert len(await log.history("CATALOG", "a")) == 1


async def test_several_entities_are_written_together_or_not_at_all(log: Log) -> None:
    """One stale entity keeps the others of its append out."""
    await log.append(decision(uploaded("a"), 0))
    artist = ArtistAdded(artist_id="artist", name="Somebody")  # type: ignore[arg-type]
    with pytest.raises(ConflictError):
        await log.append(decision(artist, 0), decision(rejected("a"), 0))
    assert await log.history("CATALOG", "artist") == []
    await log.append(decision(artist, 0), decision(rejected("a"), 1))
    assert len(await log.history("CATALOG", "artist")) == 1


async def test_an_entity_is_decided_once_in_an_append(log: Log) -> None:
    """The server would let two decisions on one entity through in a batch: we do not."""
    with pytest.raises(ValueError, match="one decision"):
        await log.append(decision(uploaded("a"), 0), decision(rejected("a"), 0))


async def test_an_append_belongs_to_one_stream(log: Log) -> None:
    """Atomicity ends at the stream, so a decision across two is a mistake in the program."""
    play = PlayRecorded(
        play_id=PlayId("p"), user_id=UserId("u"), track_id=TrackId("a"), heard_seconds=1, duration_seconds=2, at=""
    )
    with pytest.raises(ValueError, match="one stream"):
        await log.append(decision(uploaded("a"), 0), decision(play, 0))


async def test_an_append_whose_answer_was_lost_is_not_made_twice(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome is unknown to the writer: the log is asked, finds the event, and the append is committed."""
    original = log._bus.nats.request
    lost: list[str] = []

    async def request(subject: str, *args: object, **kwargs: object) -> object:
        answer = await original(subject, *args, **kwargs)  # type: ignore[arg-type]
        if subject.startswith("track.uploaded") and not lost:
            lost.append(subject)
            raise TimeoutError
        return answer

    monkeypatch.setattr(log._bus.nats, "request", request)
    positions = await log.append(decision(uploaded("a"), 0))
    assert lost
    assert positions == {"CATALOG": 1}
    assert len(await log.history("CATALOG", "a")) == 1


async def test_a_lost_request_is_sent_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log does not have the event and the entity is unchanged: the same append goes out once more."""
    original = log._bus.nats.request
    lost: list[str] = []

    async def request(subject: str, *args: object, **kwargs: object) -> object:
        if subject.startswith("track.uploaded") and not lost:
            lost.append(subject)
            raise TimeoutError
        return await original(subject, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(log._bus.nats, "request", request)
    assert await log.append(decision(uploaded("a"), 0)) == {"CATALOG": 1}


async def test_transact_decides_again_after_a_conflict(log: Log) -> None:
    """Ten at once on one entity all get their turn, one after the other, each seeing the ones before."""

    def describe(state: Counted) -> Event:
        return TrackDescribed(track_id=TrackId("a"), about=str(len(state.seen)), job_id="j")

    await asyncio.gather(*(log.transact("CATALOG", "a", Counted(), describe) for _ in range(6)))
    told = [recorded.event.about for recorded in await log.history("CATALOG", "a")]  # type: ignore[attr-defined]
    assert told == ["0", "1", "2", "3", "4", "5"]


async def test_a_refusal_appends_nothing(log: Log) -> None:
    """What a decision raises reaches the caller."""

    def refuse(_: Counted) -> Event:
        raise Refused("conflict", "no")

    with pytest.raises(Refused):
        await log.transact("CATALOG", "a", Counted(), refuse)
    assert await log.history("CATALOG", "a") == []


async def test_nothing_to_do_answers_with_where_the_entity_stands(log: Log) -> None:
    """Asking again returns the position of what was done before, so that the asker can wait to see it."""
    await log.append(decision(uploaded("a"), 0))
    outcome = await log.transact("CATALOG", "a", Counted(), lambda _: ())
    assert (outcome.events, outcome.positions) == ((), {"CATALOG": 1})


async def test_what_is_poured_twice_is_there_once(log: Log) -> None:
    """Plays and jobs are group-committed; a repeated one neither doubles nor harms its neighbours."""
    plays = [
        PlayRecorded(
            play_id=PlayId(f"p{n}"),
            user_id=UserId("u"),
            track_id=TrackId("a"),
            heard_seconds=n,
            duration_seconds=2,
            at="",
        )
        for n in range(300)
    ]
    await asyncio.gather(*(log.pour(play) for play in plays))
    await asyncio.gather(*(log.pour(play) for play in [*plays[:3], *plays[:1]]))
    info = await log._bus.jetstream.stream_info("LIBRARY")
    assert info.state.messages == 300


async def test_following_an_entity_shows_what_was_and_what_comes(log: Log) -> None:
    """A follower that left resumes after the last sequence it saw."""
    await log.append(decision(uploaded("a"), 0))
    seen = []
    async for recorded in log.follow("CATALOG", "a", after=0):
        seen.append(recorded.sequence)
        if len(seen) == 1:
            await log.append(decision(rejected("a"), 1))
        if len(seen) == 2:
            break
    assert seen == [1, 2]


async def test_appending_survives_the_server_being_killed(nats_server: NatsServer, log: Log, bus: Bus) -> None:
    """Killed in between, the server comes back with every acknowledged event, and the writer goes on by itself."""
    await log.append(decision(uploaded("a"), 0))
    nats_server.kill()
    appending = asyncio.create_task(log.append(decision(rejected("a"), 1)))
    await asyncio.sleep(0)
    nats_server.restart()
    assert await asyncio.wait_for(appending, 20) == {"CATALOG": 2}
    assert len(await log.history("CATALOG", "a")) == 2


async def test_a_log_that_stays_away_says_that_the_outcome_is_unknown(bus: Bus) -> None:
    """No answer within the bound is neither a yes nor a no."""
    log = Log(bus, SystemClock(), service="test", settle_seconds=0.2, stream_name=lambda _: "NOWHERE")
    with pytest.raises(Unavailable):
        await log.history("NOWHERE", "a")
