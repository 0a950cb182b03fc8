"""Why a text says what it says, and what another model would have said.

Asks `TraceText` and `ReplayJob`.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from tonetouch_contracts.ledger import ReplayJob, TraceText
from tonetouch_gateway.asking import Ask
from tonetouch_gateway.money import exact, spelt
from tonetouch_gateway.problems import documented
from tonetouch_gateway.reporting import JobInPath, WholeJob

router = APIRouter(tags=["auditing"])

REPLAY_SECONDS = 150.0
"""A long answer of a slow model, and the wait for its turn."""

Attempt = Annotated[int | None, Query(ge=1, description="Which attempt; the last one with an answer, if not said.")]


class TracedFact(BaseModel):
    """A fact that the writer was given."""

    id: str
    name: str
    value: str


class TracedSentence(BaseModel):
    """A sentence and the facts it stands on."""

    text: str
    facts: list[TracedFact]


class Trace(BaseModel):
    """From a text back: its sentences, their facts, the job, the exact input."""

    asked: WholeJob = Field(description="The job that wanted the text.")
    made_by: WholeJob | None = Field(description="The job that was paid for it: another one, if it was there already.")
    text: str | None = Field(description="Null where it was not kept, or its time is over.")
    sentences: list[TracedSentence]
    input_ref: str | None
    input: str | None = Field(description="The exact input, JSON as text.")
    input_cut: bool = Field(description="The input is longer than what is shown.")


class NewReplay(BaseModel):
    """What is to be asked once more, and of whom."""

    target: str = Field(min_length=1, max_length=200, description="A target of the routing table.")
    attempt: int | None = Field(None, ge=1)


class Claim(BaseModel):
    """Something a text says that can be checked."""

    kind: Literal["year", "number", "name"]
    value: str
    sentence: str


class Replay(BaseModel):
    """Two answers to the same exact input, and what they claim. Nobody else is shown the new one."""

    original: WholeJob
    replayed: WholeJob
    original_text: str
    replayed_text: str
    kept: list[Claim]
    dropped: list[Claim]
    added: list[Claim]


@router.get("/ai/jobs/{job_id}/trace", response_model=Trace, responses=documented("not_found", "conflict"))
async def trace_text(
    job_id: JobInPath,
    ask: Ask,
    attempt: Attempt = None,
    words: Annotated[str | None, Query(max_length=200, description="Only sentences with all these words.")] = None,
) -> Response:
    """From a generated text back: sentence, facts, job, exact input."""
    return exact(spelt(await ask(TraceText(job_id=job_id, attempt=attempt, words=words))))


@router.post("/ai/jobs/{job_id}/replay", response_model=Replay, responses=documented("not_found", "conflict"))
async def replay_job(job_id: JobInPath, replay: NewReplay, ask: Ask, response: Response) -> Response:
    """Ask another target what a job asked, and compare what the two answers claim. It costs what the call costs."""
    question = ReplayJob(job_id=job_id, attempt=replay.attempt, target=replay.target)
    return exact(spelt(await ask(question, timeout=REPLAY_SECONDS)), said=response)
