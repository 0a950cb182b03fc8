"""Queued steps are taken and done, one attempt at a time.

Works on INGEST_Q; says `StepStarted`, then what the step found, `StepSkipped` or `StepFailed`. A killed worker's step
comes back by itself, and every step may be run again: its effects are keyed by the track and the content's hash.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from tonetouch_contracts.identity import derived
from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import StepName
from tonetouch_ingest import analysing, deduping, describing, embedding, fingerprinting, publishing, staging
from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.listening.refusals import AudioRefused, WorkFailed
from tonetouch_ingest.upload import Upload
from tonetouch_ingest.workflow import ATTEMPTS, ATTEMPTS_OF_A_CRASH, ATTEMPTS_WHILE_AWAY, begin, delay_after, end, fail
from tonetouch_runtime import Floor, NotNow, ObjectMissing, Refused, Router, Task, Unavailable

log = structlog.get_logger()
router = Router()

Run = Callable[[Attempt, Floor], Awaitable[Sequence[Event]]]


@router.works("INGEST_Q", "stage", consumer="ingest-stage", parallel=4)
async def stage(task: Task, floor: Floor) -> None:
    await _take(task, floor, _accounted(staging.stage, "ffmpeg+mutagen"))


@router.works("INGEST_Q", "fingerprint", consumer="ingest-fingerprint", parallel=4)
async def fingerprint(task: Task, floor: Floor) -> None:
    await _take(task, floor, _accounted(fingerprinting.fingerprint, fingerprinting.MODEL))


@router.works("INGEST_Q", "dedupe", consumer="ingest-dedupe", parallel=4)
async def dedupe(task: Task, floor: Floor) -> None:
    await _take(task, floor, _accounted(deduping.dedupe, deduping.MODEL))


@router.works("INGEST_Q", "analyse", consumer="ingest-analyse", parallel=4)
async def analyse(task: Task, floor: Floor) -> None:
    await _take(task, floor, _accounted(analysing.analyse, analysing.MODEL))


@router.works_batch("INGEST_Q", "embed", consumer="ingest-embed", at_most=25)
async def embed(tasks: Sequence[Task], floor: Floor) -> None:
    """Several tracks at once: their texts go to the model together, 25 at most in a call."""
    results = await asyncio.gather(*(_begin(task, floor) for task in tasks))
    attempts = [attempt for attempt in results if attempt is not None]
    if not attempts:
        return
    try:
        found = await embedding.embed(attempts, floor)
    except Exception as error:
        # Which of the tracks is at fault is not known: each has failed this attempt, and each is tried again.
        outcomes = await asyncio.gather(*(_note_failure(attempt, error, floor) for attempt in attempts))
        if delays := [delay for delay in outcomes if delay is not None]:
            raise NotNow(min(delays)) from error
        return
    await asyncio.gather(*(_finish(attempt, found[attempt.track_id], floor) for attempt in attempts))


@router.works("INGEST_Q", "describe_cover", consumer="ingest-describe-cover", parallel=2)
async def describe_cover(task: Task, floor: Floor) -> None:
    await _take(task, floor, describing.describe_cover)


@router.works("INGEST_Q", "publish", consumer="ingest-publish", parallel=4)
async def publish(task: Task, floor: Floor) -> None:
    await _take(task, floor, _accounted(publishing.publish, "catalog"))


def _accounted(run: Run, model: str) -> Run:
    """A step that calls no model is still a row in the ledger: that is how an operator sees where a track stands."""

    async def recorded(attempt: Attempt, floor: Floor) -> Sequence[Event]:
        async with floor.ai.step(
            type=attempt.step,
            feature=attempt.feature,
            subject=attempt.subject,
            model=model,
            input_hash=attempt.upload.started.sha256 if attempt.upload.started else "",
            job_id=attempt.job_id,
            attempt=attempt.number,
        ):
            return await run(attempt, floor)

    return recorded


async def _take(task: Task, floor: Floor, run: Run) -> None:
    attempt = await _begin(task, floor)
    if attempt is None:
        return
    try:
        found = await run(attempt, floor)
    except Exception as error:
        if (delay := await _note_failure(attempt, error, floor)) is not None:
            raise NotNow(delay) from error
        return
    await _finish(attempt, found, floor)


async def _begin(task: Task, floor: Floor) -> Attempt | None:
    """Say that an attempt begins. None where there is nothing left to do: the task is done with."""
    step: StepName = task.step  # type: ignore[assignment]
    job_id = derived("job", task.entity_id, step)
    with task.in_its_story():
        outcome = await floor.log.transact("INGEST", task.entity_id, Upload(), partial(begin, step=step, job_id=job_id))
    if not outcome.events:
        return None
    number = outcome.state.steps[step].attempts
    return Attempt(step=step, number=number, job_id=job_id, upload=outcome.state, task=task)  # type: ignore[arg-type]


async def _finish(attempt: Attempt, found: Sequence[Event], floor: Floor) -> None:
    ended = partial(end, step=attempt.step, found=found)
    with attempt.task.in_its_story():
        await floor.log.transact("INGEST", attempt.track_id, Upload(), ended)


async def _note_failure(attempt: Attempt, error: Exception, floor: Floor) -> float | None:
    """Say that the attempt failed, and return after how many seconds to try again; None for not at all."""
    rejected = isinstance(error, AudioRefused)
    if not isinstance(error, AudioRefused | WorkFailed | ObjectMissing | Refused):
        log.warning("step_failed", step=attempt.step, track=attempt.track_id, error=repr(error), exc_info=True)
    failed = partial(fail, step=attempt.step, error=_in_words(error), rejected=rejected, attempts=_patience(error))
    with attempt.task.in_its_story():
        outcome = await floor.log.transact("INGEST", attempt.track_id, Upload(), failed)
    tries = outcome.state.steps[attempt.step].tries
    given_up = any(getattr(event, "final", False) for event in outcome.events)
    return None if given_up or not outcome.events else delay_after(tries)


def _patience(error: Exception) -> int:
    """How many attempts a failure of this kind is worth."""
    if isinstance(error, WorkFailed | ObjectMissing):
        return ATTEMPTS_OF_A_CRASH
    away = isinstance(error, Unavailable) or (
        isinstance(error, Refused) and error.problem.code in ("unavailable", "not_yet")
    )
    return ATTEMPTS_WHILE_AWAY if away else ATTEMPTS


def _in_words(error: Exception) -> str:
    """What a person is told, and can do."""
    if isinstance(error, ObjectMissing):
        return f"{error.key} is missing in the object store. Bring it back and retry, or upload the file again."
    return str(error).replace("\0", "\N{REPLACEMENT CHARACTER}") or type(error).__name__
