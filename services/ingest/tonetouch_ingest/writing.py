"""Write about: 'About this track', from the facts of this upload and nothing else.

Finds `AboutWritten`; catalog is told. Publishing does not wait for it.
"""

from collections.abc import Sequence

import msgspec

from tonetouch_contracts.message import Event
from tonetouch_contracts.track import DescribeTrack
from tonetouch_contracts.upload import AboutWritten, StepSkipped
from tonetouch_ingest.about import PROMPT, TEMPLATE, facts_of
from tonetouch_ingest.attempt import Attempt
from tonetouch_runtime import Floor
from tonetouch_runtime.ai.tasks import Chat


async def write_about(attempt: Attempt, floor: Floor) -> Sequence[Event]:
    """Have the text written, and give it to catalog."""
    analysed = attempt.upload.analysed
    assert analysed is not None, "write_about waits for analyse"
    request = Chat(messages=(), facts=tuple(facts_of(attempt.staged, analysed)), template=TEMPLATE)
    written = await floor.ai.ask(request, msgspec.structs.replace(attempt.whose, prompt=PROMPT))
    if not written.result.text:
        return (StepSkipped(track_id=attempt.track_id, step="write_about", reason="too little is known to write of"),)
    await floor.ask(DescribeTrack(track_id=attempt.track_id, about=written.result.text, job_id=written.job_id))
    return (AboutWritten(track_id=attempt.track_id, about=written.result.text, job_id=written.job_id),)
