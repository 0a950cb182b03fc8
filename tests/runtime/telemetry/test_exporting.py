"""The way out: a service in a process of its own, and a collector that speaks OTLP, on loopback."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.runtime.installation import provision
from tests.runtime.processes import TINY, service, variables
from tests.runtime.telemetry.collecting import decided, until, uploaded
from tests.servers import free_port, web_server
from tonetouch_runtime import Bus, Log, Settings, SystemClock
from tonetouch_runtime._telemetry import Cause, caused_by


class Collector:
    """What has arrived, by OTLP's own types."""

    def __init__(self) -> None:
        self.received: list[ExportTraceServiceRequest] = []
        self.keys: list[str | None] = []

    async def take(self, request: Request) -> Response:
        assert request.headers["content-type"] == "application/x-protobuf"
        self.keys.append(request.headers.get("x-key"))
        self.received.append(ExportTraceServiceRequest.FromString(await request.body()))
        return Response(ExportTraceServiceResponse().SerializeToString(), media_type="application/x-protobuf")

    @property
    def spans(self) -> list[tuple[str, Any]]:
        """Each span with the service it is of."""
        return [
            (next(one.value.string_value for one in batch.resource.attributes if one.key == "service.name"), span)
            for request in self.received
            for batch in request.resource_spans
            for scope in batch.scope_spans
            for span in scope.spans
        ]


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[Collector, int]]:
    """A collector on a free port."""
    taking = Collector()
    async with web_server(Starlette(routes=[Route("/v1/traces", taking.take, methods=["POST"])])) as port:
        yield taking, port


async def append(settings: Settings, track: str) -> None:
    bus = await Bus.connect(settings.nats_url, "tests")
    with caused_by(Cause(correlation="story", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")):
        await Log(bus, SystemClock(), service="tests").append(decided(uploaded(track)))
    await bus.close()


async def test_a_collector_gets_the_spans_of_a_service(settings: Settings, tmp_path: Path) -> None:
    """With the service's name, its trace, and the header that an operator sets; the last of them at its end."""
    await provision(settings)
    async with collector() as (taking, port):
        told = {
            "TONETOUCH_OTLP_ENDPOINT": f"http://127.0.0.1:{port}/",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-key=of-the-tests",
        }
        with service(tmp_path, {**variables(settings), **told}) as tiny:
            await append(settings, "a")
            await asyncio.to_thread(tiny.until, lambda: bool(tiny.said))
            tiny.tell(signal.SIGTERM)
            assert await asyncio.to_thread(tiny.ended) == 0
        await until(lambda: any(span.name == "hear track.uploaded.*" for _, span in taking.spans))
    [(name, heard)] = [(name, span) for name, span in taking.spans if span.name == "hear track.uploaded.*"]
    assert name == "tiny"
    assert (heard.trace_id.hex(), heard.parent_span_id.hex()) == ("a" * 32, "b" * 16)
    assert set(taking.keys) == {"of-the-tests"}


async def test_a_collector_that_is_away_costs_nothing_but_spans(settings: Settings, tmp_path: Path) -> None:
    """The service works, and ends within a few seconds of being told to."""
    await provision(settings)
    told = {"TONETOUCH_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with service(tmp_path, {**variables(settings), **told}) as tiny:
        await append(settings, "a")
        await asyncio.to_thread(tiny.until, lambda: bool(tiny.said))
        tiny.tell(signal.SIGTERM)
        assert await asyncio.to_thread(tiny.ended, 10.0) == 0


async def test_traces_without_the_library_are_a_wrong_setting(settings: Settings, tmp_path: Path) -> None:
    """One sentence that says what to install; metrics without theirs are left out."""
    missing = """
import sys
sys.modules["prometheus_client"] = sys.modules["opentelemetry.exporter.otlp.proto.http.trace_exporter"] = None
"""
    told = {"TONETOUCH_OTLP_ENDPOINT": "http://127.0.0.1:4318", "TONETOUCH_HEALTH_PORT": str(free_port())}
    with service(tmp_path, {**variables(settings), **told}, missing + TINY) as tiny:
        assert tiny.ended() == 78
    assert tiny.complained[-1].startswith("tiny cannot start: TONETOUCH_OTLP_ENDPOINT is set and")
    assert tiny.complained[-1].endswith("install tonetouch-runtime[telemetry]")


async def test_without_a_collector_nothing_of_it_is_imported(settings: Settings, tmp_path: Path) -> None:
    """A start is no slower for what nobody asked for."""
    await provision(settings)
    program = """
import sys, tonetouch_runtime
from tonetouch_runtime.telemetry import batches, hops, models, requests, scraping, switch
print(*sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter", "prom"))))
"""
    with service(tmp_path, variables(settings), program) as tiny:
        assert tiny.ended() == 0
        assert tiny.said == [""]
