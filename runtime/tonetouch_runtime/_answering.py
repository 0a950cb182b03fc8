"""`answers`: somebody asks, this service decides and replies. There is always a reply, a result or a problem."""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog
from faststream.nats.annotations import NatsMessage

from tonetouch_contracts.message import Command, Positions, Problem
from tonetouch_contracts.subjects import MalformedIdError, command_subject
from tonetouch_runtime._bus import AFTER, Answered, Bus, Reply, told_causation, told_correlation
from tonetouch_runtime._telemetry import Cause
from tonetouch_runtime.errors import NotNow, Refused, Unavailable
from tonetouch_runtime.telemetry.hops import answering

log = structlog.get_logger()

Answer = Callable[[Any], Awaitable[Any]]
Wait = Callable[[Positions], Awaitable[None]]

_ROOM_FOR_HEADERS = 4096
"""Bytes: what the framework adds to a reply."""


def answer_on(bus: Bus, service: str, command: type[Command[Any]], answer: Answer, seen: Wait) -> None:
    """Subscribe a handler to its command, shared among the replicas of the service."""
    decoder = msgspec.json.Decoder(command)

    subject = command_subject(command, service)

    async def handle(message: NatsMessage) -> bytes:
        headers = message.headers or {}
        correlation = told_correlation(headers)
        # Where no event led to it, it is the request itself, whose id is the story's.
        causation = told_causation(headers) or correlation
        cause = Cause(causation=causation, correlation=correlation, traceparent=headers.get("traceparent"))
        with answering(subject, cause) as hop:
            reply = await _reply(decoder, answer, seen, bytes(message.body), headers)
            hop.outcome = reply.problem.code if reply.problem else hop.outcome
            return _say(reply, bus.largest_message)

    bus.broker.subscriber(subject, queue=service, max_workers=64, decoder=_as_it_is)(handle)


async def _as_it_is(message: NatsMessage) -> bytes:
    # The framework would decode the body before us, and send no reply at all where it cannot.
    return bytes(message.body)


async def _reply(
    decoder: msgspec.json.Decoder[Any], answer: Answer, seen: Wait, body: bytes, headers: Mapping[str, str]
) -> Reply:
    try:
        command = decoder.decode(body)
        after = msgspec.json.decode(headers.get(AFTER) or "{}", type=Positions)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Reply(problem=Problem(code="invalid", detail=f"The request cannot be read: {error}"))
    try:
        if after:
            await seen(after)
        result = await answer(command)
        if not isinstance(result, Answered):
            result = Answered(value=result)
        return Reply(value=msgspec.Raw(msgspec.json.encode(result.value)), positions=result.positions)
    except Refused as refused:
        return Reply(problem=refused.problem)
    except MalformedIdError as error:
        return Reply(problem=Problem(code="not_found", detail=f"There is nothing under this id: {error}."))
    except NotNow as later:
        again = f"Ask again in {math.ceil(later.seconds)} s."
        return Reply(problem=Problem(code="not_yet", detail=str(later), next_step=again))
    except Unavailable as error:
        log.warning("answer_unavailable", error=str(error))
        return Reply(problem=Problem(code="unavailable", detail=str(error), next_step="Try again in a moment."))
    except Exception as error:
        log.exception("answer_failed", command=decoder.type.__name__)
        words = f"Something broke while answering ({type(error).__name__}); the log has the details."
        return Reply(problem=Problem(code="internal", detail=words))


def _say(reply: Reply, most: int) -> bytes:
    """The reply as it travels. One that the bus cannot carry would never arrive, and so becomes a problem."""
    said = msgspec.json.encode(reply)
    if len(said) <= most - _ROOM_FOR_HEADERS:
        return said
    words = f"The answer has {len(said):,} bytes, more than the {most:,} that can be sent."
    problem = Problem(code="too_large", detail=words, next_step="Ask for fewer things at once.")
    return msgspec.json.encode(Reply(problem=problem))
