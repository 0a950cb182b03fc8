"""A person has said what a track is to another: it outweighs what was found by sound.

Hears `TrackRelated`; says `RelationRuled`. A duplicate that is none goes on through the workflow from where it stopped.
"""

from functools import partial

from tonetouch_contracts.track import TrackRelated
from tonetouch_ingest.upload import Upload
from tonetouch_ingest.workflow import rule
from tonetouch_runtime import Floor, NotNow, Recorded, Router

router = Router()

AGAIN_SECONDS = 1.0


@router.hears(TrackRelated, consumer="ingest-ruling")
async def hear_ruling(fact: Recorded[TrackRelated], floor: Floor) -> None:
    """Take it in once the upload has come to an end, good or bad: an attempt that still runs would undo it."""
    upload = (await floor.log.load("INGEST", fact.event.track_id, Upload())).state
    if upload.started is not None and not upload.is_over:
        raise NotNow(AGAIN_SECONDS, f"the upload {fact.event.track_id} has not come to its end")
    await floor.log.transact("INGEST", fact.event.track_id, Upload(), partial(rule, said=fact.event))
