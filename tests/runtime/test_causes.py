"""Who caused what: an event names the one that led to it, through queues, batches and questions."""

import asyncio
from collections.abc import Sequence

from tests.runtime.installation import provision
from tests.runtime.test_app import uploaded
from tonetouch_contracts.identity import JobId, TrackId
from tonetouch_contracts.track import ShowTrack, TrackRejected, TrackUploaded, TrackView
from tonetouch_contracts.upload import StepStarted
from tonetouch_runtime import App, Decision, Floor, Recorded, Router, Settings, Task, running

TRACKS = ("first", "second")


class Story:
    """Two services of one story: one hears of an upload and queues it; one works on what is queued, and is asked."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.done = asyncio.Event()
        hearing, working = Router(), Router()
        hearing.hears(TrackUploaded, consumer="ingest-starting")(self.hear)
        working.works_batch("INGEST_Q", "embed", consumer="ingest-embed", at_most=25)(self.work)
        working.answers(ShowTrack)(self.show)
        self.hearing = App(name="catalog", routers=(hearing,))
        self.working = App(name="catalog", routers=(working,))

    async def hear(self, fact: Recorded[TrackUploaded], floor: Floor) -> None:
        await floor.enqueue("INGEST_Q", "embed", fact.event.track_id)

    async def work(self, tasks: Sequence[Task], floor: Floor) -> None:
        self.batches.append(len(tasks))
        for task in tasks:
            track = TrackId(task.entity_id)
            with task.in_its_story():
                started = StepStarted(track_id=track, step="embed", attempt=1, job_id=JobId("j"))
                await floor.log.append(Decision(entity_id=track, events=(started,), expected=0))
                await floor.ask(ShowTrack(track_id=track))
        self.done.set()

    async def show(self, command: ShowTrack, floor: Floor) -> TrackView:
        rejected = TrackRejected(track_id=command.track_id, reason="asked")
        await floor.log.append(Decision(entity_id=command.track_id, events=(rejected,), expected=None))
        return TrackView(id=command.track_id, status="rejected", file_name="")


async def queued(floor: Floor, count: int) -> None:
    """Return when the queue holds so many tasks."""
    async with asyncio.timeout(20):
        while (await floor.bus.jetstream.stream_info("INGEST_Q")).state.messages < count:
            await asyncio.sleep(0.01)


async def test_what_was_queued_and_asked_for_is_caused_by_what_was_heard(settings: Settings) -> None:
    """Also where tasks of two stories are worked on together: each event belongs to its own."""
    await provision(settings)
    story = Story()
    async with running(story.hearing, settings) as floor:
        for track in TRACKS:
            await floor.log.append(Decision(entity_id=track, events=(uploaded(track),), expected=0))
        await queued(floor, len(TRACKS))
    async with running(story.working, settings) as floor, asyncio.timeout(20):
        await story.done.wait()
        assert story.batches == [len(TRACKS)]
        for track in TRACKS:
            upload, rejected = await floor.log.history("CATALOG", track)
            [started] = await floor.log.history("INGEST", track)
            assert upload.causation is None
            assert (started.causation, started.correlation) == (upload.id, upload.id)
            assert (rejected.causation, rejected.correlation) == (upload.id, upload.id)
