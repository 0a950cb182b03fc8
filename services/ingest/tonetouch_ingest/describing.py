"""Describe the cover: an alternative text for people who do not see it.

Finds `CoverDescribed`, or `StepSkipped` where there is no cover.
"""

from collections.abc import Sequence

from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import CoverDescribed, StepSkipped
from tonetouch_runtime import Floor

from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.listening.cover import MAXIMUM_BYTES
from tonetouch_ingest.staging import image_key


async def describe_cover(attempt: Attempt, floor: Floor) -> Sequence[Event]:
    """Have the picture described, from its pixels and from the names that are known."""
    staged = attempt.staged
    if staged.cover is None:
        return (StepSkipped(track_id=attempt.track_id, step="describe_cover", reason="there is no cover"),)
    image = await floor.objects.get(image_key(staged.cover.sha256), max_bytes=MAXIMUM_BYTES)
    described = await floor.ai.describe_image(
        image,
        {"title": staged.album or staged.title, "by": staged.artist},
        feature=attempt.feature,
        subject=attempt.subject,
        job_id=attempt.job_id,
        attempt=attempt.number,
    )
    return (CoverDescribed(track_id=attempt.track_id, alt=described.text, job_id=described.job_id),)
