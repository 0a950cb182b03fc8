"""Ingest as a whole, on real servers, with stand-ins for the services it asks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tonetouch_contracts.finding import FindSounds, SoundMatches
from tonetouch_contracts.identity import ContentHash, TrackId, UserId
from tonetouch_contracts.message import Done, Event
from tonetouch_contracts.track import DescribeTrack, MarkDuplicate, PublishTrack, RejectTrack, TrackUploaded
from tonetouch_contracts.upload import (
    EmbeddingDone,
    IngestView,
    ListIngests,
    RetryIngest,
    ShowIngest,
)
from tonetouch_ingest.app import app
from tonetouch_runtime import App, Floor, Refused, Router, Settings, Unavailable, running

from tests.runtime.installation import provision
from tests.sounds import encode, song


class Nothing(msgspec.Struct, frozen=True):
    """A noun without rules."""

    def evolve(self, event: Event) -> "Nothing":
        return self


class Neighbours:
    """What ingest asks of catalog and recommend, remembered."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.away = False
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
        return SoundMatches(items=())

    def of(self, kind: type) -> list[Any]:
        return [command for command in self.asked if isinstance(command, kind)]


@pytest.fixture(name="neighbours")
def _neighbours() -> Neighbours:
    return Neighbours()


@pytest.fixture(name="floor")
async def _floor(neighbours: Neighbours, settings: Settings) -> AsyncIterator[Floor]:
    await provision(settings)
    async with AsyncExitStack() as stack:
        for neighbour in neighbours.apps:
            await stack.enter_async_context(running(neighbour, settings))
        yield await stack.enter_async_context(running(app, settings))


async def upload(floor: Floor, file: Path, **said: Any) -> TrackId:
    """What the gateway and catalog do: the bytes under incoming/, and the fact in the log."""
    track_id = TrackId(floor.clock.new_id())
    key = f"incoming/{track_id}"

    async def body() -> AsyncIterator[bytes]:
        yield file.read_bytes()

    stored = await floor.objects.upload(key, body())
    event = TrackUploaded(
        track_id=track_id,
        uploaded_by=UserId("admin"),
        object_key=key,
        size_bytes=stored.size,
        sha256=ContentHash(stored.sha256),
        file_name=file.name,
        **said,
    )
    await floor.log.transact("CATALOG", track_id, Nothing(), lambda _: event)
    return track_id


async def ended(floor: Floor, track_id: TrackId, *statuses: str, seconds: float = 60.0) -> IngestView:
    """Wait until the upload has one of these statuses and no step runs any more."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                view = (await floor.ask(ShowIngest(track_id=track_id))).value
                if view.status in statuses and all(step.state not in ("waiting", "running") for step in view.steps):
                    return view
            except Refused:
                pass
            await asyncio.sleep(0.05)


async def test_an_upload_goes_through_every_step(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """Published with what was measured; every step done, accounted for, and nothing left in incoming/."""
    file = encode(song(3, seconds=20.0, bpm=110.0, key="A", mode="minor"), tmp_path / "01 - Evening.flac")
    track_id = await upload(floor, file, artist="Somebody")
    view = await ended(floor, track_id, "published")
    states = {step.name: step.state for step in view.steps}
    assert states.pop("describe_cover") == "skipped"
    assert set(states.values()) == {"done"}
    (published,) = neighbours.of(PublishTrack)
    assert (published.title, published.artist, published.audio.codec) == ("Evening", "Somebody", "flac")
    assert published.duration_seconds == pytest.approx(20.0, abs=0.2)
    assert published.loudness_lufs is not None
    assert "title" in published.guessed
    assert neighbours.of(DescribeTrack)
    assert [found.key async for found in floor.objects.list("incoming/")] == []
    assert [found.key async for found in floor.objects.list("audio/")] == [f"audio/{published.audio.sha256}"]


async def test_lyrics_are_embedded_passage_by_passage(floor: Floor, tmp_path: Path) -> None:
    """All vectors of a track come in one decision, the description's last."""
    file = encode(song(4, seconds=15.0), tmp_path / "song.mp3")
    lyrics = "[00:01.00] Lanterns over the water\n[00:04.00] and nobody home\n\n[00:08.00] Morning comes by train\n"
    key = f"incoming/{floor.clock.new_id()}.lyrics"
    await floor.objects.put(key, lyrics.encode())
    track_id = await upload(floor, file, lyrics_key=key)
    await ended(floor, track_id, "published")
    done = [
        recorded.event
        for recorded in await floor.log.history("INGEST", track_id)
        if isinstance(recorded.event, EmbeddingDone)
    ]
    assert [event.kind for event in done] == ["lyrics"] * (len(done) - 1) + ["description"]
    assert {"Lanterns", "Morning"} <= set(" ".join(event.text for event in done[:-1]).split())
    assert all(len(event.vector) == 2 * event.dimension == 2048 for event in done)


async def test_a_file_that_is_no_audio_is_rejected_and_removed(
    floor: Floor, neighbours: Neighbours, tmp_path: Path
) -> None:
    """The uploader is told why, catalog is told, and neither incoming/ nor audio/ keeps anything."""
    file = tmp_path / "text.mp3"
    file.write_text("not a song" * 1000)
    track_id = await upload(floor, file)
    async with asyncio.timeout(60):
        while not neighbours.of(RejectTrack):
            await asyncio.sleep(0.05)
        while [found.key async for found in floor.objects.list("")]:
            await asyncio.sleep(0.05)
    view = (await floor.ask(ShowIngest(track_id=track_id))).value
    assert view.status == "rejected"
    assert view.reason


async def test_the_same_bytes_twice_at_once_have_one_winner(
    floor: Floor, neighbours: Neighbours, tmp_path: Path
) -> None:
    """The hash is an entity of its own: one claims it, the other is its duplicate."""
    file = encode(song(5, seconds=15.0), tmp_path / "song.flac")
    first, second = await asyncio.gather(upload(floor, file), upload(floor, file))
    views = await asyncio.gather(*(ended(floor, track, "published", "duplicate") for track in (first, second)))
    assert sorted(view.status for view in views) == ["duplicate", "published"]
    (marked,) = neighbours.of(MarkDuplicate)
    assert {marked.track_id, marked.of} == {first, second}
    assert len([found.key async for found in floor.objects.list("audio/")]) == 1


async def test_a_step_that_fails_is_tried_again_by_itself(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """Catalog is away: publish fails, says so, and succeeds when catalog is back."""
    neighbours.away = True
    track_id = await upload(floor, encode(song(6, seconds=15.0), tmp_path / "song.flac"))

    async def publish_failed() -> bool:
        try:
            view = (await floor.ask(ShowIngest(track_id=track_id))).value
        except Refused:
            return False
        publish = next(step for step in view.steps if step.name == "publish")
        return publish.state == "failed" and "away" in (publish.error or "")

    async with asyncio.timeout(60):
        while not await publish_failed():
            await asyncio.sleep(0.05)
    neighbours.away = False
    view = await ended(floor, track_id, "published")
    assert next(step for step in view.steps if step.name == "publish").attempts >= 2


async def test_a_step_that_gave_up_can_be_retried(
    floor: Floor, neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows as failed with its reason; the retry goes on from there and nothing is done again."""
    monkeypatch.setattr("tonetouch_ingest.stepping.ATTEMPTS", 1)
    neighbours.away = True
    track_id = await upload(floor, encode(song(7, seconds=15.0), tmp_path / "song.flac"))
    async with asyncio.timeout(60):
        while not [view for view in (await listed(floor, "failed")) if view.track_id == track_id]:
            await asyncio.sleep(0.05)
    neighbours.away = False
    await floor.ask(RetryIngest(track_id=track_id))
    view = await ended(floor, track_id, "published")
    assert next(step for step in view.steps if step.name == "stage").attempts == 1


async def listed(floor: Floor, state: Any) -> tuple[IngestView, ...]:
    return (await floor.ask(ListIngests(state=state))).value.items


async def test_unknown_uploads_are_not_found(floor: Floor) -> None:
    """Showing and retrying one say so; an id that could be a wildcard is no way around."""
    for track in ("nobody", "*", ">"):
        with pytest.raises(Refused) as refused:
            await floor.ask(RetryIngest(track_id=TrackId(track)))
        assert refused.value.problem.code == "not_found"


async def test_a_killed_service_goes_on_where_it_stopped(
    neighbours: Neighbours, settings: Settings, tmp_path: Path
) -> None:
    """Stopped in the middle of its steps and started again, every upload arrives, and none is published twice."""
    await provision(settings)
    async with AsyncExitStack() as stack:
        for neighbour in neighbours.apps:
            outside = await stack.enter_async_context(running(neighbour, settings))
        async with running(app, settings) as floor:
            tracks = [await upload(floor, encode(song(20 + n, seconds=15.0), tmp_path / f"{n}.flac")) for n in range(4)]
            async with asyncio.timeout(30):
                while not await floor.log.history("INGEST", tracks[-1]):
                    await asyncio.sleep(0.01)
        async with running(app, settings) as floor:
            for track in tracks:
                await ended(floor, track, "published", seconds=90.0)
    assert outside is not None
    assert sorted(command.track_id for command in neighbours.of(PublishTrack)) == sorted(tracks)
