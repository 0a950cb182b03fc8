"""A person says what a track is to another, and the workflow follows: on real servers, as in `test_ingest`."""

from pathlib import Path

import pytest

from tests.ingest.installation import Neighbours, Nothing, ended, keys, step_of, until, upload
from tests.ingest.pictures import picture
from tests.sounds import encode, song
from tonetouch_contracts.finding import SoundMatch
from tonetouch_contracts.identity import TrackId, UserId
from tonetouch_contracts.track import MarkDuplicate, PublishTrack, Relation, TrackRelated
from tonetouch_contracts.upload import EmbeddingDone, RelationRuled
from tonetouch_ingest.sweeping import OLDER_THAN, Sweep
from tonetouch_runtime import Floor


async def say(floor: Floor, track_id: TrackId, relation: Relation, of: TrackId | None) -> None:
    """Catalog's fact, as a person's word becomes one."""
    fact = TrackRelated(track_id=track_id, of=of, relation=relation, reason="I heard both.", said_by=UserId("admin"))
    await floor.log.transact("CATALOG", track_id, Nothing(), lambda _: fact)


async def test_a_duplicate_that_is_none_is_published_with_all_it_brought(
    floor: Floor, neighbours: Neighbours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes and its cover were kept, whatever was swept meanwhile; what it had skipped is done, nothing else."""
    first = await upload(floor, encode(song(70, seconds=20.0), tmp_path / "a.flac"))
    await ended(floor, first, "published")
    neighbours.matches = (SoundMatch(track_id=first, cosine=0.99, duration_seconds=20.0),)
    second = await upload(
        floor, encode(song(70, seconds=20.0), tmp_path / "a.opus"), cover=picture("green"), lyrics=b"Words"
    )
    await ended(floor, second, "duplicate")
    monkeypatch.setattr("tonetouch_ingest.sweeping.OLDER_THAN", -OLDER_THAN)
    assert await floor.get(Sweep).once() == 0
    await say(floor, second, "version", first)
    view = await ended(floor, second, "published")
    assert {step_of(view, name).state for name in ("embed", "describe_cover", "write_about", "publish")} == {"done"}
    assert (step_of(view, "dedupe").attempts, step_of(view, "publish").attempts) == (1, 2)
    published = neighbours.published(second)
    assert published.cover is not None
    assert f"audio/{published.audio.sha256}" in await keys(floor, "audio/")
    assert await keys(floor, "incoming/") == []
    said = [recorded.event for recorded in await floor.log.history("INGEST", second)]
    assert [event for event in said if isinstance(event, EmbeddingDone)]


async def test_a_published_track_called_a_duplicate_stands_for_its_original(
    floor: Floor, neighbours: Neighbours, tmp_path: Path
) -> None:
    """What comes later with its bytes or its sound is the original's; taken back, it is its own again."""
    first = await upload(floor, encode(song(71, seconds=20.0), tmp_path / "a.flac"))
    file = encode(song(72, seconds=20.0), tmp_path / "b.flac")
    second = await upload(floor, file)
    for track in (first, second):
        await ended(floor, track, "published")
    await say(floor, second, "duplicate", first)
    await until(lambda: _is_taken_in(floor, second, 1))
    again = await upload(floor, file)
    await ended(floor, again, "duplicate")
    assert [marked.of for marked in neighbours.of(MarkDuplicate)] == [first]
    neighbours.matches = (SoundMatch(track_id=second, cosine=0.99, duration_seconds=20.0),)
    other = await upload(floor, encode(song(72, seconds=20.0), tmp_path / "b.opus"))
    await ended(floor, other, "published")
    await say(floor, second, "none", None)
    await until(lambda: _is_taken_in(floor, second, 2))
    await ended(floor, await upload(floor, encode(song(72, seconds=20.0), tmp_path / "b.mp3")), "duplicate")
    assert [marked.of for marked in neighbours.of(MarkDuplicate)] == [first, second]
    assert len(neighbours.of(PublishTrack)) == 3


async def _is_taken_in(floor: Floor, track_id: TrackId, times: int) -> bool:
    history = await floor.log.history("INGEST", track_id)
    return len([recorded for recorded in history if isinstance(recorded.event, RelationRuled)]) == times
