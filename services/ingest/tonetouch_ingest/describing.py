"""Describe the cover: an alternative text for people who do not see it.

Finds `CoverDescribed`. Where there is no cover the step is left out.
"""

from collections.abc import Sequence

from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import CoverDescribed
from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.listening.cover import MAXIMUM_BYTES
from tonetouch_ingest.shelving import picture_key
from tonetouch_runtime import Floor, ObjectMissing, ObjectStoreUnavailable
from tonetouch_runtime.ai.tasks import ImageDescription


async def describe_cover(attempt: Attempt, floor: Floor) -> Sequence[Event]:
    """Have the picture described, from its pixels and from the names that are known."""
    staged = attempt.staged
    image = await _picture_of(attempt, floor)
    facts = (("title", staged.album or staged.title), ("by", staged.artist))
    described = await floor.ai.ask(ImageDescription(image=image, facts=facts), attempt.whose)
    return (CoverDescribed(track_id=attempt.track_id, alt=described.result.text, job_id=described.job_id),)


async def _picture_of(attempt: Attempt, floor: Floor) -> bytes:
    """The accepted cover. Where it cannot be had no model is asked, and the attempt has its row all the same."""
    key = picture_key(attempt.track_id)
    try:
        return await floor.objects.get(key, max_bytes=MAXIMUM_BYTES)
    except (ObjectMissing, ObjectStoreUnavailable) as lost:
        async with floor.ai.step(
            type="image_description",
            feature=attempt.feature,
            subject=attempt.subject,
            model="none",
            input_hash=attempt.staged.cover.sha256 if attempt.staged.cover else "",
            job_id=attempt.job_id,
            attempt=attempt.number,
        ):
            raise lost
        raise  # for the type checker: a block like this may swallow, this one does not
