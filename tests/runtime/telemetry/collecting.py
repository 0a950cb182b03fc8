"""What a process tells of itself, kept in memory, and a small service that takes every kind of hop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlmodel import Field, SQLModel

from tests.runtime.installation import provision
from tonetouch_contracts.identity import ContentHash, TrackId, UserId
from tonetouch_contracts.track import ShowTrack, TrackUploaded, TrackView
from tonetouch_runtime import App, Decision, Floor, Recorded, Refused, Router, Settings, Task, Writer, running
from tonetouch_runtime.telemetry.counting import Counts
from tonetouch_runtime.telemetry.exporting import Exporter
from tonetouch_runtime.telemetry.spans import Tracer
from tonetouch_runtime.telemetry.switch import counting, tracing

PATIENCE_SECONDS = 20.0


class Collected:
    """The spans that came out, made by the real exporter and kept instead of sent."""

    def __init__(self) -> None:
        self._sender = InMemorySpanExporter()
        self.exporter = Exporter("tests", self._sender)

    @property
    def spans(self) -> list[ReadableSpan]:
        """All of them so far, in the order of their beginnings."""
        self.exporter.flush()
        return sorted(self._sender.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    async def one(self, name: str) -> ReadableSpan:
        """The one span of this name, as soon as it is there."""
        await until(lambda: bool(self.named(name)))
        [span] = self.named(name)
        return span


@contextmanager
def collecting(share: float = 1.0) -> Iterator[Collected]:
    """Trace for as long as the block lasts."""
    collected = Collected()
    with tracing(Tracer(collected.exporter, share=share)):
        yield collected
    collected.exporter.close()


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    trace: int = span.context.trace_id
    return trace


def is_below(span: ReadableSpan, other: ReadableSpan) -> bool:
    """Whether a span is a child of the other."""
    assert other.context is not None
    return (
        span.parent is not None and span.parent.span_id == other.context.span_id and trace_of(span) == trace_of(other)
    )


def links_to(span: ReadableSpan) -> list[int]:
    """The traces it has links to."""
    return [link.context.trace_id for link in span.links]


class TracedRow(SQLModel, table=True):
    """Something to keep."""

    __tablename__ = "test_traced"
    id: str = Field(primary_key=True)


def uploaded(track: str) -> TrackUploaded:
    return TrackUploaded(
        track_id=TrackId(track),
        uploaded_by=UserId("admin"),
        object_key=f"incoming/{track}",
        size_bytes=1,
        sha256=ContentHash("0" * 64),
        file_name="a.mp3",
    )


class Hopping:
    """A service that passes an upload on: asked, appended, heard, queued, worked on, kept."""

    def __init__(self) -> None:
        self.worked: list[Task] = []
        self.failures: list[Exception] = []
        router = Router()
        router.answers(ShowTrack)(self._show)
        router.hears(TrackUploaded, consumer="ingest-starting")(self._hear)
        router.works("INGEST_Q", "stage", consumer="ingest-stage")(self._work)
        router.keeps(TracedRow, hears=(TrackUploaded,))(self._keep)
        self.app = App(name="catalog", routers=(router,))

    async def _show(self, command: ShowTrack, floor: Floor) -> TrackView:
        if command.track_id == "nobody":
            raise Refused("not_found", "There is no such track.")
        if command.track_id == "bug":
            raise RuntimeError("a bug")
        await floor.log.append(decided(uploaded(command.track_id)))
        return TrackView(id=command.track_id, status="uploaded", file_name="a.mp3")

    async def _hear(self, fact: Recorded[TrackUploaded], floor: Floor) -> None:
        if self.failures:
            raise self.failures.pop(0)
        await floor.enqueue("INGEST_Q", "stage", fact.event.track_id)

    async def _work(self, task: Task, floor: Floor) -> None:
        self.worked.append(task)

    def _keep(self, facts: Sequence[Recorded[Any]], rows: Writer) -> None:
        rows.upsert([{"id": fact.event.track_id} for fact in facts])


def decided(event: TrackUploaded) -> Decision:
    return Decision(entity_id=event.track_id, events=(event,), expected=None)


@asynccontextmanager
async def hopping(settings: Settings) -> AsyncIterator[tuple[Hopping, Floor]]:
    """The service, running on an installation of its own."""
    service = Hopping()
    await provision(settings)
    async with running(service.app, settings) as floor:
        yield service, floor


@contextmanager
def counted() -> Iterator[Counts]:
    """Count for as long as the block lasts."""
    with counting(Counts()) as counts:
        yield counts


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, within a bound."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)
