"""The workflow's decisions, without a server: what is ready, what fails, what is skipped, what can be retried."""

from functools import partial

import pytest

from tests.ingest.uploads import (
    ANALYSED,
    COMPARED,
    DESCRIBED,
    DUPLICATE,
    EARLIER,
    EMBEDDED,
    FINGERPRINTED,
    JOB,
    STAGED,
    STARTED,
    TRACK,
    began,
    through_analysis,
)
from tonetouch_contracts.identity import UserId
from tonetouch_contracts.message import Event
from tonetouch_contracts.track import Relation, TrackRelated
from tonetouch_contracts.upload import (
    IngestCompleted,
    IngestFailed,
    IngestRetried,
    RelationRuled,
    StepFailed,
    StepName,
    StepSkipped,
)
from tonetouch_ingest.upload import STEPS, Upload
from tonetouch_ingest.workflow import ATTEMPTS, WAITS_FOR, begin, end, fail, leave_out, ready, retry, rule
from tonetouch_runtime.testing import given


def after(*past: Event) -> Upload:
    return given(Upload(), *past).state


def failed_for_good(step: StepName, *, rejected: bool = False) -> tuple[Event, ...]:
    return (
        StepFailed(track_id=TRACK, step=step, attempt=1, error="broken", final=True),
        IngestFailed(track_id=TRACK, step=step, reason="broken", rejected=rejected),
    )


def skipped(step: StepName, reason: str) -> StepSkipped:
    return StepSkipped(track_id=TRACK, step=step, reason=reason)


def test_every_step_has_its_row_in_the_table() -> None:
    """The table names each step of the contract once, and waits only for steps that exist."""
    assert tuple(WAITS_FOR) == STEPS
    assert {needed for needs in WAITS_FOR.values() for needed in needs} <= set(STEPS)


@pytest.mark.parametrize(
    ("past", "expected"),
    [
        ((), []),
        ((STARTED,), ["stage"]),
        ((STARTED, STAGED), ["fingerprint", "analyse"]),
        ((STARTED, STAGED, FINGERPRINTED), ["dedupe", "analyse"]),
        ((STARTED, STAGED, FINGERPRINTED, COMPARED), ["analyse", "describe_cover"]),
        (through_analysis(), ["embed", "describe_cover", "write_about"]),
        ((*through_analysis(), EMBEDDED), ["describe_cover", "write_about"]),
        ((*through_analysis(), EMBEDDED, DESCRIBED), ["write_about", "publish"]),
    ],
)
def test_a_step_is_ready_when_what_it_waits_for_is_settled(past: tuple[Event, ...], expected: list[str]) -> None:
    """Steps that do not depend on each other become ready together."""
    assert ready(after(*past)) == expected


def test_a_step_that_has_begun_is_not_queued_again() -> None:
    """The queue redelivers it by itself if its worker dies."""
    assert ready(after(STARTED, began("stage"))) == []


def test_attempts_are_counted_across_deaths() -> None:
    """An attempt that ended without a word is followed by the next number."""
    given(Upload(), STARTED, began("stage", 1)).when(partial(begin, step="stage", job_id=JOB)).then(began("stage", 2))


def test_a_settled_step_does_not_begin_again() -> None:
    """A task delivered twice finds nothing to do."""
    given(Upload(), STARTED, STAGED).when(partial(begin, step="stage", job_id=JOB)).then()


def test_what_a_second_worker_found_is_dropped() -> None:
    """The first to end a step ends it."""
    given(Upload(), STARTED, STAGED).when(partial(end, step="stage", found=(STAGED,))).then()


def test_a_failed_attempt_is_followed_by_another() -> None:
    """Until there were enough of them."""
    given(Upload(), STARTED, began("stage")).when(partial(fail, step="stage", error="away", rejected=False)).then(
        StepFailed(track_id=TRACK, step="stage", attempt=1, error="away", final=False)
    )


def test_after_the_last_attempt_the_upload_fails() -> None:
    """An operator sees the step and the error, and can retry."""
    tries = [began("stage", number) for number in range(1, ATTEMPTS + 1)]
    given(Upload(), STARTED, *tries).when(partial(fail, step="stage", error="away", rejected=False)).then(
        StepFailed(track_id=TRACK, step="stage", attempt=ATTEMPTS, error="away", final=True),
        IngestFailed(track_id=TRACK, step="stage", reason="away", rejected=False),
    )


def test_a_file_at_fault_is_rejected_at_once() -> None:
    """Trying a broken file again would not mend it; no step waits for ever, in the same decision."""
    given(Upload(), STARTED, began("stage")).when(partial(fail, step="stage", error="no sound", rejected=True)).then(
        StepFailed(track_id=TRACK, step="stage", attempt=1, error="no sound", final=True),
        IngestFailed(track_id=TRACK, step="stage", reason="no sound", rejected=True),
        *(skipped(step, "the upload was rejected") for step in STEPS if step != "stage"),
    )


def test_a_rejection_ends_what_runs_beside_it() -> None:
    """What the other step finds, or how it fails, is no longer wanted; what was done before stays done."""
    past = (STARTED, STAGED, began("fingerprint"), began("analyse"))
    rejected = given(Upload(), *past).when(partial(fail, step="fingerprint", error="cut off", rejected=True)).events
    upload = after(*past, *rejected, IngestCompleted(track_id=TRACK, outcome="rejected"))
    states = {name: step.state for name, step in upload.steps.items()}
    assert (states.pop("stage"), states.pop("fingerprint")) == ("done", "failed")
    assert set(states.values()) == {"skipped"}
    assert end(upload, "analyse", (ANALYSED,)) == ()
    assert fail(upload, "analyse", "cut off", rejected=True) == ()
    assert fail(upload, "fingerprint", "cut off", rejected=True) == ()


def test_a_rejection_outweighs_a_failure() -> None:
    """Once it is known that the file is at fault, no retry will help."""
    past = (STARTED, STAGED, began("fingerprint"), began("analyse"), *failed_for_good("fingerprint"))
    rejected = given(Upload(), *past).when(partial(fail, step="analyse", error="cut off", rejected=True)).events
    assert after(*past, *rejected).is_rejected
    given(Upload(), *past, *rejected).when(retry).refused("conflict")


def test_a_step_beside_the_failed_one_is_retried_with_it() -> None:
    """Its task is gone from the queue, whether it failed then or never said how it ended."""
    past = (STARTED, STAGED, began("fingerprint"), began("analyse"), *failed_for_good("fingerprint"))
    given(Upload(), *past).when(partial(fail, step="analyse", error="away", rejected=False)).then(
        StepFailed(track_id=TRACK, step="analyse", attempt=1, error="away", final=True)
    )
    both = [IngestRetried(track_id=TRACK, step=step) for step in ("fingerprint", "analyse")]
    given(Upload(), *past).when(retry).then(*both)
    assert ready(after(*past, *both)) == ["fingerprint", "analyse"]


def test_without_a_cover_there_is_nothing_to_describe() -> None:
    """The step is left out before anybody begins it, so no attempt of it has to be accounted for."""
    assert leave_out(after(STARTED)) == []
    assert leave_out(after(STARTED, STAGED)) == [skipped("describe_cover", "there is no cover")]
    assert leave_out(after(STARTED, STAGED, skipped("describe_cover", "there is no cover"))) == []


def test_about_may_fail_without_failing_the_track() -> None:
    """A track is published without its text."""
    tries = [began("write_about", number) for number in range(1, ATTEMPTS + 1)]
    past = (*through_analysis(), *tries)
    given(Upload(), *past).when(partial(fail, step="write_about", error="away", rejected=False)).then(
        StepFailed(track_id=TRACK, step="write_about", attempt=ATTEMPTS, error="away", final=True)
    )


def test_a_duplicate_skips_what_would_be_thrown_away() -> None:
    """Neither vectors nor texts are made of it; publish still tells catalog."""
    upload = after(STARTED, STAGED, FINGERPRINTED, DUPLICATE, ANALYSED)
    left_out = leave_out(upload)
    assert {event.step for event in left_out if isinstance(event, StepSkipped)} == {
        "embed",
        "describe_cover",
        "write_about",
    }
    assert ready(after(STARTED, STAGED, FINGERPRINTED, DUPLICATE, ANALYSED, *left_out)) == ["publish"]


def said(relation: Relation) -> TrackRelated:
    of = None if relation == "none" else EARLIER
    return TrackRelated(track_id=TRACK, of=of, relation=relation, reason="I heard both.", said_by=UserId("admin"))


def ruled(relation: Relation, *reopens: StepName) -> RelationRuled:
    return RelationRuled(track_id=TRACK, of=said(relation).of, relation=relation, reopens=reopens)


STOPPED = (
    *(STARTED, STAGED, FINGERPRINTED, DUPLICATE, ANALYSED),
    *(skipped(step, "it is a duplicate") for step in ("embed", "describe_cover", "write_about")),
    began("publish"),
    IngestCompleted(track_id=TRACK, outcome="duplicate"),
)


@pytest.mark.parametrize("relation", ["none", "version"])
def test_a_duplicate_that_a_person_calls_none_goes_on(relation: Relation) -> None:
    """What it had skipped is done, with its full number of tries, and it is published after that."""
    again = ruled(relation, "embed", "describe_cover", "write_about", "publish")
    given(Upload(), *STOPPED).when(partial(rule, said=said(relation))).then(again)
    upload = after(*STOPPED, again)
    assert (upload.duplicate, upload.duplicate_of, upload.is_over) == (None, None, False)
    assert (upload.steps["publish"].attempts, upload.steps["publish"].tries) == (1, 0)
    assert leave_out(upload) == [skipped("describe_cover", "there is no cover")]
    assert ready(after(*STOPPED, again, *leave_out(upload))) == ["embed", "write_about"]
    given(Upload(), *STOPPED, again).when(partial(rule, said=said(relation))).then()


def test_a_published_upload_that_a_person_calls_a_duplicate_stays_as_it_is() -> None:
    """Nothing is done again; those that come later are held against the other track, until the word is taken back."""
    past = (*through_analysis(), EMBEDDED, IngestCompleted(track_id=TRACK, outcome="published"))
    given(Upload(), *past).when(partial(rule, said=said("duplicate"))).then(ruled("duplicate"))
    upload = after(*past, ruled("duplicate"))
    assert (upload.duplicate_of, upload.completed is not None) == (EARLIER, True)
    back = given(Upload(), *past, ruled("duplicate")).when(partial(rule, said=said("none"))).events
    assert after(*past, ruled("duplicate"), *back).duplicate_of is None


def test_a_failed_upload_waits_for_an_operator() -> None:
    """No step of it is queued until somebody asks."""
    assert ready(after(STARTED, began("stage"), *failed_for_good("stage"))) == []


def test_a_retry_goes_on_from_the_failed_step() -> None:
    """With its full number of attempts, and the count of attempts going on."""
    past = (STARTED, STAGED, began("fingerprint"), *failed_for_good("fingerprint"))
    given(Upload(), *past).when(retry).then(IngestRetried(track_id=TRACK, step="fingerprint"))
    upload = after(*past, IngestRetried(track_id=TRACK, step="fingerprint"))
    assert ready(upload) == ["fingerprint", "analyse"]
    assert (upload.steps["fingerprint"].attempts, upload.steps["fingerprint"].tries) == (1, 0)


def test_there_must_be_something_to_retry() -> None:
    """An unknown upload, a running one and a rejected one each say why not."""
    given(Upload()).when(retry).refused("not_found")
    given(Upload(), STARTED).when(retry).refused("conflict")
    given(Upload(), STARTED, began("stage"), *failed_for_good("stage", rejected=True)).when(retry).refused("conflict")


def test_a_missing_about_can_be_retried_after_publishing() -> None:
    """The track is on the shelf; only its text is asked for again."""
    past = (
        *through_analysis(),
        EMBEDDED,
        DESCRIBED,
        began("write_about"),
        StepFailed(track_id=TRACK, step="write_about", attempt=1, error="away", final=True),
        IngestCompleted(track_id=TRACK, outcome="published"),
    )
    given(Upload(), *past).when(retry).then(IngestRetried(track_id=TRACK, step="write_about"))
    assert ready(after(*past, IngestRetried(track_id=TRACK, step="write_about"))) == ["write_about"]


def test_compared_and_complete_is_over() -> None:
    """Only then does nobody wait for anything."""
    assert not after(STARTED, STAGED, FINGERPRINTED, COMPARED).is_over
    assert after(STARTED, IngestCompleted(track_id=TRACK, outcome="published")).is_over
