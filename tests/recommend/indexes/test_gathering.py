"""A playlist lies where its tracks lie, and moves when they do."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.recommend.indexes.test_indexing import caught_up
from tests.recommend.saying import (
    created,
    deleted,
    embedded,
    extended,
    on_shelf,
    playlist_id,
    published,
    reduced,
    say,
    track_id,
)
from tonetouch_contracts.feedback import FeedbackGiven
from tonetouch_contracts.identity import FeedbackId, PlaylistId, UserId, derived
from tonetouch_contracts.message import Event
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.vectors.collection import Point
from tonetouch_runtime import Floor


def liking(user: str, name: str) -> FeedbackGiven:
    return FeedbackGiven(
        feedback_id=FeedbackId(derived("feedback", user, name)),
        user_id=UserId(user),
        about=f"track:{track_id(name)}",
        said="like",
        at="2026-10-03T00:00:00.000000Z",
    )


async def told(floor: Floor, *events: Event) -> None:
    """Say all of it; returns when the indexes show it."""
    await caught_up(floor, await say(floor.log, *events))


async def points(floor: Floor, *names: str) -> list[Point]:
    """The points of these playlists, of those that have one."""
    indexes = floor.get(Indexes)
    ids: Sequence[PlaylistId] = [playlist_id(name) for name in names]
    return await indexes.engine.get(indexes.collections.playlists, ids)


async def mean(floor: Floor, *names: str) -> Any:
    """Where the middle of these tracks lies, at length one."""
    indexes = floor.get(Indexes)
    tracks = await indexes.engine.get(indexes.collections.tracks, [track_id(name) for name in names])
    assert len(tracks) == len(names)
    total = np.mean([point.vector.astype(np.float64) for point in tracks], axis=0)
    return total / np.linalg.norm(total)


@pytest.fixture(name="music")
async def _music(floor: Floor) -> Floor:
    """Three published tracks, one of them explicit and one of another region, and a playlist with nothing in it."""
    await told(
        floor,
        *on_shelf("calm", "slow piano at night"),
        *on_shelf("loud", "fast guitars", explicit=True),
        *on_shelf("far", "samba on the beach", region="BR"),
        created("mine", "me"),
    )
    return floor


async def test_a_playlist_is_the_mean_of_its_tracks(music: Floor) -> None:
    """It moves with what is added and taken out, and carries what it may be filtered by."""
    assert await points(music, "mine") == []
    await told(music, extended("mine", "me", "calm", "loud"))
    [point] = await points(music, "mine")
    assert point.vector == pytest.approx(await mean(music, "calm", "loud"), abs=1e-3)
    assert point.payload == {"region": "GB", "explicit": 1, "owner": "me", "tracks": 2}
    await told(music, reduced("mine", "me", "loud"), extended("mine", "me", "far"))
    [point] = await points(music, "mine")
    assert point.vector == pytest.approx(await mean(music, "calm", "far"), abs=1e-3)
    assert point.payload == {"explicit": 0, "owner": "me", "tracks": 2}


async def test_what_is_empty_or_deleted_lies_nowhere(music: Floor) -> None:
    """Nor does a playlist of tracks that nobody knows, until somebody does."""
    await told(music, extended("mine", "me", "calm"), created("other", "me"), extended("other", "me", "unknown"))
    assert [point.id for point in await points(music, "mine", "other")] == [playlist_id("mine")]
    await told(music, reduced("mine", "me", "calm"))
    assert await points(music, "mine") == []
    await told(music, extended("mine", "me", "far", "calm"))
    assert len(await points(music, "mine")) == 1
    await told(music, deleted("mine", "me"))
    assert await points(music, "mine") == []


async def test_a_playlist_follows_what_becomes_of_its_tracks(music: Floor) -> None:
    """A track may be published, described and described anew after it was put in: each time the playlist moves."""
    await told(music, extended("mine", "me", "calm", "late"))
    await told(music, published("late", explicit=True))
    [point] = await points(music, "mine")
    assert point.payload == {"region": "GB", "explicit": 1, "owner": "me", "tracks": 2}
    assert point.vector == pytest.approx(await mean(music, "calm"), abs=1e-3)
    for text in ("brass band in the rain", "whales and an organ"):
        await told(music, embedded("late", text))
        [point] = await points(music, "mine")
        assert point.vector == pytest.approx(await mean(music, "calm", "late"), abs=1e-3)


async def test_what_listeners_say_and_gather_moves_their_taste(music: Floor) -> None:
    """Without a single play: who likes a track has a taste, and so has who put one into a playlist."""
    tastes = music.get(Indexes).collections.taste
    assert await music.get(Indexes).engine.get(tastes, ["me", "you"]) == []
    await told(music, liking("you", "far"), extended("mine", "me", "calm"))
    mine, yours = await music.get(Indexes).engine.get(tastes, ["me", "you"])
    assert mine.vector == pytest.approx(await mean(music, "calm"), abs=1e-3)
    assert yours.vector == pytest.approx(await mean(music, "far"), abs=1e-3)
