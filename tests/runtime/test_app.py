"""A small service, run whole: it answers, hears, works and keeps on real servers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select
from sqlmodel import Field, SQLModel

from tests.runtime.installation import provision
from tonetouch_contracts.identity import ContentHash, PlayId, TrackId, UserId
from tonetouch_contracts.message import Event, Positions
from tonetouch_contracts.play import PlayRecorded, PlayTaken, RecordPlay
from tonetouch_contracts.track import ShowTrack, TrackDescribed, TrackRejected, TrackUploaded, TrackView
from tonetouch_runtime import (
    Answered,
    App,
    Floor,
    NotNow,
    Recorded,
    Refused,
    Router,
    Settings,
    Task,
    Unavailable,
    Writer,
    running,
)


class HeardRow(SQLModel, table=True):
    """What the service has read of CATALOG."""

    __tablename__ = "test_heard"
    id: str = Field(primary_key=True)
    uploads: int | None = None
    about: str | None = None


class Nothing(msgspec.Struct, frozen=True):
    """A noun without rules."""

    def evolve(self, event: Event) -> "Nothing":
        return self


def uploaded(track: str) -> TrackUploaded:
    return TrackUploaded(
        track_id=TrackId(track),
        uploaded_by=UserId("admin"),
        object_key=f"incoming/{track}",
        size_bytes=1,
        sha256=ContentHash("0" * 64),
        file_name="a.mp3",
    )


class Service:
    """The service under test, and what it lived through."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.worked: list[str] = []
        self.fail_hearing: Callable[[str], Exception | None] = lambda _: None
        self.fail_working: Callable[[Task], Exception | None] = lambda _: None
        self.router = Router()
        self.router.answers(ShowTrack)(self.show)
        self.router.answers(RecordPlay)(self.record)
        self.router.hears(TrackUploaded, consumer="ingest-starting")(self.hear)
        self.router.works("INGEST_Q", "stage", consumer="ingest-stage", parallel=2)(self.work)
        self.router.keeps(HeardRow, hears=(TrackUploaded, TrackDescribed))(self.keep)
        self.app = App(name="catalog", routers=(self.router,))

    async def show(self, command: ShowTrack, floor: Floor) -> TrackView:
        table = floor.tables.live(HeardRow)
        row = await floor.tables.one(select(table).where(table.c.id == command.track_id))
        if row is None:
            raise Refused("not_found", f"There is no track {command.track_id}.")
        return TrackView(id=command.track_id, status="uploaded", file_name="a.mp3", about=row["about"])

    async def record(self, command: RecordPlay, floor: Floor) -> Answered[PlayTaken]:
        if command.heard_seconds > 100:
            raise RuntimeError("a bug")
        play = PlayRecorded(
            play_id=command.play_id,
            user_id=command.user_id,
            track_id=command.track_id,
            heard_seconds=command.heard_seconds,
            duration_seconds=None,
            at="",
        )
        return Answered(value=PlayTaken(play_id=command.play_id), positions=await floor.log.pour(play))

    async def hear(self, fact: Recorded[TrackUploaded], floor: Floor) -> None:
        if error := self.fail_hearing(fact.event.file_name):
            raise error
        self.heard.append((fact.event.track_id, fact.event.file_name))

    async def work(self, task: Task, floor: Floor) -> None:
        if error := self.fail_working(task):
            raise error
        self.worked.append(task.entity_id)

    def keep(self, facts: Sequence[Recorded[Any]], rows: Writer) -> None:
        for fact in facts:
            if isinstance(fact.event, TrackUploaded):
                rows.upsert([{"id": fact.event.track_id, "uploads": fact.sequence}])
            elif fact.event.about == "unbearable":
                raise ValueError("this event breaks the projection")
            else:
                rows.upsert([{"id": fact.event.track_id, "about": fact.event.about}])


@pytest.fixture(name="service")
def _service() -> Service:
    return Service()


@pytest.fixture(name="floor")
async def _floor(service: Service, settings: Settings) -> AsyncIterator[Floor]:
    await provision(settings)
    async with running(service.app, settings) as floor:
        yield floor


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition, within a bound."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def upload(floor: Floor, track: str, name: str = "a.mp3") -> Positions:
    event = msgspec.structs.replace(uploaded(track), file_name=name)
    return (await floor.log.transact("CATALOG", track, Nothing(), lambda _: event)).positions


async def test_a_reader_sees_what_it_just_wrote(floor: Floor) -> None:
    """With the positions of the write, the read waits until its table shows them."""
    for number in range(20):
        positions = await upload(floor, f"t{number}")
        answer = await floor.ask(ShowTrack(track_id=TrackId(f"t{number}")), after=positions)
        assert answer.value.id == f"t{number}"


async def test_a_position_that_does_not_come_is_answered_not_yet(floor: Floor) -> None:
    """The wait is bounded, and the answer says so."""
    floor.settings.position_wait_seconds = 0.2
    with pytest.raises(Refused) as refused:
        await floor.ask(ShowTrack(track_id=TrackId("t")), after={"CATALOG": 1000})
    assert refused.value.problem.code == "not_yet"


async def test_there_is_always_an_answer(floor: Floor) -> None:
    """A refusal, a bug in the handler and a missing service each reach the one who asked."""
    with pytest.raises(Refused) as unknown:
        await floor.ask(ShowTrack(track_id=TrackId("nobody")))
    assert unknown.value.problem.code == "not_found"
    play = RecordPlay(play_id=PlayId("p"), user_id=UserId("u"), track_id=TrackId("t"), heard_seconds=1e9)
    with pytest.raises(Refused) as broken:
        await floor.ask(play)
    assert broken.value.problem.code == "internal"
    with pytest.raises(Unavailable):
        await floor.bus.ask(ShowTrack(track_id=TrackId("t")), service="nobody")


async def test_a_request_without_a_responder_is_no_fact(floor: Floor) -> None:
    """Commands live beside the streams' subjects: a mistyped one is stored nowhere."""
    before = {name: (await floor.bus.jetstream.stream_info(name)).state.messages for name in ("CATALOG", "INGEST")}
    with pytest.raises(Unavailable):
        await floor.bus.ask(ShowTrack(track_id=TrackId("t")), service="misspelt")
    after = {name: (await floor.bus.jetstream.stream_info(name)).state.messages for name in ("CATALOG", "INGEST")}
    assert before == after


async def test_events_of_one_entity_are_heard_in_order_through_failures(service: Service, floor: Floor) -> None:
    """While its first event is being retried an entity's later ones wait; other entities do not."""
    failures = iter([RuntimeError("once"), RuntimeError("twice")])
    service.fail_hearing = lambda name: next(failures, None) if name == "first" else None
    for name in ("first", "second", "third"):
        await upload(floor, "a", name)
    await upload(floor, "b", "other")
    await until(lambda: len(service.heard) == 4)
    assert [name for entity, name in service.heard if entity == "a"] == ["first", "second", "third"]
    assert service.heard[0] == ("b", "other")


async def test_not_now_is_not_a_failure(service: Service, floor: Floor) -> None:
    """What is only early is tried again more often than a failure would be."""
    early = iter([NotNow(0.01)] * 20)
    service.fail_hearing = lambda _: next(early, None)
    await upload(floor, "a")
    await until(lambda: service.heard == [("a", "a.mp3")])


async def test_an_event_that_always_fails_parks_its_entity_only(
    service: Service, floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the parking table, later events of its entity wait behind it there, and others are heard."""
    monkeypatch.setattr("tonetouch_runtime._hearing.FIRST_DELAY_SECONDS", 0.001)
    service.fail_hearing = lambda name: RuntimeError("always") if name == "bad" else None
    await upload(floor, "a", "bad")
    await upload(floor, "a", "behind")
    await upload(floor, "b", "fine")
    await until(lambda: parked(floor) == [("a", "RuntimeError('always')"), ("a", None)])
    assert service.heard == [("b", "fine")]


async def test_what_cannot_be_decoded_is_parked_too(floor: Floor) -> None:
    """A message that is no event of ours does not stop the stream."""
    await floor.bus.jetstream.publish("track.uploaded.broken", b"not json", headers={})
    await upload(floor, "b")
    await until(lambda: {entity for entity, _ in parked(floor)} == {"broken"})
    assert (await floor.ask(ShowTrack(track_id=TrackId("b")), after={"CATALOG": 2})).value.id == "b"


async def test_a_projection_that_breaks_on_an_event_goes_on_with_the_others(floor: Floor) -> None:
    """The broken entity keeps the row it had; everybody else's moves on."""
    await upload(floor, "a")
    await upload(floor, "b")
    for track, about in (("a", "unbearable"), ("a", "later"), ("b", "fine")):
        described = TrackDescribed(track_id=TrackId(track), about=about, job_id="j")
        positions = (
            await floor.log.transact("CATALOG", track, Nothing(), lambda _, said=described: said)  # type: ignore[misc]
        ).positions
    assert (await floor.ask(ShowTrack(track_id=TrackId("b")), after=positions)).value.about == "fine"
    assert (await floor.ask(ShowTrack(track_id=TrackId("a")))).value.about is None
    assert len(parked(floor)) == 2


async def test_queued_work_is_done_once_it_succeeds(service: Service, floor: Floor) -> None:
    """Queued twice while it waits, it is there once; failing, it comes back."""
    failures = iter([RuntimeError("once")])
    service.fail_working = lambda _: next(failures, None)
    assert await floor.enqueue("INGEST_Q", "stage", "a")
    await until(lambda: service.worked == ["a"])
    await until_empty(floor, "INGEST_Q")


async def test_a_step_is_queued_at_most_once(service: Service, floor: Floor) -> None:
    """The queue itself holds one message per step and entity."""
    assert await floor.enqueue("INGEST_Q", "publish", "a")
    assert not await floor.enqueue("INGEST_Q", "publish", "a")


async def test_dropping_the_read_tables_and_starting_again_gives_the_same_rows(
    service: Service, settings: Settings
) -> None:
    """A rebuild is the same as living through the events, and a restart goes on where it stopped."""
    await provision(settings)
    async with running(service.app, settings) as floor:
        for number in range(30):
            positions = await upload(floor, f"t{number}")
        await floor.seen(positions)
        lived = await rows(floor)
    async with running(service.app, settings) as floor:
        assert await rows(floor) == lived
    for file in (settings.data / "tables" / "catalog").glob("read.db*"):
        file.unlink()
    async with running(service.app, settings) as floor:
        await floor.seen(positions, 20.0)
        assert await rows(floor) == lived


async def test_health_says_what_is_wrong(floor: Floor) -> None:
    """A consumer deleted behind the service's back is seen within a few seconds."""
    from tonetouch_contracts.message import ShowHealth

    assert (await floor.bus.ask(ShowHealth(), service="catalog")).value.ready
    await floor.bus.jetstream.delete_consumer("CATALOG", "ingest-starting")
    async with asyncio.timeout(20):
        while (health := (await floor.bus.ask(ShowHealth(), service="catalog")).value).ready:
            await asyncio.sleep(0.1)
    assert "ingest-starting" in health.checks


def parked(floor: Floor) -> list[tuple[str, str | None]]:
    from tonetouch_runtime._tables import parked as table

    with floor.state.engine.connect() as connection:
        found = connection.execute(select(table.c.entity_id, table.c.error).order_by(table.c.sequence))
        return list(dict.fromkeys((row.entity_id, row.error) for row in found))


async def rows(floor: Floor) -> list[dict[str, Any]]:
    table = floor.tables.live(HeardRow)
    return [dict(row) for row in await floor.tables.all(select(table).order_by(table.c.id))]


async def until_empty(floor: Floor, queue: str) -> None:
    async with asyncio.timeout(20):
        while (await floor.bus.jetstream.stream_info(queue)).state.messages:
            await asyncio.sleep(0.02)


async def test_the_table_has_a_row_for_every_upload(floor: Floor) -> None:
    """Nothing is counted twice and nothing is missing after a burst."""
    await asyncio.gather(*(upload(floor, f"t{number}") for number in range(100)))
    table = floor.tables.live(HeardRow)
    await floor.seen({"CATALOG": 100})
    count = await floor.tables.one(select(func.count().label("n")).select_from(table))
    assert count is not None
    assert count["n"] == 100


async def test_rejection_is_a_fact_nobody_here_keeps(floor: Floor) -> None:
    """Events a service does not know move its position all the same."""
    said = TrackRejected(track_id=TrackId("a"), reason="no")
    positions = (await floor.log.transact("CATALOG", "a", Nothing(), lambda _: said)).positions
    await floor.seen(positions)
