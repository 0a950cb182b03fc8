"""Publishing over the bus: at once or not at all, and shared entities once."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import select

from tests.catalog.music import AUDIO, publishing, uploading
from tonetouch_catalog.collecting import AlbumRow, ArtistRow, GenreRow, LyricsRow, MediaRow
from tonetouch_contracts.identity import ContentHash, TrackId
from tonetouch_contracts.message import Positions, same_positions
from tonetouch_contracts.track import PublishTrack, RejectTrack
from tonetouch_runtime import Floor, Refused


async def names(floor: Floor, model: type, column: str) -> list[str]:
    """One column of a table, sorted."""
    table = floor.tables.live(model)
    return sorted(row[column] for row in await floor.tables.all(select(table.c[column])))


async def kinds(floor: Floor) -> list[str]:
    """The types of all facts of CATALOG, in their order."""
    stream = floor.bus.jetstream
    last = (await stream.stream_info("CATALOG")).state.last_seq
    messages = [await stream.get_msg("CATALOG", sequence) for sequence in range(1, last + 1)]
    return [str(message.subject).rpartition(".")[0] for message in messages]


async def test_a_publication_adds_what_the_track_brings_along(floor: Floor) -> None:
    """The track comes last: whoever hears of it finds everything it names."""
    await floor.ask(uploading("t1"))
    positions = (await floor.ask(publishing("t1"))).positions
    said = await kinds(floor)
    assert said[0] == "track.uploaded"
    assert said[-1] == "track.published"
    brought = {"album.added": 1, "artist.added": 1, "genre.added": 2, "lyrics.added": 1, "media.added": 2}
    assert Counter(said[1:-1]) == brought
    await floor.seen(positions)
    assert await names(floor, ArtistRow, "name") == ["Ängel"]
    assert await names(floor, AlbumRow, "title") == ["Nätter"]
    assert await names(floor, GenreRow, "name") == ["Ambient", "Piano"]
    assert await names(floor, LyricsRow, "track_id") == ["t1"]
    assert await names(floor, MediaRow, "object_key") == [f"audio/{'a' * 64}", f"image/{'c' * 64}"]


async def test_publishing_twice_at_the_same_moment_is_publishing_once(floor: Floor) -> None:
    """Both are answered well, with the place of the one publication."""
    await floor.ask(uploading("t1"))
    answers = await asyncio.gather(*(floor.ask(publishing("t1")) for _ in range(3)))
    assert len({answer.positions["CATALOG"] for answer in answers}) == 1
    assert (await kinds(floor)).count("track.published") == 1


async def test_tracks_of_one_album_published_side_by_side_share_what_they_bring(floor: Floor) -> None:
    """Each entity is added once, whoever comes first, and every track arrives."""
    tracks = [f"t{number}" for number in range(6)]
    await asyncio.gather(*(floor.ask(uploading(track)) for track in tracks))
    positions: Positions = {}
    for answer in await asyncio.gather(*(floor.ask(of_album(track)) for track in tracks)):
        positions = same_positions(positions, answer.positions)
    said = await kinds(floor)
    assert said.count("track.published") == len(tracks)
    assert (said.count("artist.added"), said.count("album.added"), said.count("genre.added")) == (1, 1, 2)
    await floor.seen(positions)
    assert await names(floor, AlbumRow, "title") == ["Nätter"]


def of_album(track: str) -> PublishTrack:
    """The same artist, album and cover with other bytes."""
    sha256 = ContentHash(track[-1] * 64)
    audio = type(AUDIO)(sha256=sha256, size_bytes=1, content_type="audio/flac", codec="flac")
    return publishing(track, audio=audio, lyrics=None, lyrics_sha256=None)


async def test_a_refused_publication_leaves_nothing_behind(floor: Floor) -> None:
    """Neither the artist nor the objects of a rejected track are added."""
    await floor.ask(uploading("t1"))
    await floor.ask(RejectTrack(track_id=TrackId("t1"), reason="no audio"))
    with pytest.raises(Refused) as refused:
        await floor.ask(publishing("t1"))
    assert refused.value.problem.code == "conflict"
    assert await kinds(floor) == ["track.uploaded", "track.rejected"]


async def test_an_id_that_cannot_be_one_is_not_found(floor: Floor) -> None:
    """It names no entity, and certainly not all of them."""
    for track_id in ("*", "", "a.b"):
        with pytest.raises(Refused) as refused:
            await floor.ask(publishing(track_id))
        assert refused.value.problem.code == "not_found"


async def test_an_upload_that_can_never_be_a_track_is_refused(floor: Floor) -> None:
    """Nothing of it reaches the log."""
    for impossible in (
        uploading("a.b"),
        uploading("t1", size_bytes=0),
        uploading("t1", sha256=ContentHash("A" * 64)),
        uploading("t1", title="nul\0"),
    ):
        with pytest.raises(Refused) as refused:
            await floor.ask(impossible)
        assert refused.value.problem.code == "invalid"
    assert await kinds(floor) == []
