"""Write about: what 'About this track' is to be written from is said on the bus, and agents writes it.

Works on INGEST_Q; says `StepStarted` and `AboutWanted` in one decision, and is done: from there on the log holds what
is missing. Hears `CopyWritten`, `CopySkipped` and `CopyFailed`; tells catalog, and says `AboutWritten`, `StepSkipped`
or `StepFailed`. The step runs meanwhile; publishing does not wait for it.
"""

from collections.abc import Sequence
from functools import partial

from tonetouch_contracts.copy import CopyFailed, CopySkipped, CopyWritten
from tonetouch_contracts.identity import JobId, TrackId, derived
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import DescribeTrack
from tonetouch_contracts.upload import AboutWanted, AboutWritten, StepSkipped
from tonetouch_ingest.about import known_of
from tonetouch_ingest.upload import Upload
from tonetouch_ingest.workflow import ATTEMPTS_WHILE_AWAY, begin, delay_after, end, fail
from tonetouch_runtime import Floor, NotNow, Recorded, Refused, Router, Task, Unavailable

router = Router()

AGAIN_SECONDS = 2.0
"""When to ask catalog again that is away: the text is there, and waits in the log."""

Answer = CopyWritten | CopySkipped | CopyFailed


@router.works("INGEST_Q", "write_about", consumer="ingest-write-about", parallel=2)
async def write_about(task: Task, floor: Floor) -> None:
    """Say what is wanted. After a failure that is put off by a while, once: the task is delivered again."""
    track_id = TrackId(task.entity_id)
    upload = (await floor.log.load("INGEST", track_id, Upload())).state
    tries = upload.steps["write_about"].tries
    if tries and task.deliveries == 1 and upload.steps["write_about"].state == "failed":
        raise NotNow(delay_after(tries))
    await floor.log.transact("INGEST", track_id, Upload(), partial(want, track_id=track_id))


@router.hears(CopyWritten, CopySkipped, CopyFailed, consumer="ingest-writing")
async def hear_of_copy(fact: Recorded[Answer], floor: Floor) -> None:
    """A text about a track, or none: catalog is told of every new one, and the step that waits for it ends."""
    answer = fact.event
    if answer.kind != "about_track":
        return
    track_id = TrackId(answer.subject.removeprefix("track:"))
    if isinstance(answer, CopyWritten) and (refusal := await _tell(track_id, answer, floor)):
        await _fail(track_id, answer, refusal, attempts=1, floor=floor)
    elif isinstance(answer, CopyFailed):
        attempts = ATTEMPTS_WHILE_AWAY if answer.may_pass else 1
        await _fail(track_id, answer, answer.reason, attempts=attempts, floor=floor)
    else:
        await floor.log.transact("INGEST", track_id, Upload(), partial(answered, answer=answer))


def want(upload: Upload, track_id: TrackId) -> Sequence[Event]:
    """Begin the next attempt and say what it needs, unless the one before is still on its way."""
    step, wanted = upload.steps["write_about"], upload.wanted
    if step.state == "running" and wanted is not None and wanted.attempt == step.attempts:
        return ()
    job_id = JobId(derived("job", track_id, "write_about"))
    begun = begin(upload, "write_about", job_id)
    if not begun:
        return ()
    assert upload.staged is not None and upload.analysed is not None, "write_about waits for analyse"
    attempt = begun[0].attempt
    said = AboutWanted(
        track_id=track_id,
        ask_id=derived("ask", track_id, str(attempt)),
        job_id=job_id,
        attempt=attempt,
        known=known_of(upload.staged, upload.analysed),
        lyrics=upload.staged.lyrics,
    )
    return (*begun, said)


def answered(upload: Upload, answer: CopyWritten | CopySkipped) -> Sequence[Event]:
    """End the step that waits for this text. A text that is written again later ends nothing."""
    if upload.wanted is None:
        return ()
    if isinstance(answer, CopySkipped):
        skipped = StepSkipped(track_id=upload.track_id, step="write_about", reason=answer.reason)
        return end(upload, "write_about", (skipped,)) if _waits_for(upload, answer) else ()
    written = AboutWritten(track_id=upload.track_id, about=answer.text, job_id=answer.written_by)
    return end(upload, "write_about", (written,))


def _waits_for(upload: Upload, answer: Answer) -> bool:
    """Whether this is the answer to what is wanted now, and not to an attempt before or to somebody else."""
    return upload.wanted is not None and upload.wanted.ask_id == answer.ask_id


async def _tell(track_id: TrackId, written: CopyWritten, floor: Floor) -> str | None:
    """Tell catalog, or say why it will not have it. Raises NotNow while it is away."""
    try:
        await floor.ask(DescribeTrack(track_id=track_id, about=written.text, job_id=written.written_by))
    except Unavailable as away:
        raise NotNow(AGAIN_SECONDS) from away
    except Refused as refused:
        if refused.problem.code in ("unavailable", "not_yet"):
            raise NotNow(AGAIN_SECONDS) from refused
        return str(refused)
    return None


async def _fail(track_id: TrackId, answer: Answer, reason: str, *, attempts: int, floor: Floor) -> None:
    """Note that the attempt failed, and queue the next one where there is one."""

    def decide(upload: Upload) -> Sequence[Event]:
        is_running = upload.steps["write_about"].state == "running" and _waits_for(upload, answer)
        return fail(upload, "write_about", reason, rejected=False, attempts=attempts) if is_running else ()

    upload = (await floor.log.transact("INGEST", track_id, Upload(), decide)).state
    step = upload.steps["write_about"]
    if step.state != "failed" or step.tries >= attempts or upload.failed is not None or not _waits_for(upload, answer):
        return
    if not await floor.enqueue("INGEST_Q", "write_about", track_id):
        # It may be the task of the attempt that has just failed, and go any moment: then this one would be lost.
        raise NotNow(delay_after(1))
