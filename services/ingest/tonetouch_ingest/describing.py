"""Describe the cover: an alternative text for people who do not see it.

Finds `CoverDescribed`. Where there is no cover the step is left out.
"""

from collections.abc import Sequence

from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import CoverDescribed
from tonetouch_runtime import Floor

from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.listening.cover import MAXIMUM_BYTES
from tonetouch_ingest.shelving import picture_key


async def describe_cover(attempt: Attempt, floor: Floor) -> Sequence[Event]:
    """Have the picture described, from its pixels and from the names that are known."""
    staged = attempt.staged
    image = await floor.objects.get(picture_key(attempt.track_id), max_bytes=MAXIMUM_BYTES)
    described = await floor.ai.describe_image(
        image,
        {"title": staged.album or staged.title, "by": staged.artist},
        feature=attempt.feature,
        subject=attempt.subject,
        job_id=attempt.job_id,
        attempt=attempt.number,
    )
    return (CoverDescribed(track_id=attempt.track_id, alt=described.text, job_id=described.job_id),)
