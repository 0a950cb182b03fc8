"""From a generated text back to what it was made of: sentence, facts, job, exact input.

Answers `TraceText`. The answer and the question lie in the object store; the row of the job says under which hash, and
the answer which job was paid for it.
"""

from typing import Any

from sqlalchemy import RowMapping, select

from tonetouch_ai_ledger.asking import says
from tonetouch_ai_ledger.recording import AIJobRow, view_of
from tonetouch_ai_ledger.sentences import facts_in, saying, sentences_of, text_of
from tonetouch_contracts.ledger import Trace, TraceText
from tonetouch_runtime import Floor, ObjectMissing, ObjectTooLarge, Refused, Router
from tonetouch_runtime.ai.caching import Answers, KeptAnswer

router = Router()

MOST_INPUT_BYTES = 32 << 20
MOST_SHOWN_BYTES = 300_000
"""Of an input that are shown: quoted they are at most twice as many, and an answer has to fit into one message."""


@router.answers(TraceText)
async def trace_text(command: TraceText, floor: Floor) -> Trace:
    """Without an attempt, of the last one."""
    row = await job_row(floor, command.job_id, command.attempt)
    kept = await answer_to(row, floor)
    made_by = await _row_of(floor, kept.job.job_id, kept.job.attempt) if kept else None
    input_ref = row["input_ref"] or (made_by["input_ref"] if made_by else None)
    question = await question_at(input_ref, floor)
    sentences = sentences_of(kept.result, facts_in(question or b"")) if kept else ()
    return Trace(
        asked=view_of(row),
        made_by=view_of(made_by) if made_by else None,
        text=text_of(kept.result) if kept else None,
        sentences=saying(sentences, command.words) if command.words else sentences,
        input_ref=input_ref,
        input=question[:MOST_SHOWN_BYTES].decode("utf-8", "ignore") if question is not None else None,
        input_cut=len(question or b"") > MOST_SHOWN_BYTES,
    )


async def job_row(floor: Floor, job_id: str, attempt: int | None) -> RowMapping:
    """The row of an attempt, the last one where none is named. Raises Refused where there is none."""
    row = await _row_of(floor, job_id, attempt)
    if row is None:
        raise Refused("not_found", "The ledger has no such attempt at a job.")
    return row


async def answer_to(row: RowMapping, floor: Floor) -> KeptAnswer | None:
    """What was answered; None where nothing was, or it is not kept (any more)."""
    return await Answers(floor.objects).find(row["input_hash"]) if row["output_ref"] else None


async def question_at(input_ref: str | None, floor: Floor) -> bytes | None:
    """The exact input as it was kept; None where it is not kept (any more)."""
    if input_ref is None:
        return None
    try:
        return await floor.objects.get(input_ref, max_bytes=MOST_INPUT_BYTES)
    except (ObjectMissing, ObjectTooLarge):
        return None


async def _row_of(floor: Floor, job_id: str, attempt: int | None) -> RowMapping | None:
    jobs = floor.tables.live(AIJobRow)
    conditions: list[Any] = [says(jobs.c.job_id, job_id)]
    if attempt is not None:
        conditions.append(jobs.c.attempt == attempt)
    return await floor.tables.one(select(jobs).where(*conditions).order_by(jobs.c.attempt.desc()))
