"""One line for each hop a message takes: asked, answered, appended, queued, heard, worked on.

A hop is timed where something counts and traced where something traces; what is done inside it is caused by its span.
With both off it is what it would be without them: the cause of what is done inside, or nothing at all.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from tonetouch_runtime._telemetry import Cause, caused_by, current_cause, new_traceparent, put_cause, take_cause_back
from tonetouch_runtime.errors import TonetouchError
from tonetouch_runtime.telemetry import switch
from tonetouch_runtime.telemetry.counting import Labels
from tonetouch_runtime.telemetry.names import (
    ANSWER,
    APPEND,
    APPENDED,
    ASK,
    HEARD,
    QUEUED,
    WORKED,
    Key,
    Metric,
    Operation,
)
from tonetouch_runtime.telemetry.spans import MOST_LINKS, Kind, Span, Value, is_past, joined

if TYPE_CHECKING:
    from tonetouch_contracts.message import Event
    from tonetouch_runtime._recorded import Decision, Recorded
    from tonetouch_runtime._task import Task

DONE = "done"

_EXPECTED = frozenset({DONE, "conflict", "not_found", "invalid", "not_yet", "cancelled", "too_large", "unsupported"})
"""Ends that are no error of whoever did it, and so none of the span."""


class Hop:
    """A block that is timed, traced, and the cause of what is done inside.

    `outcome` is how it ended: done, or what the exception that leaves it is called. Whoever ends it otherwise says so.
    """

    __slots__ = ("_began", "_cause", "_inside", "_kind", "_labels", "_links", "_metric", "_name", "outcome", "span")

    def __init__(
        self, name: str, kind: Kind, cause: Cause, *, metric: Metric | None, labels: Labels, links: Sequence[str] = ()
    ) -> None:
        self._name = name
        self._kind = kind
        self._cause = cause
        self._metric = metric
        self._labels = labels
        self._links = links
        self._inside: AbstractContextManager[None] | Token[Cause | None] | None = None
        self.outcome = DONE
        self.span: Span | None = None

    def __enter__(self) -> Self:
        cause, own = self._cause, None
        if tracer := switch.tracer:
            self.span, own = tracer.begin(self._name, self._kind, cause.traceparent, links=self._links)
        elif cause.traceparent is None:
            own = new_traceparent()
        if own:
            cause = msgspec.structs.replace(cause, traceparent=own)
        if self._kind in (Kind.CLIENT, Kind.PRODUCER):
            # The story and the trace of the log's lines stay what they are.
            self._inside = put_cause(cause)
        else:
            self._inside = caused_by(cause)
            self._inside.__enter__()
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.perf_counter() - self._began
        if isinstance(self._inside, Token):
            take_cause_back(self._inside)
        elif self._inside is not None:
            self._inside.__exit__(None, None, None)
        if error is not None:
            self.outcome = outcome_of(error)
        if switch.counts and self._metric:
            switch.counts.time(self._metric, (*self._labels, self.outcome), seconds)
        if self.span is not None and switch.tracer:
            self.span.attributes[Key.OUTCOME] = self.outcome
            switch.tracer.end(self.span, None if self.outcome in _EXPECTED else self.outcome)

    def note(self, key: Key, value: Value | None) -> Self:
        """Say more about the span. None is not said."""
        if self.span is not None and value is not None:
            self.span.attributes[key] = value
        return self


Quiet = AbstractContextManager[Any]
_NOTHING: Quiet = nullcontext()


def is_off() -> bool:
    """Whether nothing counts and nothing traces in this process."""
    return switch.tracer is None and switch.counts is None


def asking(subject: str) -> Quiet:
    """Around asking another service. The question carries what `current_cause` says inside."""
    if is_off():
        return _NOTHING
    return _Message(Operation.ASK, Kind.CLIENT, current_cause(), subject, metric=ASK, labels=(subject,))


def answering(subject: str, cause: Cause) -> Hop:
    """Around answering a question; the cause is the question's."""
    return _Message(Operation.ANSWER, Kind.SERVER, cause, subject, metric=ANSWER, labels=(subject,))


def appending(stream_name: "Callable[[type[Event]], str]", decisions: "Sequence[Decision]") -> Quiet:
    """Around an append. Its events carry what `current_cause` says inside, unless their decision has its own cause."""
    events = () if is_off() else tuple(event for decision in decisions for event in decision.events)
    if not events:
        return _NOTHING
    return _Appending(stream_name(type(events[0])), events, [one.cause for one in decisions if one.cause is not None])


def queueing(subject: str) -> Quiet:
    """Around putting a step on a queue; `subject` is the template of the step."""
    if is_off():
        return _NOTHING
    return _Message(Operation.QUEUE, Kind.PRODUCER, current_cause(), subject, metric=QUEUED, labels=(subject,))


def hearing(cause: Cause, fact: "Recorded[Any]", consumer: str, *, is_replay: bool = False) -> Hop:
    """Around one attempt of a handler. What follows from an event of long ago, or from a replay, is a trace of its own.

    The new trace has a link to the event's, so that it can be found from there.
    """
    template = f"{fact.event.wire_name()}.*"
    links: tuple[str, ...] = ()
    is_past_ = is_replay or is_past(fact.time)
    if is_past_ and cause.traceparent:
        links = (cause.traceparent,)
        cause = msgspec.structs.replace(cause, traceparent=None)
    labels = (consumer, template)
    hop = _Message(Operation.HEAR, Kind.CONSUMER, cause, template, metric=HEARD, labels=labels, links=links)
    hop.about = {
        Key.GROUP: consumer,
        Key.MESSAGE: fact.id,
        Key.DESTINATION: fact.stream,
        Key.SEQUENCE: fact.sequence,
        Key.ENTITY: fact.event.entity_id,
        Key.REPLAYED: is_past_,
    }
    return hop


def working(consumer: str, tasks: "Sequence[Task]") -> Hop:
    """Around one attempt at queued work; several tasks of several stories are linked, not joined."""
    first = tasks[0]
    contexts = {task.traceparent: task.queued_at for task in tasks if task.traceparent}
    parent, links = joined(contexts)
    cause = Cause(causation=first.causation, correlation=first.correlation, traceparent=parent)
    hop = _Message(Operation.WORK, Kind.CONSUMER, cause, consumer, metric=WORKED, labels=(consumer,), links=links)
    hop.about = {
        Key.GROUP: consumer,
        Key.ENTITY: first.entity_id,
        Key.BATCH: len(tasks),
        Key.DELIVERIES: first.deliveries,
    }
    return hop


class _Message(Hop):
    """A hop over the bus, in the words of OpenTelemetry's messaging conventions."""

    __slots__ = ("_operation", "_template", "about")

    def __init__(
        self,
        operation: Operation,
        kind: Kind,
        cause: Cause,
        template: str,
        *,
        metric: Metric,
        labels: Labels,
        links: Sequence[str] = (),
    ) -> None:
        super().__init__(f"{operation} {template}", kind, cause, metric=metric, labels=labels, links=links)
        self._operation = operation
        self._template = template
        self.about: dict[str, Value] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        if self.span is not None:
            self.span.attributes = {
                Key.SYSTEM: "nats",
                Key.OPERATION: self._operation,
                Key.OPERATION_TYPE: "send" if self._kind in (Kind.CLIENT, Kind.PRODUCER) else "process",
                Key.TEMPLATE: self._template,
                **self.about,
            }
            if self._cause.correlation:
                self.span.attributes[Key.CORRELATION] = self._cause.correlation
        return self


class _Appending(_Message):
    __slots__ = ("_subjects",)

    def __init__(self, stream: str, events: "Sequence[Event]", causes: Sequence[Cause]) -> None:
        self._subjects = [f"{event.wire_name()}.*" for event in events]
        cause, links = current_cause(), list[str]()
        if causes:
            # Facts of several stories in one batch: each keeps its own trace, and the batch names them.
            contexts = {cause.traceparent for cause in causes if cause.traceparent}
            cause = causes[0] if len(contexts) == 1 else Cause()
            links = sorted(contexts)[:MOST_LINKS] if len(contexts) > 1 else []
        template = self._subjects[0] if len(set(self._subjects)) == 1 else stream
        super().__init__(Operation.APPEND, Kind.PRODUCER, cause, template, metric=APPEND, labels=(stream,), links=links)
        self.about = {Key.DESTINATION: stream, Key.BATCH: len(events)}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if error is None and switch.counts:
            for subject in self._subjects:
                switch.counts.add(APPENDED, (subject,))


def outcome_of(error: BaseException) -> str:
    """One word of few for how something ended that raised."""
    if isinstance(error, TonetouchError):
        return error.outcome
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return "timeout" if isinstance(error, TimeoutError) else "failed"
