"""A taste follows what was heard, and is the same whenever and in whatever order it is made."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonetouch_recommend.taste.running import MOST_SIGNALS, Play, latest, taste, weight, weights
from tonetouch_recommend.vectors.collection import Vector
from tonetouch_runtime import stamp

START = datetime(2026, 1, 1, tzinfo=UTC)
TRACKS = [f"t{number}" for number in range(6)]


def play(number: int, track: str, share: float | None = 1.0, *, days: float = 0.0, seconds: float = 200.0) -> Play:
    at = stamp(START + timedelta(days=days))
    heard = seconds if share is None else 200.0 * share
    return Play(play_id=f"p{number:04d}", track_id=track, heard_seconds=heard, share=share, at=at)


def axis(number: int) -> Vector:
    return np.asarray(np.eye(8)[number], dtype=np.float32)


AXES = {track: axis(number) for number, track in enumerate(TRACKS)}


@st.composite
def listening(draw: st.DrawFn) -> list[Play]:
    """Up to forty plays of six tracks within a year."""
    said = draw(
        st.lists(st.tuples(st.sampled_from(TRACKS), st.floats(0, 1), st.floats(0, 365)), min_size=1, max_size=40)
    )
    return [play(number, track, share, days=days) for number, (track, share, days) in enumerate(said)]


@st.composite
def places(draw: st.DrawFn) -> dict[str, Vector]:
    """Any directions for the tracks, near or opposite."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    found = random.standard_normal((len(TRACKS), 8))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return dict(zip(TRACKS, found.astype(np.float32), strict=True))


@given(plays=listening(), vectors=places(), random=st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_same_plays_give_the_same_bytes(plays: list[Play], vectors: dict[str, Vector], random: object) -> None:
    """In any order, so that a rebuild gives what was there."""
    shuffled = list(plays)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = taste(plays, vectors), taste(shuffled, dict(reversed(list(vectors.items()))))
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.tobytes() == second.tobytes()


@given(plays=listening(), vectors=places())
@settings(deadline=None)
def test_skips_never_turn_a_taste_round(plays: list[Play], vectors: dict[str, Vector]) -> None:
    """It stays within 30 degrees of what it would be without them; its length is one."""
    made = taste(plays, vectors)
    said = weights(plays)
    liked = np.zeros(8)
    for track, share in said.items():
        liked += max(share, 0.0) * vectors[track].astype(float)
    if made is None:
        assert not any(liked) or not any(share > 0 for share in said.values())
        return
    assert np.linalg.norm(made) == pytest.approx(1, abs=1e-5)
    assert made @ (liked / np.linalg.norm(liked)) >= np.cos(np.radians(30)) - 1e-4


@given(plays=listening(), days=st.floats(1, 1000))
@settings(deadline=None)
def test_time_that_passes_without_a_play_changes_nothing(plays: list[Play], days: float) -> None:
    """What counts is how far apart plays are, not how long ago they were."""
    later = [play(number, one.track_id, one.share, days=_days(one) + round(days)) for number, one in enumerate(plays)]
    assert weights(later) == pytest.approx(weights(plays), rel=1e-6, abs=1e-9)


def _days(one: Play) -> float:
    return (datetime.fromisoformat(one.at) - START).total_seconds() / 86_400


def test_what_a_play_says() -> None:
    """By the share that was heard; a long part of a long track is no skip."""
    assert [weight(play(0, "t", share)) for share in (1.0, 0.9, 0.89, 0.5)] == [1.0, 1.0, 0.4, 0.4]
    assert weight(play(0, "t", 0.1)) == -0.6  # 20 seconds
    assert weight(play(0, "t", 0.4)) == 0.0  # 80 seconds
    assert [weight(play(0, "t", None, seconds=seconds)) for seconds in (10.0, 60.0)] == [0.0, 0.4]


def test_a_play_weighs_half_after_45_days() -> None:
    """Measured from the newest play."""
    said = weights([play(0, "t0", days=0), play(1, "t1", days=45), play(2, "t2", days=90)])
    assert said == pytest.approx({"t0": 0.25, "t1": 0.5, "t2": 1.0})


def test_a_loop_does_not_win() -> None:
    """A hundred plays of one track weigh ten times one play, not a hundred times."""
    looped = weights([*(play(number, "t0") for number in range(100)), play(100, "t1")])
    assert looped == pytest.approx({"t0": 10.0, "t1": 1.0})


def test_a_taste_lies_between_what_was_heard() -> None:
    """Nearer to what was heard more and later, away from what was left."""
    made = taste([play(0, "t0", days=0), play(1, "t1", days=45), play(2, "t2", 0.1, days=45)], AXES)
    assert made is not None
    assert made[1] > made[0] > 0 > made[2]
    assert not made[3:].any()


def test_without_anything_liked_there_is_no_taste() -> None:
    """No plays, only skips, or nothing that has a vector."""
    assert taste([], AXES) is None
    assert taste([play(0, "t0", 0.05), play(1, "t1", 0.4)], AXES) is None
    assert taste([play(0, "unknown")], AXES) is None


def test_only_the_newest_plays_count() -> None:
    """The five hundred last ones, whatever order they come in."""
    plays = [play(number, f"t{number % 2}", days=number) for number in range(MOST_SIGNALS + 50)]
    kept = latest(reversed(plays))
    assert len(kept) == MOST_SIGNALS
    assert kept[0] == plays[-1]
    assert kept[-1] == plays[50]
