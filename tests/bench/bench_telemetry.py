"""What telemetry costs: appending and answering with all of it off, with metrics, and with metrics and traces.

Traces are made, batched and encoded as for a collector, by the SDK's own thread in this process; only the socket is
left out. The peer is the SDK's own spans around the same call, as many, with as many attributes, batched and encoded in
the same way. Everything in turns, and by the time the process itself has used: what else the machine does is not in it.
"""

import contextlib
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

from tests.runtime.installation import provision
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Health, ShowHealth
from tonetouch_contracts.track import TrackRejected
from tonetouch_runtime import Bus, Decision, Log, Settings, SystemClock
from tonetouch_runtime._answering import answer_on
from tonetouch_runtime._memory import settle_memory
from tonetouch_runtime._telemetry import Cause
from tonetouch_runtime.telemetry.counting import Counts
from tonetouch_runtime.telemetry.exporting import Exporter
from tonetouch_runtime.telemetry.hops import answering, asking
from tonetouch_runtime.telemetry.spans import Tracer
from tonetouch_runtime.telemetry.switch import counting, tracing

ROUNDS = 24
CALLS = 200
ASIDE = 20_000

MOST_WITH_METRICS = 1.15
MOST_OF_THE_SDK = 0.9
MOST_OFF_US = 2.0

ATTRIBUTES: Mapping[str, str | int] = {
    "messaging.system": "nats",
    "operation": "append",
    "type": "send",
    "template": "t.*",
    "batch": 1,
    "o": "done",
}
"""As many as one of our hops has."""

Call = Callable[[], Awaitable[object]]
Way = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Calls per second, and what each took of this process's own time, the sending thread's included."""

    rate: float
    own_us: float


class Encoding(SpanExporter):
    """Does all that is done for a collector but sending it."""

    def __init__(self) -> None:
        self.bytes = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.bytes += len(encode_spans(spans).SerializeToString())
        return SpanExportResult.SUCCESS


@contextlib.contextmanager
def metrics_on() -> Iterator[None]:
    with counting(Counts()):
        yield


def all_on(exporter: Exporter) -> Way:
    """Every span is encoded before the block ends."""

    @contextlib.contextmanager
    def way() -> Iterator[None]:
        with counting(Counts()), tracing(Tracer(exporter)):
            yield
        exporter.flush()

    return way


def flushed(provider: TracerProvider) -> Way:
    """The same for spans of the SDK."""

    @contextlib.contextmanager
    def way() -> Iterator[None]:
        yield
        provider.force_flush()

    return way


def in_spans_of(provider: TracerProvider, call: Call, hops: int) -> Call:
    """The call inside so many spans of the SDK, each with the attributes of a hop."""
    tracer = provider.get_tracer("bench")

    async def traced() -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(hops):
                span = tracer.start_as_current_span("append t.*", kind=SpanKind.PRODUCER, attributes=ATTRIBUTES)
                stack.enter_context(span)
            await call()

    return traced


@pytest.mark.bench
async def test_appending_and_answering_cost_little_more_with_telemetry(settings: Settings) -> None:
    """Metrics add 15 % at the most to the process's own time, and metrics and every trace less than the SDK's spans."""
    await provision(settings)
    bus = await Bus.connect(settings.nats_url, "bench")
    clock = SystemClock()
    log = Log(bus, clock, service="bench")

    async def append() -> None:
        event = TrackRejected(track_id=TrackId(clock.new_id()), reason="measured")
        await log.append(Decision(entity_id=event.track_id, events=(event,), expected=0))

    async def answer(_: ShowHealth) -> Health:
        return Health(service="bench", ready=True, checks={})

    async def seen(_: dict[str, int]) -> None:
        return None

    answer_on(bus, "bench", ShowHealth, answer, seen)
    await bus.broker.start()
    settle_memory()  # as a service's process does once it has started

    async def ask() -> None:
        await bus.ask(ShowHealth(), service="bench")

    try:
        for what, call, hops in (("append", append, 1), ("ask and answer", ask, 2)):
            await _compare(what, call, hops)
    finally:
        await bus.close()


async def _compare(what: str, call: Call, hops: int) -> None:
    exporter, peer = Exporter("bench", Encoding()), TracerProvider(shutdown_on_exit=False)
    peer.add_span_processor(BatchSpanProcessor(Encoding()))
    ways: Sequence[tuple[Way, Call]] = (
        (contextlib.nullcontext, call),
        (metrics_on, call),
        (all_on(exporter), call),
        (flushed(peer), in_spans_of(peer, call, hops)),
    )
    rounds = [[await _measured(one, way) for way, one in ways] for _ in range(ROUNDS)][1:]
    exporter.close()
    peer.shutdown()
    columns = list(zip(*rounds, strict=True))
    off, metrics, traces, sdk = (statistics.median(one.own_us for one in column) for column in columns)
    rates = ", ".join(f"{statistics.median(one.rate for one in column):,.0f}" for column in columns)
    with_metrics = statistics.median(one[1].own_us / one[0].own_us for one in rounds)
    added, by_the_sdk = (statistics.median(one[n].own_us - one[0].own_us for one in rounds) for n in (2, 3))
    of_the_sdk = added / by_the_sdk
    print(
        f"\n{what}: this process's own time {off:.0f} µs off, {metrics:.0f} with metrics ({with_metrics:.2f}, "
        f"at most {MOST_WITH_METRICS}), {traces:.0f} with traces too ({traces / off:.2f}), {sdk:.0f} with spans of the "
        f"SDK alone: ours add {of_the_sdk:.2f} of what these add, at most {MOST_OF_THE_SDK}; {rates} in a second"
    )
    assert with_metrics <= MOST_WITH_METRICS
    assert of_the_sdk <= MOST_OF_THE_SDK


async def _measured(call: Call, way: Way) -> Measured:
    own = time.process_time()
    with way():
        started = time.perf_counter()
        for _ in range(CALLS):
            await call()
        rate = CALLS / (time.perf_counter() - started)
    return Measured(rate=rate, own_us=(time.process_time() - own) / CALLS * 1e6)


@pytest.mark.bench
def test_a_hop_costs_nothing_while_telemetry_is_off() -> None:
    """Around asking two microseconds at the most; around answering it is what binding a cause was before."""
    exporter = Exporter("bench", Encoding())
    cause = Cause(correlation="story", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    off = _microseconds(lambda: asking("cmd.catalog.show-track"))
    bound = _microseconds(lambda: answering("cmd.catalog.show-track", cause))
    with counting(Counts()):
        counted = _microseconds(lambda: asking("cmd.catalog.show-track"))
        with tracing(Tracer(exporter)):
            traced = _microseconds(lambda: asking("cmd.catalog.show-track"))
    exporter.close()
    said = f"off {off:.2f} µs, off with a cause {bound:.1f}, metrics {counted:.1f}, metrics and traces {traced:.1f}"
    print(f"\na hop: {said}")
    assert off <= MOST_OFF_US


def _microseconds(hop: Callable[[], contextlib.AbstractContextManager[object]]) -> float:
    samples = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(ASIDE // 5):
            with hop():
                pass
        samples.append((time.perf_counter() - started) / (ASIDE // 5) * 1e6)
    return min(samples)
