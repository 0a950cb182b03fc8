"""Ingest as a whole, on real servers, with stand-ins for the services it asks."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.installation import Neighbours, ended, keys, shown, step_of, until, upload
from tests.sounds import encode, song
from tonetouch_contracts.finding import SoundMatch
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.track import DescribeTrack, MarkDuplicate, PublishTrack
from tonetouch_contracts.upload import EmbeddingDone, IngestView, ListIngests, RetryIngest
from tonetouch_ingest.app import app
from tonetouch_runtime import Floor, Refused, Settings, running


async def test_an_upload_goes_through_every_step(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """Published with what was measured; every step done, accounted for, and nothing left in incoming/."""
    file = encode(song(3, seconds=20.0, bpm=110.0, key="A", mode="minor"), tmp_path / "01 - Evening.flac")
    track_id = await upload(floor, file, artist="Somebody")
    view = await ended(floor, track_id, "published")
    states = {step.name: step.state for step in view.steps}
    assert states.pop("describe_cover") == "skipped"
    assert step_of(view, "describe_cover").attempts == 0
    assert set(states.values()) == {"done"}
    (published,) = neighbours.of(PublishTrack)
    assert (published.title, published.artist, published.audio.codec) == ("Evening", "Somebody", "flac")
    assert published.duration_seconds == pytest.approx(20.0, abs=0.2)
    assert published.loudness_lufs is not None
    assert "title" in published.guessed
    assert neighbours.of(DescribeTrack)
    assert await keys(floor, "incoming/", "audio/") == [f"audio/{published.audio.sha256}"]


async def test_lyrics_are_embedded_passage_by_passage(floor: Floor, tmp_path: Path) -> None:
    """All vectors of a track come in one decision, the description's last."""
    file = encode(song(4, seconds=15.0), tmp_path / "song.mp3")
    lyrics = "[00:01.00] Lanterns over the water\n[00:04.00] and nobody home\n\n[00:08.00] Morning comes by train\n"
    track_id = await upload(floor, file, lyrics=lyrics.encode())
    await ended(floor, track_id, "published")
    done = [
        recorded.event
        for recorded in await floor.log.history("INGEST", track_id)
        if isinstance(recorded.event, EmbeddingDone)
    ]
    assert [event.kind for event in done] == ["lyrics"] * (len(done) - 1) + ["description"]
    assert {"Lanterns", "Morning"} <= set(" ".join(event.text for event in done[:-1]).split())
    assert all(len(event.vector) == 2 * event.dimension == 2048 for event in done)


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
    assert len(await keys(floor, "audio/", "incoming/")) == 1


async def test_the_same_bytes_have_a_winner_whoever_was_heard_first(
    floor: Floor, neighbours: Neighbours, tmp_path: Path
) -> None:
    """One may claim the bytes first and the other be heard first: they are not each other's duplicate."""
    file = encode(song(6, seconds=15.0), tmp_path / "song.flac")
    tracks = [await upload(floor, file) for _ in range(3)]
    neighbours.matches = tuple(SoundMatch(track_id=track, cosine=1.0, duration_seconds=15.0) for track in tracks)
    views = await asyncio.gather(*(ended(floor, track, "published", "duplicate") for track in tracks))
    assert sorted(view.status for view in views) == ["duplicate", "duplicate", "published"]


async def test_a_step_that_fails_is_tried_again_by_itself(floor: Floor, neighbours: Neighbours, tmp_path: Path) -> None:
    """Catalog is away: publish fails, says so, and succeeds when catalog is back."""
    neighbours.away = True
    track_id = await upload(floor, encode(song(6, seconds=15.0), tmp_path / "song.flac"))

    async def publish_failed() -> bool:
        view = await shown(floor, track_id)
        if view is None:
            return False
        publish = step_of(view, "publish")
        return publish.state == "failed" and "away" in (publish.error or "")

    await until(publish_failed)
    neighbours.away = False
    view = await ended(floor, track_id, "published")
    assert step_of(view, "publish").attempts >= 2


async def test_a_step_that_gave_up_can_be_retried(
    floor: Floor, neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows as failed with its reason; the retry goes on from there and nothing is done again."""
    monkeypatch.setattr("tonetouch_ingest.stepping.ATTEMPTS_WHILE_AWAY", 1)
    neighbours.away = True
    track_id = await upload(floor, encode(song(7, seconds=15.0), tmp_path / "song.flac"))

    async def gave_up() -> bool:
        return track_id in [view.track_id for view in await listed(floor, "failed")]

    await until(gave_up)
    neighbours.away = False
    await floor.ask(RetryIngest(track_id=track_id))
    view = await ended(floor, track_id, "published")
    assert step_of(view, "stage").attempts == 1


async def test_a_retry_does_not_publish_what_somebody_brought_again(
    floor: Floor, neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first upload had failed its bytes came again and were published: the first is their duplicate now."""
    monkeypatch.setattr("tonetouch_ingest.stepping.ATTEMPTS_WHILE_AWAY", 1)
    neighbours.away = True
    file = encode(song(8, seconds=15.0), tmp_path / "song.flac")
    first = await upload(floor, file)

    async def gave_up() -> bool:
        return first in [view.track_id for view in await listed(floor, "failed")]

    await until(gave_up)
    neighbours.away = False
    second = await upload(floor, file)
    await ended(floor, second, "published")
    await floor.ask(RetryIngest(track_id=first))
    await ended(floor, first, "duplicate")
    (marked,) = neighbours.of(MarkDuplicate)
    assert (marked.track_id, marked.of) == (first, second)
    assert len(neighbours.of(PublishTrack)) == 1


async def listed(floor: Floor, state: Any) -> tuple[IngestView, ...]:
    return (await floor.ask(ListIngests(state=state))).value.items


async def test_unknown_uploads_are_not_found(floor: Floor) -> None:
    """Showing and retrying one say so; an id that could be a wildcard is no way around."""
    for track in ("nobody", "*", ">"):
        with pytest.raises(Refused) as refused:
            await floor.ask(RetryIngest(track_id=TrackId(track)))
        assert refused.value.problem.code == "not_found"


async def test_a_stopped_service_goes_on_where_it_stopped(
    provisioned: Settings, neighbours: Neighbours, tmp_path: Path
) -> None:
    """Stopped in the middle of its steps and started again, every upload arrives, and none is published twice."""
    async with running(app, provisioned) as floor:
        tracks = [await upload(floor, encode(song(20 + n, seconds=15.0), tmp_path / f"{n}.flac")) for n in range(4)]

        async def is_at_work() -> bool:
            return bool(await floor.log.history("INGEST", tracks[-1]))

        await until(is_at_work)
    async with running(app, provisioned) as floor:
        for track in tracks:
            await ended(floor, track, "published", seconds=90.0)
    assert sorted(command.track_id for command in neighbours.of(PublishTrack)) == sorted(tracks)
