"""One request from its arrival to its last byte: let in, checked, failed as planned, answered, written down."""

import asyncio
import math
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from starlette.responses import Response, StreamingResponse

from tests.cloud.account import Account
from tests.cloud.asking import Answer, Piece, Question
from tests.cloud.faults import Fault, Refused
from tests.cloud.record import Call
from tests.cloud.tokens import tokens_of

NO_FAULT = Fault()
NONSENSE = b'{"surprise":[1,{"deep":null}],"success":"perhaps"}'
TORN_BYTES = 7
HTML = b"<!doctype html><html><body><h1>Bad gateway</h1></body></html>"


@dataclass(kw_only=True)
class Attempt:
    """A request that has an answer, which is not sent yet."""

    call: Call
    answer: Answer
    fault: Fault
    per_chunk_seconds: float = 0.0


async def attempt(account: Account, question: Question, *, gateway: str | None = None) -> Attempt:
    """The answer to a question, written down and charged for."""
    call = account.begin(_call_of(question, gateway))
    fault = NO_FAULT
    try:
        account.admit(question.model)
        answering = question.check()
        call.texts = question.texts
        fault = account.next_fault(question.model) or NO_FAULT
        call.fault = fault.told() or None
        if fault.duplicate_ids:
            call.request_id = "duplicate"
        await asyncio.sleep(account.latency(question.model)[0] + fault.delay_seconds)
        if fault.status is not None:
            raise Refused(fault.status, fault.code or fault.status, fault.message, retry_after=fault.retry_after)
        if question.provider == "workers-ai":
            account.admit_neurons()
        answer = answering(fault)
    except asyncio.CancelledError:
        call.outcome, call.superseded, call.error = "refused", True, "timeout"
        raise
    except Refused as refused:
        answer = question.refuse(refused, call.request_id)
        answer.error = answer.error or str(refused.code)
        if refused.retry_after is not None:
            answer.headers["retry-after"] = str(math.ceil(refused.retry_after))
    answer = _spoilt(answer, fault)
    answer.headers.setdefault(question.request_id_header, call.request_id)
    call.status, call.error = answer.status, answer.error
    _charge(account, question, call, answer, fault)
    return Attempt(call=call, answer=answer, fault=fault, per_chunk_seconds=account.latency(question.model)[1])


def response(account: Account, made: Attempt) -> Response:
    """The answer on its way; a stream tells the record how it ended."""
    answer, call = made.answer, made.call
    broken = made.fault.abrupt and call.status == 200
    if answer.pieces is not None or broken:
        sending = _sending(account, made, answer.pieces if answer.pieces is not None else [Piece(answer.body[:20])])
        return StreamingResponse(sending, answer.status, answer.headers, answer.content_type)
    _end(account, call, "answered" if answer.status < 400 and answer.error is None else "refused")
    return Response(answer.body, answer.status, answer.headers, answer.content_type)


async def _sending(account: Account, made: Attempt, pieces: list[Piece]) -> AsyncIterator[bytes]:
    """A piece at a time. The record is complete before the last one leaves."""
    cut = made.fault.cut_after is not None or made.fault.abrupt
    try:
        for index, piece in enumerate(pieces):
            if index and made.per_chunk_seconds:
                await asyncio.sleep(made.per_chunk_seconds)
            if index == len(pieces) - 1:
                _end(account, made.call, "cut" if cut else "answered")
            yield piece.data
        if made.fault.abrupt:
            raise ConnectionAbortedError("planned")
    finally:
        if made.call.outcome == "asked":
            _end(account, made.call, "cut" if cut else "left")


def _call_of(question: Question, gateway: str | None) -> Call:
    return Call(
        number=0,
        at=0.0,
        provider=question.provider,
        model=question.model,
        task=question.task,
        surface=question.surface,
        streamed=question.streamed,
        request_id=f"req_{uuid.uuid4().hex}",
        gateway=gateway,
        body_sha256=question.body_sha256,
    )


def _spoilt(answer: Answer, fault: Fault) -> Answer:
    if fault.html:
        status = fault.status or answer.status
        return replace(answer, status=status, body=HTML, content_type="text/html", pieces=None, error="html")
    if fault.nonsense and answer.status < 400:
        pieces = answer.pieces and [replace(piece, data=b"data: {not json\n\n") for piece in answer.pieces]
        answer = replace(answer, body=NONSENSE, pieces=pieces, error="nonsense")
    if fault.content_type is not None:
        answer = replace(answer, content_type=fault.content_type)
    if fault.cut_after is not None and answer.pieces is not None:
        answer = replace(answer, pieces=answer.pieces[: fault.cut_after])
    if fault.torn and answer.pieces is not None:
        answer = replace(answer, pieces=_torn(answer.pieces))
    return answer


def _torn(pieces: list[Piece]) -> list[Piece]:
    """The same bytes in chunks whose borders fall within events, lines and characters."""
    data, text = b"".join(piece.data for piece in pieces), "".join(piece.text for piece in pieces)
    torn = [Piece(data[start : start + TORN_BYTES]) for start in range(0, len(data), TORN_BYTES)]
    return [replace(torn[0], text=text), *torn[1:]] if torn else []


def _charge(account: Account, question: Question, call: Call, answer: Answer, fault: Fault) -> None:
    """Refusals are free; a cut stream costs its input and what was said before the cut."""
    if answer.status >= 400 or fault.html:
        return
    charged = answer.charged
    if fault.cut_after is not None and answer.pieces is not None:
        said = "".join(piece.text for piece in answer.pieces)
        charged = replace(charged, completion_tokens=tokens_of(said))
    model = account.model(question.provider, question.model)
    call.charged = replace(charged, micro_neurons=model.micro_neurons(charged) if model else 0)


def _end(account: Account, call: Call, outcome: str) -> None:
    call.outcome = outcome  # type: ignore[assignment]
    call.ended_at = account.clock.now()
