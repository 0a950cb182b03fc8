"""Whether this process counts and traces. Hops look here each time; both are None until somebody turns them on."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tonetouch_runtime.errors import Misconfigured
from tonetouch_runtime.telemetry.counting import Counts
from tonetouch_runtime.telemetry.spans import Emit, Tracer

if TYPE_CHECKING:
    from tonetouch_runtime.settings import Settings

tracer: Tracer | None = None
counts: Counts | None = None


@contextlib.contextmanager
def turned_on(service: str, settings: "Settings") -> Iterator[None]:
    """Count and trace in this process as the settings say, for as long as the block lasts.

    It is one for the whole process, as a process is one service: who comes second shares what is there. Without the
    extra `telemetry` nothing is counted; raises Misconfigured where traces are asked for.
    """
    with contextlib.ExitStack() as stack:
        if settings.metrics and settings.health_port and counts is None and find_spec("prometheus_client"):
            stack.enter_context(counting(Counts()))
        if settings.otlp_endpoint and tracer is None:
            exporting = _exporting()
            emit = stack.enter_context(exporting(service, settings.otlp_endpoint))
            stack.enter_context(tracing(Tracer(emit, share=settings.trace_share)))
        yield


def _exporting() -> Callable[[str, str], AbstractContextManager[Emit]]:
    # Half a second of imports, which nobody waits for who has no collector.
    try:
        from tonetouch_runtime.telemetry.exporting import exporting
    except ImportError as error:
        words = f"TONETOUCH_OTLP_ENDPOINT is set and {error.name} is missing: install tonetouch-runtime[telemetry]"
        raise Misconfigured(words) from None
    return exporting


@contextlib.contextmanager
def counting(into: Counts) -> Iterator[Counts]:
    """Count into these."""
    global counts
    before, counts = counts, into
    try:
        yield into
    finally:
        counts = before


@contextlib.contextmanager
def tracing(by: Tracer) -> Iterator[None]:
    """Trace by this one."""
    global tracer
    before, tracer = tracer, by
    try:
        yield
    finally:
        tracer = before
