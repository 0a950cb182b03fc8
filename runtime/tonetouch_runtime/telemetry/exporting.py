"""Spans on their way out: made into the SDK's own, batched, and sent to a collector over OTLP (HTTP, protobuf).

What the exporter reads from the environment holds here too, among it ``OTEL_EXPORTER_OTLP_HEADERS`` for a key and
``OTEL_RESOURCE_ATTRIBUTES``. A collector that is away costs spans, never work.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tonetouch_runtime.telemetry.names import Key
from tonetouch_runtime.telemetry.spans import Emit, Kind, Span, parsed

SEND_SECONDS = 5.0
"""How long one batch may take to be sent, further tries included."""

LAST_SECONDS = 1.0
"""How long the end of a process waits for a collector that does not take its last spans."""

_WAITING = 8192
"""Spans that wait to be sent; of more, the oldest are dropped."""

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_WELL = Status(StatusCode.UNSET)
_KINDS = {kind: SpanKind[kind.name] for kind in Kind}


class Exporter:
    """Turns spans into the SDK's and gives them to its batch processor, which sends them from a thread of its own."""

    def __init__(self, service: str, sender: SpanExporter) -> None:
        own = {SERVICE_NAME: service, SERVICE_NAMESPACE: "tonetouch", SERVICE_VERSION: version("tonetouch-runtime")}
        self._resource = Resource.create(own)
        self._scope = InstrumentationScope("tonetouch_runtime")
        self._sender = sender
        self._processor = BatchSpanProcessor(sender, max_queue_size=_WAITING)

    def __call__(self, span: Span) -> None:
        """Take a span that is over."""
        trace, attributes, status = span.trace_id, span.attributes, _WELL
        if span.error:
            attributes[Key.ERROR] = span.error
            status = Status(StatusCode.ERROR, span.error)
        # Only what sends has its parent in this process.
        is_remote = span.kind in (Kind.SERVER, Kind.CONSUMER)
        above = span.parent and SpanContext(trace, span.parent, is_remote=is_remote, trace_flags=_SAMPLED)
        self._processor.on_end(
            # The SDK asks that its users make none of these: they would lack what its tracer sets. All of that is here.
            ReadableSpan(
                name=span.name,
                context=SpanContext(trace, span.span_id, is_remote=False, trace_flags=_SAMPLED),
                parent=above or None,
                resource=self._resource,
                attributes=attributes,
                links=tuple(map(_link, span.links)),
                kind=_KINDS[span.kind],
                status=status,
                start_time=span.began_ns,
                end_time=span.ended_ns,
                instrumentation_scope=self._scope,
            )
        )

    def flush(self) -> None:
        """Return when what was taken has been sent, or dropped."""
        self._processor.force_flush()

    def close(self) -> None:
        """Send what is left, within a bound."""
        # The processor waits for the sender however long it tries; told to stop, it tries no more.
        bound = threading.Timer(LAST_SECONDS, self._sender.shutdown)
        bound.start()
        try:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
        finally:
            bound.cancel()


@contextlib.contextmanager
def exporting(service: str, endpoint: str) -> Iterator[Emit]:
    """Send the spans of a service to the collector at this address for as long as the block lasts."""
    # One line for a batch that is lost, none for each time it was tried.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
    sender = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=SEND_SECONDS)
    exporter = Exporter(service, sender)
    try:
        yield exporter
    finally:
        exporter.close()


def _link(traceparent: str) -> Link:
    trace, span, is_sampled = parsed(traceparent) or (0, 0, False)
    flags = _SAMPLED if is_sampled else TraceFlags.get_default()
    return Link(SpanContext(trace, span, is_remote=True, trace_flags=flags))
