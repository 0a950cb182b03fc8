"""Ingest on real servers, with stand-ins for the services it asks, and what its tests do to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from tonetouch_contracts.finding import FindSounds, SoundMatch, SoundMatches
from tonetouch_contracts.identity import ContentHash, TrackId, UserId
from tonetouch_contracts.message import Done, Event
from tonetouch_contracts.track import DescribeTrack, MarkDuplicate, PublishTrack, RejectTrack, TrackUploaded
from tonetouch_contracts.upload import IngestView, ShowIngest, StepView
from tonetouch_runtime import App, Floor, Refused, Router, Unavailable


class Nothing(msgspec.Struct, frozen=True):
    """A noun without rules."""

    def evolve(self, event: Event) -> "Nothing":
        return self


class Neighbours:
    """What ingest asks of catalog and recommend, remembered.

    Catalog refuses while it is `away`. Recommend finds `matches`, and answers when `together` have asked, all at once.
    """

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.away = False
        self.matches: tuple[SoundMatch, ...] = ()
        self.together = 1
        self._waiting: list[asyncio.Event] = []
        catalog, recommend = Router(), Router()
        for command in (PublishTrack, MarkDuplicate, RejectTrack, DescribeTrack):
            catalog.answers(command)(self.done)
        recommend.answers(FindSounds)(self.find)
        self.apps = (App(name="catalog", routers=(catalog,)), App(name="recommend", routers=(recommend,)))

    async def done(self, command: Any, floor: Floor) -> Done:
        if self.away:
            raise Unavailable("catalog is away")
        self.asked.append(command)
        return Done()

    async def find(self, command: FindSounds, floor: Floor) -> SoundMatches:
        self._waiting.append(here := asyncio.Event())
        if len(self._waiting) >= self.together:
            for waiting in self._waiting:
                waiting.set()
            self._waiting.clear()
        await here.wait()
        return SoundMatches(items=tuple(match for match in self.matches if match.track_id != command.track_id))

    def forget(self) -> None:
        """As at the beginning: nothing asked, nobody away, nothing to find."""
        self.asked.clear()
        self.away, self.matches, self.together = False, (), 1

    def of(self, kind: type) -> list[Any]:
        return [command for command in self.asked if isinstance(command, kind)]

    def published(self, track_id: TrackId) -> PublishTrack:
        """What catalog was told of this track."""
        (said,) = [command for command in self.of(PublishTrack) if command.track_id == track_id]
        assert isinstance(said, PublishTrack)
        return said


async def upload(
    floor: Floor,
    file: Path,
    *,
    name: str | None = None,
    cover: bytes | None = None,
    lyrics: bytes | None = None,
    **said: Any,
) -> TrackId:
    """What the gateway and catalog do: the bytes under incoming/, and the fact in the log."""
    track_id = TrackId(floor.clock.new_id())

    async def body() -> AsyncIterator[bytes]:
        with file.open("rb") as content:
            while piece := content.read(1 << 20):
                yield piece

    stored = await floor.objects.upload(f"incoming/{track_id}", body())
    for part, data in (("cover", cover), ("lyrics", lyrics)):
        if data is not None:
            said[f"{part}_key"] = f"incoming/{track_id}.{part}"
            await floor.objects.put(said[f"{part}_key"], data)
    await say_uploaded(
        floor, track_id, sha256=stored.sha256, size_bytes=stored.size, file_name=name or file.name, **said
    )
    return track_id


async def say_uploaded(floor: Floor, track_id: TrackId, *, sha256: str, **said: Any) -> None:
    """Catalog's fact alone, whatever lies under incoming/."""
    event = TrackUploaded(
        track_id=track_id,
        uploaded_by=UserId("admin"),
        object_key=f"incoming/{track_id}",
        sha256=ContentHash(sha256),
        **{"size_bytes": 1, "file_name": "song.flac", **said},
    )
    await floor.log.transact("CATALOG", track_id, Nothing(), lambda _: event)


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 60.0) -> None:
    """Wait for a condition, with a bound."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def shown(floor: Floor, track_id: TrackId) -> IngestView | None:
    """The upload as anybody sees it; None before ingest has heard of it."""
    try:
        return (await floor.ask(ShowIngest(track_id=track_id))).value
    except Refused:
        return None


async def ended(floor: Floor, track_id: TrackId, *statuses: str, seconds: float = 60.0) -> IngestView:
    """Wait until the upload has one of these statuses and no step waits or runs any more."""
    found: list[IngestView] = []

    async def has_ended() -> bool:
        view = await shown(floor, track_id)
        if view is None or view.status not in statuses:
            return False
        found.append(view)
        return all(step.state not in ("waiting", "running") for step in view.steps)

    await until(has_ended, seconds=seconds)
    return found[-1]


async def with_status(floor: Floor, track_id: TrackId, status: str, *, seconds: float = 60.0) -> IngestView:
    """Wait until the upload has this status, wherever its steps stand."""

    async def has_it() -> bool:
        view = await shown(floor, track_id)
        return view is not None and view.status == status

    await until(has_it, seconds=seconds)
    view = await shown(floor, track_id)
    assert view is not None
    return view


def step_of(view: IngestView, name: str) -> StepView:
    """One step of an upload."""
    return next(step for step in view.steps if step.name == name)


async def keys(floor: Floor, *prefixes: str) -> list[str]:
    """What lies in the object store under these prefixes."""
    return [found.key for prefix in prefixes or ("",) async for found in floor.objects.list(prefix)]


async def notes(floor: Floor, track_id: TrackId) -> tuple[str, ...]:
    """What was noted of an upload without being held against it."""
    return (await floor.ask(ShowIngest(track_id=track_id))).value.notes
