"""One upload as it stands in the log: four events of three services, and an event of another story in between."""

from dataclasses import dataclass

from tests.ai_ledger import jobs
from tests.catalog.music import ingest_started, publishing, uploaded
from tonetouch_catalog.track import published_as
from tonetouch_contracts import manifest
from tonetouch_contracts.message import Event
from tonetouch_runtime import Bus, Decision, Log, Recorded, SystemClock
from tonetouch_runtime._telemetry import Cause, caused_by
from tonetouch_runtime.provisioning import apply


@dataclass(frozen=True, kw_only=True)
class Story:
    """Who it is about, and its events in the order in which they happened."""

    url: str
    track_id: str
    uploaded: Recorded[Event]
    started: Recorded[Event]
    called: Recorded[Event]
    published: Recorded[Event]
    elsewhere: Recorded[Event]

    @property
    def correlation(self) -> str:
        """The story they all belong to."""
        return self.uploaded.correlation or ""


async def told(url: str) -> Story:
    """Make the streams and let it happen: uploaded, taken on, a model asked, published."""
    bus = await Bus.connect(url, "story")
    try:
        await apply(bus.jetstream, manifest.STREAMS, manifest.QUEUES, manifest.CONSUMERS)
        return await _happening(url, bus)
    finally:
        await bus.close()


async def _happening(url: str, bus: Bus) -> Story:
    clock = SystemClock()
    log = Log(bus, clock, service="tests", settle_seconds=20.0)
    track_id = clock.new_id()
    first = await _said(log, uploaded(track_id, title="Ærø – 夜"))
    elsewhere = await _said(log, uploaded(clock.new_id()))
    started = await _said(log, ingest_started(track_id), because=first)
    called = await _said(log, jobs.started(clock.new_id()), because=started)
    published = await _said(log, published_as(publishing(track_id)), because=started, expected=first.sequence)
    return Story(
        url=url,
        track_id=track_id,
        uploaded=first,
        started=started,
        called=called,
        published=published,
        elsewhere=elsewhere,
    )


async def _said(
    log: Log, event: Event, *, because: Recorded[Event] | None = None, expected: int = 0
) -> Recorded[Event]:
    cause = Cause(causation=because.id, correlation=because.correlation) if because else Cause()
    with caused_by(cause):
        positions = await log.append(Decision(entity_id=event.entity_id, events=(event,), expected=expected))
    [stream] = positions
    return (await log.history(stream, event.entity_id))[-1]
