"""Stepping through an entity, on a real server."""

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from tonetouch_contracts import manifest
from tonetouch_contracts.identity import ContentHash, TrackId, UserId
from tonetouch_contracts.message import Event
from tonetouch_contracts.operating import Stepped, StepThrough
from tonetouch_contracts.track import TrackRejected, TrackUploaded
from tonetouch_runtime import Bus, Decision, Log, SystemClock
from tonetouch_runtime._stepping import stepping
from tonetouch_runtime.provisioning import apply

Steps = Callable[[StepThrough], Awaitable[Stepped]]

EVENTS = (
    TrackUploaded(
        track_id=TrackId("t"),
        uploaded_by=UserId("admin"),
        object_key="incoming/t",
        size_bytes=7,
        sha256=ContentHash("0" * 64),
        file_name="Ærø.mp3",
    ),
    TrackRejected(track_id=TrackId("t"), reason="silence"),
    TrackRejected(track_id=TrackId("t"), reason="noise"),
)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A noun with what is not JSON by itself: a set, and bytes."""

    name: str = ""
    reasons: frozenset[str] = frozenset()
    mark: bytes = b"\xff"

    def evolve(self, event: Event) -> "Case":
        match event:
            case TrackUploaded():
                return msgspec.structs.replace(self, name=event.file_name)
            case TrackRejected():
                return msgspec.structs.replace(self, reasons=self.reasons | {event.reason})
        return self


class Refusals(msgspec.Struct, frozen=True, kw_only=True):
    """A noun that an upload does not concern."""

    count: int = 0

    def evolve(self, event: Event) -> "Refusals":
        return Refusals(count=self.count + 1) if isinstance(event, TrackRejected) else self


class Bystander(msgspec.Struct, frozen=True, kw_only=True):
    """A noun that nothing of this concerns."""

    def evolve(self, event: Event) -> "Bystander":
        return self


@pytest.fixture(name="bus")
async def _bus(fresh_nats_url: str) -> AsyncIterator[Bus]:
    bus = await Bus.connect(fresh_nats_url, "test")
    await apply(bus.jetstream, [manifest.stream_of(TrackUploaded)], [], [], leases=[])
    yield bus
    await bus.close()


@pytest.fixture(name="log")
async def _log(bus: Bus) -> Log:
    """Three events of one entity."""
    log = Log(bus, SystemClock(), service="test", settle_seconds=20.0)
    await log.append(Decision(entity_id="t", events=EVENTS, expected=0))
    return log


@pytest.fixture(name="steps")
def _steps(log: Log) -> Steps:
    """A service with two nouns."""
    return stepping("cases", {Case: "CATALOG", Bystander: "CATALOG"}, log)


async def test_each_event_tells_what_it_changed(steps: Steps) -> None:
    """The fields that are another than before, as JSON; a noun that nothing changed is not there."""
    stepped = await steps(StepThrough(entity_id="t"))
    [noun] = stepped.nouns
    assert (stepped.service, noun.noun, noun.stream, noun.next_after) == ("cases", "Case", "CATALOG", None)
    assert noun.before == {"name": "", "reasons": [], "mark": "/w=="}
    assert [(step.sequence, step.wire_name, step.changed) for step in noun.steps] == [
        (1, "track.uploaded", {"name": "Ærø.mp3"}),
        (2, "track.rejected", {"reasons": ["silence"]}),
        (3, "track.rejected", {"reasons": ["noise", "silence"]}),
    ]


async def test_a_long_life_is_told_in_parts(steps: Steps) -> None:
    """The next part begins with the state that the last one ended with."""
    [first] = (await steps(StepThrough(entity_id="t", limit=2))).nouns
    assert (len(first.steps), first.next_after) == (2, 2)
    assert first.next_after is not None
    [rest] = (await steps(StepThrough(entity_id="t", after=first.next_after, limit=2, noun="Case"))).nouns
    assert rest.before == {"name": "Ærø.mp3", "reasons": ["silence"], "mark": "/w=="}
    assert ([step.sequence for step in rest.steps], rest.next_after) == ([3], None)


async def test_an_event_that_cannot_be_read_is_a_step_with_a_note(steps: Steps, bus: Bus) -> None:
    """It changes nothing, and those before and after it are told as ever."""
    await bus.jetstream.publish("track.rejected.t", b"no JSON")
    [noun] = (await steps(StepThrough(entity_id="t"))).nouns
    assert [bool(step.note) for step in noun.steps] == [False, False, False, True]
    assert noun.steps[-1].changed == {}


async def test_what_nobody_heard_of_is_nothing(steps: Steps) -> None:
    """No nouns, and no error: another service may know it."""
    assert (await steps(StepThrough(entity_id="nobody"))).nouns == ()


async def test_a_noun_whose_story_begins_late_is_told_from_the_first_event(log: Log) -> None:
    """A part without a change is told too, or else nobody would ask for the next one."""
    late = stepping("cases", {Refusals: "CATALOG"}, log)
    [noun] = (await late(StepThrough(entity_id="t", limit=1))).nouns
    assert ([step.changed for step in noun.steps], noun.next_after) == ([{}], 1)
