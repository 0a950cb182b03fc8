"""A text has one writer at a time, and every ask one answer."""

from functools import partial
from typing import Any

from tonetouch_agents.copy import MOST_BEGINNINGS, Copy, ask, ask_once, begin, settle
from tonetouch_contracts.copy import (
    CopyAsked,
    CopyBegun,
    CopyFailed,
    CopySentence,
    CopySkipped,
    CopyWritten,
    DraftDiscarded,
)
from tonetouch_contracts.identity import ContentHash, JobId
from tonetouch_contracts.message import Event
from tonetouch_runtime.testing import given

JOB = JobId("job")


def asked(ask_id: str = "ask", *, attempt: int = 1) -> CopyAsked:
    return CopyAsked(
        copy_id="copy",
        ask_id=ask_id,
        kind="artist_bio",
        subject="artist:a",
        job_id=JOB,
        attempt=attempt,
        feature="copy.artist_bio",
        billed_to="artist:a",
    )


def begun(attempt: int = 1, ask_id: str = "ask") -> CopyBegun:
    return CopyBegun(copy_id="copy", ask_id=ask_id, job_id=JOB, attempt=attempt)


def answer(ask_id: str = "ask") -> dict[str, Any]:
    which = {"copy_id": "copy", "ask_id": ask_id, "kind": "artist_bio", "subject": "artist:a"}
    return {**which, "job_id": JOB, "attempt": 1}


def written(ask_id: str = "ask") -> CopyWritten:
    return CopyWritten(
        **answer(ask_id),
        written_by=JOB,
        prompt="artist-bio@1",
        provider="local",
        model="m@1",
        context_sha256=None,
        facts_sha256=ContentHash("a" * 64),
        text="It is calm.",
        sentences=(CopySentence(text="It is calm.", facts=("F1",)),),
        facts=(),
    )


FAILED = CopyFailed(**answer(), reason="away", may_pass=True)
SKIPPED = CopySkipped(**answer(), reason="too little is known to write of")


def test_the_same_ask_is_asked_once() -> None:
    """However long ago it was answered."""
    given(Copy()).when(partial(ask, asked=asked())).then(asked())
    for past in ((asked(),), (asked(), written()), (asked(), FAILED)):
        given(Copy(), *past).when(partial(ask, asked=asked())).then()
    given(Copy(), asked(), written()).when(partial(ask, asked=asked("other"))).then(asked("other"))


def test_a_person_does_not_ask_for_what_is_on_its_way() -> None:
    """Afterwards they may."""
    given(Copy(), asked()).when(partial(ask_once, asked=asked("other"))).then()
    for end in (written(), FAILED, SKIPPED):
        given(Copy(), asked(), end).when(partial(ask_once, asked=asked("other"))).then(asked("other"))


def test_attempts_are_counted_by_job_across_deaths_and_asks() -> None:
    """No two calls of a model share a row in the ledger."""
    given(Copy(), asked()).when(partial(begin, ask_id="ask")).then(begun(1))
    given(Copy(), asked(), begun(1)).when(partial(begin, ask_id="ask")).then(begun(2))
    past = (asked(), begun(1), begun(2), FAILED, asked("second", attempt=2))
    given(Copy(), *past).when(partial(begin, ask_id="second")).then(begun(3, "second"))
    given(Copy(), asked(attempt=4)).when(partial(begin, ask_id="ask")).then(begun(4))


def test_what_has_its_answer_is_not_begun() -> None:
    """An event that is heard twice is written once."""
    for end in (written(), FAILED, SKIPPED):
        given(Copy(), asked(), begun(), end).when(partial(begin, ask_id="ask")).then()


def test_a_text_that_kills_its_writers_fails() -> None:
    """After so many beginnings without an end."""
    past: list[Event] = [asked(), *(begun(number) for number in range(1, MOST_BEGINNINGS + 1))]
    (end,) = given(Copy(), *past).when(partial(begin, ask_id="ask")).events
    assert isinstance(end, CopyFailed)
    assert (end.attempt, end.may_pass) == (MOST_BEGINNINGS, False)


def test_of_two_writers_one_is_heard() -> None:
    """The other has worked for nothing."""
    given(Copy(), asked(), begun()).when(partial(settle, ask_id="ask", said=(written(),))).then(written())
    given(Copy(), asked(), begun(), written()).when(partial(settle, ask_id="ask", said=(written(),))).then()


def test_discarded_drafts_are_counted() -> None:
    """Each makes the next question another one."""
    draft = DraftDiscarded(
        copy_id="copy", ask_id="ask", job_id=JOB, attempt=1, provider="openai", model="m", reason="no JSON"
    )
    assert given(Copy(), asked(), begun(), draft, draft).state.discarded == 2
