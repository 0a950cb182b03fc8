"""A track was uploaded: ingest takes it on.

Hears `TrackUploaded`; says `IngestStarted`.
"""

import msgspec

from tonetouch_contracts.track import TrackUploaded
from tonetouch_contracts.upload import IngestStarted
from tonetouch_ingest.upload import Upload
from tonetouch_runtime import Floor, Recorded, Router

router = Router()


@router.hears(TrackUploaded, consumer="ingest-starting")
async def start(fact: Recorded[TrackUploaded], floor: Floor) -> None:
    """Begin the workflow of an upload; hearing of it twice begins it once."""
    started = IngestStarted(**msgspec.structs.asdict(fact.event))

    def decide(upload: Upload) -> tuple[IngestStarted, ...]:
        return () if upload.started else (started,)

    await floor.log.transact("INGEST", fact.event.track_id, Upload(), decide)
