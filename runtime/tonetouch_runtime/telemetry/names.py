"""The names that dashboards, alerts and searches use: every metric, every kind of span, every attribute. Nowhere else.

Labels are few and bounded: services, streams, tables, consumers, subject templates, models. Never an id, never a name
of a person or a file. What OpenTelemetry's conventions name is named as they do (messaging and generative AI, both
still in development there); the rest begins with ``tonetouch.``.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds of a hop over the bus or a transaction: an append on a disk that syncs takes about half a millisecond."""

LONG = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0)
"""Seconds of a step of work or of a model's answer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """One metric. Every series carries `service` before its `labels`; `buckets` are the bounds of a histogram."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _timed(name: str, meaning: str, *labels: str, buckets: tuple[float, ...] = SHORT) -> Metric:
    return Metric(name=f"tonetouch_{name}_seconds", kind="histogram", meaning=meaning, labels=labels, buckets=buckets)


def _counted(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name=f"tonetouch_{name}_total", kind="counter", meaning=meaning, labels=labels)


def _read(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name=f"tonetouch_{name}", kind="gauge", meaning=meaning, labels=labels)


HTTP = _timed("http_answer", "From a request until its answer begins.", "method", "route", "status")
ASK = _timed("ask", "From asking another service until its answer is read.", "subject", "outcome")
ANSWER = _timed("answer", "From reading a question until it is answered.", "subject", "outcome")
APPEND = _timed("append", "One append, with all it takes to learn its outcome.", "stream", "outcome")
APPENDED = _counted("appended_events", "Events that were committed.", "subject")
QUEUED = _timed("queue", "Putting one step on a work queue.", "subject", "outcome")
HEARD = _timed("hear", "One attempt of one handler.", "consumer", "subject", "outcome", buckets=LONG)
WORKED = _timed("work", "One attempt at queued work.", "consumer", "outcome", buckets=LONG)
KEPT = _timed("keep", "One transaction of a batch of events, rows and positions together.", "stream")
KEPT_EVENTS = _counted("kept_events", "Events that the tables were moved past.", "stream")
DELAY = _timed("projection_delay", "From the time of an event until the tables show it, worst of a batch.", "stream")

CALL = _timed("ai_call", "One call to a model, from sending it.", "provider", "model", "task", "outcome", buckets=LONG)
FIRST_PIECE = _timed("ai_first_piece", "From a call to the first piece of a stream.", "provider", "model", "task")
WAITED = _timed("ai_wait", "What a call waited for its turn.", "provider", "model", "task", buckets=LONG)
ANSWERED = _counted("ai_answers", "Answers, by how they were come by.", "task", "feature", "cache")

READY = _read("ready", "1 where the service can do its work.")
CHECK = _read("check", "1 where this part of the readiness probe is well.", "check")
HEAD = _read("stream_head", "The last sequence of a stream, asked of the server at the scrape.", "stream")
POSITION = _read("part_position", "How far a projection or a consumer has come.", "part", "kind", "stream")
BEHIND = _read("part_behind_events", "What a part still has to take.", "part", "kind", "stream")
BEHIND_SECONDS = _read(
    "part_behind_seconds", "Age of the first event that a part has not taken.", "part", "kind", "stream"
)
IN_HAND = _read("part_in_hand_events", "What a part was given and has not finished.", "part", "kind", "stream")
STUCK = _read("part_stuck", "1 where a part is stalled, paused or broken.", "part", "kind", "stream", "state")
PARKED = _read("parked_events", "Events that are parked, or wait behind one that is.", "part", "kind", "stream")
PARKED_SECONDS = _read("parked_oldest_seconds", "Age of the oldest parked event.", "part", "kind", "stream")

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All of them, in the order above."""


class Operation(StrEnum):
    """The first word of a span's name; after it comes the template of what it is done to, or the model."""

    ASK = "ask"
    ANSWER = "answer"
    APPEND = "append"
    QUEUE = "queue"
    HEAR = "hear"
    WORK = "work"
    KEEP = "keep"


class Key(StrEnum):
    """The attributes of spans. Unlike labels they may hold ids."""

    SYSTEM = "messaging.system"
    OPERATION = "messaging.operation.name"
    OPERATION_TYPE = "messaging.operation.type"
    DESTINATION = "messaging.destination.name"
    TEMPLATE = "messaging.destination.template"
    GROUP = "messaging.consumer.group.name"
    BATCH = "messaging.batch.message_count"
    MESSAGE = "messaging.message.id"
    CORRELATION = "messaging.message.conversation_id"
    ERROR = "error.type"
    METHOD = "http.request.method"
    ROUTE = "http.route"
    STATUS = "http.response.status_code"
    AI_OPERATION = "gen_ai.operation.name"
    AI_PROVIDER = "gen_ai.provider.name"
    AI_MODEL = "gen_ai.request.model"
    AI_ANSWERED_BY = "gen_ai.response.model"
    AI_INPUT_TOKENS = "gen_ai.usage.input_tokens"
    AI_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
    AI_FEATURE = "tonetouch.ai.feature"
    AI_JOB = "tonetouch.ai.job"
    OUTCOME = "tonetouch.outcome"
    ENTITY = "tonetouch.entity"
    SEQUENCE = "tonetouch.sequence"
    REPLAYED = "tonetouch.replayed"
    DELIVERIES = "tonetouch.deliveries"


ROOT = "service"
"""The label that says which service a series is of."""
