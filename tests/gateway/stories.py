"""What happens to an installation that an operator looks at: uploads with their stories, and events that get parked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.gateway.standins import ADMIN, HASH, Installation, Nothing
from tonetouch_contracts.identity import JobId, TrackId
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import TrackUploaded
from tonetouch_contracts.upload import IngestCompleted, IngestStarted, StepStarted
from tonetouch_runtime import Recorded
from tonetouch_runtime._telemetry import Cause, caused_by

Parked = dict[str, Any]


async def get(installed: Installation, path: str, **query: Any) -> Any:
    answer = await installed.client.get(f"/api/v1/operations/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.01)


def uploaded(track: str, file_name: str = "a.mp3") -> TrackUploaded:
    key = f"incoming/{track}"
    return TrackUploaded(
        track_id=TrackId(track), uploaded_by=ADMIN, object_key=key, size_bytes=1, sha256=HASH, file_name=file_name
    )


async def said(
    installed: Installation, service: str, stream: str, event: Event, because: Recorded[Event] | None = None
) -> Recorded[Event]:
    """Append an event as its service would, in the story of the one that caused it."""
    log = installed.floors[service].log
    cause = Cause(causation=because.id, correlation=because.correlation) if because else Cause()
    with caused_by(cause):
        await log.transact(stream, event.entity_id, Nothing(), lambda _: event)
    return (await log.history(stream, event.entity_id))[-1]


async def parked(installed: Installation, track: str) -> list[Parked]:
    """What is parked of a track, the oldest first."""
    found: list[Parked] = (await get(installed, "parked", service="ingest", entity=track))["items"]
    return found


async def park(installed: Installation, track: str) -> Parked:
    """Have ingest park an event of a track that its listener cannot bear."""
    installed.services.listening.broken.add(f"{track}.bad")
    await said(installed, "catalog", "CATALOG", uploaded(track, f"{track}.bad"))

    async def is_parked() -> bool:
        return bool(await parked(installed, track))

    await until(is_parked)
    return (await parked(installed, track))[0]


async def story(installed: Installation, track: str) -> list[Recorded[Event]]:
    """An upload: catalog takes it, ingest begins a step and completes it."""
    first = await said(installed, "catalog", "CATALOG", uploaded(track))
    taken = await said(installed, "ingest", "INGEST", _started(track), first)
    began = StepStarted(track_id=TrackId(track), step="stage", attempt=1, job_id=JobId("j1"))
    step = await said(installed, "ingest", "INGEST", began, taken)
    over = await said(
        installed, "ingest", "INGEST", IngestCompleted(track_id=TrackId(track), outcome="published"), step
    )
    return [first, taken, step, over]


def _started(track: str) -> IngestStarted:
    key = f"incoming/{track}"
    return IngestStarted(
        track_id=TrackId(track), uploaded_by=ADMIN, object_key=key, size_bytes=1, sha256=HASH, file_name="a.mp3"
    )
