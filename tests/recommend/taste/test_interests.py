"""A taste is kept as several interests that come and go, and what somebody turned from lately."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonetouch_recommend.taste.interests import MOST_INTERESTS, STANDING, Tastes, on_day, tastes
from tonetouch_recommend.taste.running import Play, Said, Signal, Word
from tonetouch_recommend.vectors.collection import Vector
from tonetouch_runtime import stamp

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS, EACH, WIDE = 12, 12, 64


def _places(baseline: float, spread: float = 0.5) -> dict[str, Vector]:
    """Twelve kinds of twelve tracks, `3:7` and so on; with a baseline all of them lie near each other."""
    random = np.random.default_rng(5)
    middles = random.standard_normal((KINDS, WIDE))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    apart = np.repeat(middles, EACH, axis=0) + spread * random.standard_normal((KINDS * EACH, WIDE)) / WIDE**0.5
    common = random.standard_normal(WIDE)
    found = apart + baseline * common / np.linalg.norm(common)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return {f"{row // EACH}:{row % EACH}": found[row].astype(np.float32) for row in range(len(found))}


PLACES = _places(0.0)


def play(number: int, kind: int, track: int, *, day: float, share: float = 1.0) -> Play:
    at = stamp(START + timedelta(days=day))
    return Play(play_id=f"p{number:05d}", track_id=f"{kind}:{track}", heard_seconds=200 * share, share=share, at=at)


def sittings(kinds: Sequence[int], *, begin: float = 0.0, each: int = 6) -> list[Signal]:
    """One sitting a day, of one kind."""
    numbers = count(int(begin * 100))
    return [
        play(next(numbers), kind, (day + place) % EACH, day=begin + day + place / 400)
        for day, kind in enumerate(kinds)
        for place in range(each)
    ]


def kinds_of(made: Tastes) -> list[int]:
    """The kind of music of each interest, strongest first."""
    return [int(one.medoid.partition(":")[0]) for one in made.interests]


@st.composite
def signals(draw: st.DrawFn) -> list[Signal]:
    """Plays and words within a year."""
    tracks = st.sampled_from(sorted(PLACES))
    plays = draw(st.lists(st.tuples(tracks, st.floats(0, 1), st.floats(0, 365)), min_size=1, max_size=40))
    said = st.sampled_from(["like", "save", "added", "skip", "dislike", "never_again"])
    words = draw(st.lists(st.tuples(tracks, said, st.floats(0, 365)), max_size=10, unique_by=lambda one: one[:2]))
    heard = [
        Play(play_id=f"p{number}", track_id=track, heard_seconds=200 * share, share=share, at=_at(day))
        for number, (track, share, day) in enumerate(plays)
    ]
    return [*heard, *(Word(track_id=track, said=word, at=_at(day)) for track, word, day in words)]  # type: ignore[arg-type]


def _at(day: float) -> str:
    return stamp(START + timedelta(days=day))


def _bytes(made: Tastes) -> object:
    repel = None if made.repel is None else (made.repel.vector.tobytes(), made.repel.weight, made.repel.at)
    running = None if made.running is None else made.running.tobytes()
    return running, [(one.vector.tobytes(), one.weight, one.tracks, one.at) for one in made.interests], repel


@given(said=signals(), random=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_the_same_signals_give_the_same_bytes(said: list[Signal], random: object) -> None:
    """In whatever order they and the vectors come, so that a rebuild gives what was there."""
    shuffled = list(said)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _bytes(tastes(said, PLACES)) == _bytes(tastes(shuffled, dict(reversed(list(PLACES.items())))))


@given(said=signals())
@settings(deadline=None, max_examples=40)
def test_interests_are_unit_vectors_whose_weights_share_one(said: list[Signal]) -> None:
    """Eight at most, strongest first; there are some exactly where there is a running vector."""
    made = tastes(said, PLACES)
    assert len(made.interests) <= MOST_INTERESTS
    assert (made.running is None) == (not made.interests)
    found = [one.weight for one in made.interests]
    assert found == sorted(found, reverse=True)
    if found:
        assert sum(found) == pytest.approx(1.0)
    for one in made.interests:
        assert np.linalg.norm(one.vector) == pytest.approx(1.0, abs=1e-5)
        assert 1 <= len(one.tracks) <= STANDING
        assert len(set(one.tracks)) == len(one.tracks)


@pytest.mark.parametrize(("baseline", "spread"), [(0.0, 0.5), (1.0, 0.5), (1.4, 0.5), (0.0, 1.0)])
def test_what_is_liked_is_kept_apart(baseline: float, spread: float) -> None:
    """Three kinds are three interests, whether a model puts all texts near each other or none; each in its middle."""
    places = _places(baseline, spread)
    made = tastes(sittings([0, 1, 0, 2, 0, 1, 0, 2, 1, 0]), places)
    assert sorted(kinds_of(made)) == [0, 1, 2]
    for one, kind in zip(made.interests, kinds_of(made), strict=True):
        assert {track.partition(":")[0] for track in one.tracks} == {f"{kind}"}
        middle = np.sum([places[f"{kind}:{track}"] for track in range(EACH)], axis=0)
        assert one.vector @ (middle / np.linalg.norm(middle)) > 0.9


@pytest.mark.parametrize(("baseline", "spread"), [(0.0, 0.5), (1.4, 0.5), (0.0, 1.0)])
def test_one_kind_is_one_interest(baseline: float, spread: float) -> None:
    """However many tracks of it were heard, and however far apart they lie."""
    assert kinds_of(tastes(sittings([4] * 10), _places(baseline, spread))) == [4]


def test_who_likes_everything_has_a_taste_all_the_same() -> None:
    """Tracks of which no two are alike are not left out, whatever their number."""
    vectors = np.random.default_rng(8).standard_normal((60, WIDE))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = {f"0:{number}": vector.astype(np.float32) for number, vector in enumerate(vectors)}
    made = tastes([play(number, 0, number, day=number / 10) for number in range(60)], places)
    cosines = np.stack([one.vector for one in made.interests]) @ vectors.T
    assert made.interests
    assert np.mean(cosines.max(axis=0) > 0) > 0.5


def test_an_interest_that_is_left_goes_and_comes_back() -> None:
    """After as many sittings of something else as chance does not explain; the first sitting of it brings it back."""
    old, new = sittings([0, 1] * 5), sittings([2, 3] * 8, begin=10)
    assert sorted(kinds_of(tastes([*old, *new[:12]], PLACES))) == [0, 1, 2, 3]
    assert sorted(kinds_of(tastes([*old, *new], PLACES))) == [2, 3]
    back = sittings([0], begin=27)
    assert sorted(kinds_of(tastes([*old, *new, *back], PLACES))) == [0, 2, 3]


def test_a_track_that_came_by_is_no_interest() -> None:
    """Less than a twentieth of it all is noise."""
    heard = [*sittings([0, 1] * 8), play(9_999, 5, 0, day=15.5)]
    assert sorted(kinds_of(tastes(heard, PLACES))) == [0, 1]


def test_a_loop_does_not_win() -> None:
    """A track a hundred times over weighs ten times, not a hundred."""
    heard = [*sittings([0] * 5), *(play(1_000 + number, 1, 0, day=2.2 + number / 1000) for number in range(100))]
    by_kind = dict(zip(kinds_of(made := tastes(heard, PLACES)), made.interests, strict=True))
    assert by_kind[1].weight < by_kind[0].weight


def test_what_is_heard_now_weighs_more() -> None:
    """Of two interests heard as often the one of this session is stronger."""
    made = tastes(sittings([0, 0, 1, 1]), PLACES)
    assert kinds_of(made) == [1, 0]
    assert made.interests[0].weight > 0.55


@pytest.mark.parametrize("word", ["like", "save", "added"])
def test_words_alone_make_a_taste(word: Said) -> None:
    """Somebody who has played nothing yet but said what they like."""
    made = tastes([Word(track_id=f"{kind}:0", said=word, at=_at(0)) for kind in (0, 1, 2)], PLACES)
    assert sorted(kinds_of(made)) == [0, 1, 2]
    assert made.running is not None


def test_skips_are_no_interest_but_repel() -> None:
    """What is left within seconds pushes for a while: half of it is gone after two days."""
    skips = [play(number, 3, number, day=number / 400, share=0.02) for number in range(2)]
    made = tastes(skips, PLACES)
    assert made.interests == ()
    assert made.repel is not None
    assert made.repel.weight == pytest.approx(0.5, abs=0.01)
    middle = np.sum([PLACES[f"3:{number}"] for number in range(2)], axis=0)
    assert made.repel.vector @ (middle / np.linalg.norm(middle)) > 0.999
    later = tastes([*skips, play(10, 0, 0, day=4)], PLACES)
    assert later.repel is not None
    assert later.repel.weight < made.repel.weight / 2
    assert tastes([*skips, play(10, 0, 0, day=30)], PLACES).repel is None


def test_what_repels_fades_while_nothing_is_heard() -> None:
    """By the day on which somebody asks; interests wait as they are."""
    made = tastes([*sittings([0, 1]), play(500, 3, 0, day=2, share=0.02)], PLACES)
    assert made.repel is not None
    today = (START + timedelta(days=2)).toordinal()
    for days, left in ((0, 1.0), (2, 0.5), (4, 0.25)):
        later = on_day(made, today + days)
        assert later.repel is not None
        assert later.repel.weight == pytest.approx(made.repel.weight * left)
        assert later.interests is made.interests
    assert on_day(made, today + 60).repel is None


def test_skips_in_a_row_are_a_mood() -> None:
    """They hardly touch what is liked, and count in full in what repels."""
    liked = sittings([0, 1] * 5)
    row = [play(5_000 + number, 0, number, day=10 + number / 400, share=0.02) for number in range(6)]
    without, made = tastes(liked, PLACES), tastes([*liked, *row], PLACES)
    assert sorted(kinds_of(made)) == sorted(kinds_of(without))
    assert made.repel is not None
    assert made.repel.weight > 0.8


def test_only_the_newest_signals_count() -> None:
    """Five hundred of them: whatever came before may be anything."""
    newest = sittings([0, 1] * 45, begin=400)
    old, older = sittings([2] * 30), sittings([3] * 30, begin=100)
    assert len(newest) >= 500
    assert _bytes(tastes([*old, *newest], PLACES)) == _bytes(tastes([*older, *newest], PLACES))


def test_tracks_without_a_vector_do_not_count() -> None:
    """Until their vector comes they are as if they had not been heard."""
    heard = sittings([0, 1])
    assert tastes(heard, {}).running is None
    some = {track: vector for track, vector in PLACES.items() if track.startswith("0:")}
    assert kinds_of(tastes(heard, some)) == [0]
