"""The ingest workflow, in one table.

==============  ==========================  ===========================================  ======================
step            waits for                   does                                         says
==============  ==========================  ===========================================  ======================
stage                                       verify, hash, copy, read tags                ``audio.staged``
fingerprint     stage                       Chromaprint and its vector                   ``audio.fingerprinted``
dedupe          fingerprint                 same bytes? same sound?                      ``duplicate.detected``
                                                                                         or ``audio.compared``
analyse         stage                       tempo, key, loudness, energy, mood           ``audio.analysed``
embed           analyse, dedupe             vectors of description and lyrics            ``embedding.done``
describe_cover  dedupe                      alternative text for the cover               ``cover.described``
write_about     analyse, dedupe             have 'About this track' written              ``about.written``
publish         all of these but            tell catalog what became of it               ``ingest.completed``
                write_about
==============  ==========================  ===========================================  ======================

Steps that do not wait for each other run side by side. Every step is queued on ``INGEST_Q`` when what it waits for is
settled. A duplicate skips what would only be thrown away, a track without a cover its description; when the file turns
out to be at fault, every step that has not ended is skipped. Where a person says that a duplicate is none, what it had
skipped is done, and it is published.
"""

from collections.abc import Sequence

from tonetouch_contracts.message import Event
from tonetouch_contracts.track import TrackRelated
from tonetouch_contracts.upload import (
    IngestFailed,
    IngestRetried,
    RelationRuled,
    StepFailed,
    StepName,
    StepSkipped,
    StepStarted,
)
from tonetouch_ingest.upload import STEPS, Upload
from tonetouch_runtime import Refused

WAITS_FOR: dict[StepName, tuple[StepName, ...]] = {
    "stage": (),
    "fingerprint": ("stage",),
    "dedupe": ("fingerprint",),
    "analyse": ("stage",),
    "embed": ("analyse", "dedupe"),
    "describe_cover": ("dedupe",),
    "write_about": ("analyse", "dedupe"),
    "publish": ("stage", "fingerprint", "dedupe", "analyse", "embed", "describe_cover"),
}

SKIPPED_FOR_A_DUPLICATE: tuple[StepName, ...] = ("embed", "describe_cover", "write_about")

ATTEMPTS = 10
"""How often a step is tried before an operator has to ask: with growing delays, about three minutes."""

ATTEMPTS_WHILE_AWAY = 60
"""The same for a service or store that does not answer: it comes back by itself. About an hour."""

ATTEMPTS_OF_A_CRASH = 3
"""A file that kills its worker will most likely do it again."""

LONGEST_DELAY_SECONDS = 60.0


def delay_after(tries: int) -> float:
    """Seconds from a failed try to the next one: doubling, bounded."""
    return float(min(0.5 * 2.0 ** (tries - 1), LONGEST_DELAY_SECONDS))


def ready(upload: Upload) -> list[StepName]:
    """The steps to queue now: what they wait for is settled, and nobody has begun them."""
    if upload.started is None or upload.failed is not None:
        return []
    return [
        step
        for step in STEPS
        if upload.steps[step].state == "waiting" and all(upload.is_settled(needed) for needed in WAITS_FOR[step])
    ]


def leave_out(upload: Upload) -> Sequence[Event]:
    """The steps there is nothing to do in, of those nobody has begun."""
    reasons: dict[StepName, str] = {}
    if upload.staged is not None and upload.staged.cover is None:
        reasons["describe_cover"] = "there is no cover"
    if upload.duplicate is not None:
        reasons |= dict.fromkeys(SKIPPED_FOR_A_DUPLICATE, "it is a duplicate")
    return [
        StepSkipped(track_id=upload.track_id, step=step, reason=reason)
        for step, reason in reasons.items()
        if upload.steps[step].state == "waiting"
    ]


def rule(upload: Upload, said: TrackRelated) -> Sequence[RelationRuled]:
    """Take in what a person said. A duplicate that is none goes on from where it was stopped."""
    reopens: tuple[StepName, ...] = ()
    if said.relation != "duplicate" and upload.duplicate is not None:
        left_out = [step for step in SKIPPED_FOR_A_DUPLICATE if upload.steps[step].state == "skipped"]
        reopens = (*left_out, "publish")
    ruled = RelationRuled(track_id=said.track_id, of=said.of, relation=said.relation, reopens=reopens)
    before = upload.ruled
    is_known = before is not None and (before.of, before.relation, reopens) == (ruled.of, ruled.relation, ())
    return () if is_known else (ruled,)


def begin(upload: Upload, step: StepName, job_id: str) -> Sequence[StepStarted]:
    """Begin the next attempt at a step, unless there is nothing left to do in it."""
    if upload.started is None or upload.failed is not None or upload.is_settled(step):
        return ()
    attempt = upload.steps[step].attempts + 1
    return (StepStarted(track_id=upload.track_id, step=step, attempt=attempt, job_id=job_id),)  # type: ignore[arg-type]


def end(upload: Upload, step: StepName, found: Sequence[Event]) -> Sequence[Event]:
    """End a step with what it found, unless another worker has ended it before."""
    return () if upload.is_settled(step) else found


def fail(upload: Upload, step: StepName, error: str, *, rejected: bool, attempts: int = ATTEMPTS) -> Sequence[Event]:
    """Note that an attempt failed; give the upload up if it was rejected or there were enough attempts.

    Where another step has given up already, nobody goes on with this one before somebody asks for a retry.
    """
    if upload.is_settled(step) or upload.is_rejected:
        return ()
    now = upload.steps[step]
    final = rejected or now.tries >= attempts or upload.failed is not None
    failed = StepFailed(track_id=upload.track_id, step=step, attempt=now.attempts, error=error, final=final)
    if rejected:
        given_up = IngestFailed(track_id=upload.track_id, step=step, reason=error, rejected=True)
        return (failed, given_up, *_left_undone(upload, step))
    if not final or step == "write_about" or upload.failed is not None:
        # 'About' may be missing: a track is published without it, and its step can still be retried.
        return (failed,)
    return (failed, IngestFailed(track_id=upload.track_id, step=step, reason=error, rejected=False))


def _left_undone(upload: Upload, step: StepName) -> Sequence[StepSkipped]:
    """Every other step that has not ended: of a rejected upload nothing more is wanted."""
    return [
        StepSkipped(track_id=upload.track_id, step=other, reason="the upload was rejected")
        for other in STEPS
        if other != step and not upload.is_settled(other)
    ]


def retry(upload: Upload) -> Sequence[Event]:
    """Go on from what had begun when a step gave up. Raises Refused where none has."""
    if upload.started is None:
        raise Refused("not_found", "There is no such upload.")
    if upload.failed is not None and upload.failed.rejected:
        raise Refused("conflict", f"The file was rejected: {upload.failed.reason}", "Upload a better file.")
    if upload.failed is not None:
        # Steps beside the failed one ended without a result as well: their tasks are gone from the queue.
        begun = [step for step in STEPS if upload.steps[step].state in ("failed", "running")]
        return [IngestRetried(track_id=upload.track_id, step=step) for step in begun]
    if upload.steps["write_about"].state == "failed":
        return (IngestRetried(track_id=upload.track_id, step="write_about"),)
    raise Refused("conflict", "No step of this upload has failed.", "Look at its steps.")
