"""Logs as JSON lines with one set of keys, and the context every message carries from hop to hop."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

import msgspec
import structlog


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why something is being done: the message that led to it, the story it belongs to, and its trace."""

    causation: str | None = None
    correlation: str | None = None
    traceparent: str | None = None


_cause: ContextVar[Cause | None] = ContextVar("cause", default=None)


def current_cause() -> Cause:
    """The cause of what runs now; an empty one at the edge, where stories begin."""
    return _cause.get() or Cause()


def new_traceparent() -> str:
    """The start of a W3C trace: version 00, random ids, sampled."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


@contextmanager
def caused_by(cause: Cause) -> Iterator[None]:
    """Everything appended, asked and logged inside carries this cause."""
    token = _cause.set(cause)
    trace = (cause.traceparent or "").split("-")
    with structlog.contextvars.bound_contextvars(
        correlation_id=cause.correlation, causation_id=cause.causation, trace_id=trace[1] if len(trace) == 4 else None
    ):
        try:
            yield
        finally:
            _cause.reset(token)


def put_cause(cause: Cause) -> Token[Cause | None]:
    """The same without the log's lines, for what only sends; undone by `take_cause_back`."""
    return _cause.set(cause)


def take_cause_back(token: Token[Cause | None]) -> None:
    """The cause is again what it was before `put_cause`."""
    _cause.reset(token)


def configure_logs(service: str, level: str) -> None:
    """One JSON object per line on standard error, from structlog and from libraries alike."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        lambda _, __, event: {"service": service, **event},
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("botocore", "boto3", "urllib3", "s3transfer", "faststream"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def logger() -> structlog.stdlib.BoundLogger:
    """The logger; events are full words in the past tense, values are fields."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger()
    return bound
