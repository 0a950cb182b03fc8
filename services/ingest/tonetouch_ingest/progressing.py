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
    RelationRuled,
    StepFailed,
    StepSkipped,
)
from tonetouch_ingest.shelving import discard
from tonetouch_ingest.upload import Upload
from tonetouch_ingest.workflow import leave_out, ready
from tonetouch_runtime import Floor, Recorded, Router

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
    RelationRuled,
    consumer="ingest-progressing",
)
async def progress(fact: Recorded[Event], floor: Floor) -> None:
    """Queue every step that has become ready. The queue holds a step once, so hearing twice queues once."""
    track_id = fact.event.entity_id
    upload = (await floor.log.load("INGEST", track_id, Upload())).state
    if upload.failed is not None and upload.failed.rejected:
        if upload.completed is None:
            await _reject(upload, upload.failed.reason, floor)
        return
    if leave_out(upload):
        upload = (await floor.log.transact("INGEST", track_id, Upload(), leave_out)).state
    for step in ready(upload):
        await floor.enqueue("INGEST_Q", step, track_id)


async def _reject(upload: Upload, reason: str, floor: Floor) -> None:
    """Tidy up before it is said that this is the end: a killed process does all of it again."""
    await floor.ask(RejectTrack(track_id=upload.track_id, reason=reason))
    await discard(upload, floor, audio=True)

    def complete(now: Upload) -> Sequence[Event]:
        return () if now.completed else (IngestCompleted(track_id=upload.track_id, outcome="rejected"),)

    await floor.log.transact("INGEST", upload.track_id, Upload(), complete)
