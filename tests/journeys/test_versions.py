"""Duplicates and versions through catalog, ingest and recommend as they are, in one process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.ingest.installation import until
from tests.runtime.installation import provision
from tests.sounds import Samples, encode, song
from tonetouch_agents.app import app as agents
from tonetouch_catalog.app import app as catalog
from tonetouch_contracts.identity import ContentHash, TrackId, UserId
from tonetouch_contracts.track import RelateTrack, Relation, ShowTrack, TrackView, UploadTrack
from tonetouch_contracts.upload import RelationRuled
from tonetouch_ingest.app import app as ingest
from tonetouch_recommend.app import app as recommend
from tonetouch_runtime import Floor, Refused, Settings, running

SECONDS = 40.0


@pytest.fixture(name="floor")
async def _floor(settings: Settings) -> AsyncIterator[Floor]:
    await provision(settings)
    async with AsyncExitStack() as stack:
        for app in (catalog, ingest, agents):
            await stack.enter_async_context(running(app, settings))
        yield await stack.enter_async_context(running(recommend, settings))


async def upload(floor: Floor, file: Path) -> TrackId:
    """What the gateway does with a file."""
    track_id = TrackId(floor.clock.new_id())

    async def body() -> AsyncIterator[bytes]:
        yield file.read_bytes()

    stored = await floor.objects.upload(f"incoming/{track_id}", body())
    await floor.ask(
        UploadTrack(
            track_id=track_id,
            uploaded_by=UserId("admin"),
            object_key=f"incoming/{track_id}",
            size_bytes=stored.size,
            sha256=ContentHash(stored.sha256),
            file_name=file.name,
            title=file.stem,
            artist="Somebody",
        )
    )
    return track_id


async def ended(floor: Floor, track_id: TrackId, status: str) -> TrackView:
    """Wait until the track has this status."""
    return await shown(floor, track_id, lambda view: view.status == status)


async def shown(floor: Floor, track_id: TrackId, as_wanted: Callable[[TrackView], object]) -> TrackView:
    """Wait until catalog shows the track as wanted: what ingest has said already, it may not have read yet."""

    async def is_so() -> bool:
        try:
            return bool(as_wanted((await floor.ask(ShowTrack(track_id=track_id))).value))
        except Refused:  # its upload is in the log, and not in the table yet
            return False

    await until(is_so, seconds=90.0)
    return (await floor.ask(ShowTrack(track_id=track_id))).value


async def say(floor: Floor, track_id: TrackId, relation: Relation, of: TrackId | None = None) -> None:
    """A person's word, taken in by ingest: what is uploaded after it is held against what it left."""
    said = RelateTrack(track_id=track_id, relation=relation, of=of, reason="I heard both.", said_by=UserId("admin"))
    await floor.ask(said)

    async def is_taken_in() -> bool:
        history = [recorded.event for recorded in await floor.log.history("INGEST", track_id)]
        return any(isinstance(event, RelationRuled) and event.relation == relation for event in history)

    await until(is_taken_in)


async def test_what_was_found_by_sound_can_be_overruled_and_stays_so(floor: Floor, tmp_path: Path) -> None:
    """Another codec is a duplicate and an instrumental a version; a person keeps the one and cuts off the other."""

    def file(samples: Samples, name: str) -> Path:
        return encode(samples, tmp_path / name, bit_rate=96_000 if name.endswith("m4a") else None)

    sung, played = song(1, seconds=SECONDS), song(1, seconds=SECONDS, melody=False)
    first = await upload(floor, file(sung, "song.flac"))
    await ended(floor, first, "published")
    copy, instrumental = await upload(floor, file(sung, "copy.m4a")), await upload(floor, file(played, "played.flac"))
    assert (await ended(floor, copy, "duplicate")).duplicate_of == first
    await ended(floor, instrumental, "published")
    view = await shown(floor, instrumental, lambda view: view.versions)
    assert (view.version_of, [one.title for one in view.versions]) == (first, ["song"])

    await say(floor, copy, "none")
    await ended(floor, copy, "published")
    await say(floor, instrumental, "none", first)
    assert (await shown(floor, instrumental, lambda view: not view.versions)).status == "published"
    assert (await ended(floor, first, "published")).versions == ()

    again = await upload(floor, file(sung, "again.opus"))
    assert (await ended(floor, again, "duplicate")).duplicate_of == first
    await say(floor, first, "duplicate", copy)
    assert (await ended(floor, first, "duplicate")).duplicate_of == copy
    last = await upload(floor, file(sung, "last.mp3"))
    assert (await ended(floor, last, "duplicate")).duplicate_of == copy
