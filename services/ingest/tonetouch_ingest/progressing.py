"""Something was found out about an upload: queue what can be done next, and tell catalog of a rejection.

Hears what ends a step on INGEST; says `StepSkipped`, and `IngestCompleted` for a rejected upload.
"""

from collections.abc import Sequence

from tonetouch_contracts.message import Event
from tonetouch_contracts.track import RejectTrack
from tonetouch_contracts.upload import (
    AboutWritten,
    AudioAnalysed,
    AudioCompared,
    AudioFingerprinted,
    AudioStaged,
    CoverDescribed,
    DuplicateDetected,
    EmbeddingDone,
    IngestCompleted,
    IngestFailed,
    IngestRetried,
    IngestStarted,
    StepFailed,
    StepSkipped,
)
from tonetouch_runtime import Floor, Recorded, Router

from tonetouch_ingest.staging import discard
from tonetouch_ingest.upload import Upload
from tonetouch_ingest.workflow import ready, skip_for_duplicate

router = Router()


@router.hears(
    IngestStarted,
    StepFailed,
    StepSkipped,
    AudioStaged,
    AudioFingerprinted,
    DuplicateDetected,
    AudioCompared,
    AudioAnalysed,
    EmbeddingDone,
    CoverDescribed,
    AboutWritten,
    IngestFailed,
    IngestRetried,
    consumer="ingest-progressing",
)
async def progress(fact: Recorded[Event], floor: Floor) -> None:
    """Queue every step that has become ready. The queue holds a step once, so hearing twice queues once."""
    track_id = fact.event.entity_id
    upload = (await floor.log.load("INGEST", track_id, Upload())).state
    if upload.failed is not None and upload.failed.rejected and upload.completed is None:
        await _reject(upload, upload.failed.reason, floor)
        return
    if skip_for_duplicate(upload):
        upload = (await floor.log.transact("INGEST", track_id, Upload(), skip_for_duplicate)).state
    for step in ready(upload):
        await floor.enqueue("INGEST_Q", step, track_id)


async def _reject(upload: Upload, reason: str, floor: Floor) -> None:
    await floor.ask(RejectTrack(track_id=upload.track_id, reason=reason))

    def complete(now: Upload) -> Sequence[Event]:
        return () if now.completed else (IngestCompleted(track_id=upload.track_id, outcome="rejected"),)

    await floor.log.transact("INGEST", upload.track_id, Upload(), complete)
    await discard(upload, floor, audio=True)
