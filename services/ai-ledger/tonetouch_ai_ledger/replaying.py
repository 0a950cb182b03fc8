"""Replay: the exact input of a job asked of another model, and what the two answers claim.

Answers `ReplayJob`. It is a call like any other: under the feature ``ledger.replay``, so that it has a budget of its
own, and for the purpose ``replay``, so that nobody takes it for traffic. The answer is kept, and shown to nobody else.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
from sqlalchemy import RowMapping

from tonetouch_ai_ledger.claims import claims_of, compared
from tonetouch_ai_ledger.recording import view_of
from tonetouch_ai_ledger.sentences import sentences_of, text_of
from tonetouch_ai_ledger.tracing import answer_to, job_row, question_at
from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import JobRecorded, JobView
from tonetouch_contracts.ledger import REPLAYING, Replay, ReplayJob
from tonetouch_runtime import Floor, Refused, Router
from tonetouch_runtime.ai.asking import Whose
from tonetouch_runtime.ai.client import AIClient
from tonetouch_runtime.ai.composing import connect, routes_of
from tonetouch_runtime.ai.routing import Route, Routes
from tonetouch_runtime.ai.tasks import AnyRequest, Request

router = Router()


class _Kept(msgspec.Struct, frozen=True):
    request: AnyRequest


@router.answers(ReplayJob)
async def replay_job(command: ReplayJob, floor: Floor) -> Replay:
    """Only what was kept can be replayed, and only texts can be compared."""
    row = await job_row(floor, command.job_id, command.attempt)
    kept = await answer_to(row, floor)
    if kept is None or text_of(kept.result) is None:
        raise Refused("conflict", "There is no text of this job to compare with: it failed, or was not kept.")
    job_id = JobId(floor.clock.new_id())
    request = await _request_of(row, floor)
    async with _client_of(command.target, request, floor) as client:
        result = (await client.ask(cast("Request[Any]", request), _whose(row, job_id))).result
    old, new = (tuple(one.text for one in sentences_of(answer, {})) for answer in (kept.result, result))
    stay, gone, added = compared(claims_of(old), claims_of(new))
    return Replay(
        original=view_of(row),
        replayed=await _ended(job_id, floor),
        original_text=text_of(kept.result) or "",
        replayed_text=text_of(result) or "",
        kept=stay,
        dropped=gone,
        added=added,
    )


async def _request_of(row: RowMapping, floor: Floor) -> AnyRequest:
    """The exact input. Of images and recordings only the hash is kept: they cannot be asked again."""
    question = await question_at(row["input_ref"], floor)
    if question is None:
        raise Refused("conflict", "The input of this job is not kept: it was private, or its time is over.")
    try:
        return msgspec.json.decode(question, type=_Kept).request
    except msgspec.DecodeError as error:
        raise Refused("unsupported", "This input cannot be asked again: of media only the hash is kept.") from error


def _whose(row: RowMapping, job_id: JobId) -> Whose:
    return Whose(
        feature=REPLAYING,
        subject=row["subject"],
        prompt=row["prompt"],
        job_id=job_id,
        purpose="replay",
        priority="refresh",
    )


@contextlib.asynccontextmanager
async def _client_of(target: str, request: AnyRequest, floor: Floor) -> AsyncIterator[AIClient]:
    """A client that knows one target and no other way."""
    routes = routes_of(floor.settings)
    wanted = routes.targets.get(target)
    if wanted is None or wanted.task != request.task():
        fitting = ", ".join(sorted(name for name, one in routes.targets.items() if one.task == request.task()))
        raise Refused("invalid", f"No target {target!r} answers this.", f"Name one of {fitting}.")
    only = Route(task=request.task(), candidates=(target,), embedded=False)
    upstream = connect(
        floor.settings,
        bus=floor.bus,
        log=floor.log,
        clock=floor.clock,
        routes=Routes("replay", routes.providers, {target: wanted}, (only,)),
    )
    client = AIClient(
        service=floor.service,
        bus=floor.bus,
        log=floor.log,
        objects=floor.objects,
        clock=floor.clock,
        upstream=upstream,
    )
    try:
        yield client
    finally:
        await client.close()


async def _ended(job_id: JobId, floor: Floor) -> JobView:
    """The row of the replay, from the log: the table may lag."""
    history = await floor.log.history("AI", job_id)
    ends = [fact.event for fact in history if isinstance(fact.event, JobRecorded)]
    if not ends:
        raise Refused("not_yet", "The replay was answered and is not recorded yet.", "Ask again: it is not paid twice.")
    columns = msgspec.structs.asdict(ends[-1])
    return JobView(id=columns.pop("job_id"), **columns)
