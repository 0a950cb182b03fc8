"""The job's one rule: an attempt ends once."""

from functools import partial

from tests.ai_ledger.jobs import recorded, started
from tonetouch_ai_ledger.job import Job, close
from tonetouch_runtime.testing import given


def test_an_open_attempt_is_closed() -> None:
    """It was started, and nobody said how it ended."""
    end = recorded("j1", 2, outcome="unknown")
    given(Job(), started("j1", 1), recorded("j1", 1), started("j1", 2)).when(partial(close, ended=end)).then(end)


def test_an_attempt_that_has_an_end_is_left_alone() -> None:
    """Its writer was late, not lost."""
    given(Job(), started("j1"), recorded("j1")).when(partial(close, ended=recorded("j1", outcome="unknown"))).then()


def test_an_attempt_nobody_started_is_not_closed() -> None:
    """Another attempt at the job says nothing about it."""
    given(Job(), started("j1", 1)).when(partial(close, ended=recorded("j1", 2))).then()


def test_the_first_start_of_an_attempt_counts() -> None:
    """As in the ledger, what was said first stays."""
    job = given(Job(), started("j1", model="small"), started("j1", model="large")).state
    assert job.started[1].model == "small"
