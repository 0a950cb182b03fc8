"""Whether this process counts and traces. Hops look here each time; both are None until somebody turns them on."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tonetouch_runtime.telemetry.counting import Counts
from tonetouch_runtime.telemetry.spans import Tracer

if TYPE_CHECKING:
    from tonetouch_runtime.settings import Settings

tracer: Tracer | None = None
counts: Counts | None = None


@contextlib.contextmanager
def turned_on(service: str, settings: "Settings") -> Iterator[None]:
    """Count and trace in this process as the settings say, for as long as the block lasts.

    It is one for the whole process, as a process is one service: who comes second shares what is there.
    """
    with contextlib.ExitStack() as stack:
        if settings.metrics and settings.health_port and counts is None:
            stack.enter_context(counting(Counts()))
        if settings.otlp_endpoint and tracer is None:
            # Half a second of imports, which nobody waits for who has no collector.
            from tonetouch_runtime.telemetry.exporting import exporting

            emit = stack.enter_context(exporting(service, settings.otlp_endpoint))
            stack.enter_context(tracing(Tracer(emit, share=settings.trace_share)))
        yield


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
