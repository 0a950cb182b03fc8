"""A mix has something of every interest, is in an order one can listen to, and says why."""

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_recommend.lists.mixing import (
    EXPLORES,
    HANDFUL,
    LOOKED_AT,
    MOST_OF_AN_ARTIST,
    Candidate,
    Near,
    apart,
    because,
    filled,
    in_turn,
    quotas,
    shortlisted,
    spoken_for,
    turns,
)
from tonetouch_recommend.taste.interests import Interest, Repel, Tastes
from tonetouch_recommend.vectors.collection import Vector


def candidates(artists: str) -> list[Candidate]:
    """One for each letter, which is its artist, best first."""
    return [
        Candidate(f"{place}", 1.0 - place / 100, np.zeros(2, np.float32), artist)
        for place, artist in enumerate(artists)
    ]


def artists_of(mix: list[Candidate]) -> str:
    return "".join(one.artist_id for one in mix)


def axis(number: int, *, lean: float = 0.0) -> Vector:
    """A unit vector along an axis, leaning to the last one."""
    vector = np.zeros(8, np.float32)
    vector[number], vector[7] = 1.0, lean
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def liking(*weights: float, repel: Repel | None = None) -> Tastes:
    """A listener with an interest along each axis."""
    interests = (
        Interest(vector=axis(number), weight=weight, tracks=(f"liked {number}",), at="2026-01-01T00:00:00Z")
        for number, weight in enumerate(weights)
    )
    return Tastes(interests=tuple(interests), repel=repel)


def around(interest: int, number: int, *, artists: int = 1_000) -> list[Near]:
    """Tracks near an interest, each a little further out."""
    return [Near(f"{interest}:{place}", 1 - place / 200, f"a{interest}.{place % artists}") for place in range(number)]


def places(found: list[list[Near]]) -> dict[str, Vector]:
    """Where they lie."""
    return {
        one.track_id: axis(int(one.track_id[0]), lean=float(np.tan(np.arccos(one.cosine))))
        for near in found
        for one in near
    }


def mixed(found: list[list[Near]], tastes: Tastes, size: int = 20) -> list[Candidate]:
    """A mix of them."""
    shortlist = shortlisted(found, [one.weight for one in tastes.interests], size, "a day")
    return filled(shortlist, places(found), tastes, size)


def test_places_follow_the_roots_of_the_weights() -> None:
    """An interest nine times as strong has three times as many places, and begins."""
    assert quotas([0.9, 0.1], 20) == [15, 5]
    assert quotas([1.0], 20) == [20]
    assert list(islice(turns([0.9, 0.1]), 4)).count(1) == 1
    assert next(turns([0.2, 0.8])) == 1


@given(st.lists(st.floats(0.05, 1), min_size=1, max_size=8), st.integers(8, 50))
def test_every_interest_has_a_turn(weights: list[float], size: int) -> None:
    """All places are given away, and nobody has two more than the strongest."""
    found = quotas(weights, size)
    assert sum(found) == size
    assert found[int(np.argmax(weights))] >= max(found) - 1
    if size >= 2 * sum(weight**0.5 for weight in weights) / min(weights) ** 0.5:
        assert min(found) > 0


def test_a_mix_has_something_of_every_interest() -> None:
    """Though all that is near the strongest would fill it."""
    found = [around(0, 40), around(1, 40), around(2, 40)]
    mix = mixed(found, liking(0.8, 0.15, 0.05))
    assert Counter(one.track_id[0] for one in mix) == {"0": 12, "1": 5, "2": 3}
    assert len({one.track_id for one in mix}) == 20


def test_an_interest_that_runs_out_gives_its_places_away() -> None:
    """To whatever is left, until nothing is."""
    mix = mixed([around(0, 40), around(1, 2)], liking(0.5, 0.5))
    assert Counter(one.track_id[0] for one in mix) == {"0": 18, "1": 2}
    assert len(mixed([around(0, 4), around(1, 2)], liking(0.5, 0.5))) == 6


def test_what_lies_near_two_interests_counts_for_the_nearer() -> None:
    """And comes once."""
    shared = [Near("x", 0.8, "a"), Near("y", 0.3, "b")], [Near("x", 0.5, "a"), Near("y", 0.4, "b")]
    assert [[one.track_id for one in near] for near in apart(shared)] == [["x"], ["y"]]


def test_some_places_are_for_what_lies_further_out() -> None:
    """Every seventh; the same ones the whole day, others another day."""
    found = [around(0, 100)]
    mix = mixed(found, liking(1.0))
    further = [int(one.track_id[2:]) for one in mix if int(one.track_id[2:]) >= LOOKED_AT * 20]
    assert len(further) == 20 // EXPLORES
    assert [int(one.track_id[2:]) >= LOOKED_AT * 20 for one in mix].index(True) == EXPLORES - 1
    assert [one.track_id for one in mixed(found, liking(1.0))] == [one.track_id for one in mix]
    other = shortlisted(found, [1.0], 20, "another day")
    assert [one.track_id for one in other.further[0]] != [f"0:{number}" for number in further]


def test_a_mix_is_not_of_one_artist() -> None:
    """At most three of each while there are others, and two in a row; then whoever is left."""
    mix = mixed([around(0, 60, artists=7)], liking(1.0))
    assert max(Counter(one.artist_id for one in mix).values()) == MOST_OF_AN_ARTIST
    few = mixed([around(0, 60, artists=2)], liking(1.0))
    heard = [one.artist_id for one in few]
    assert len(few) == 20
    assert not any(heard[at] == heard[at + 1] == heard[at + 2] for at in range(18))
    assert len(mixed([around(0, 60, artists=1)], liking(1.0))) == HANDFUL


def test_what_repels_comes_later() -> None:
    """By 0.35 of the cosine, as far as the listener has turned from it."""
    tastes = liking(0.5, 0.5, repel=Repel(vector=axis(1), weight=1.0, at="2026-01-01T00:00:00Z"))
    scores = {one.track_id: one.score for one in mixed([around(0, 5), around(1, 5)], tastes)}
    assert scores["0:0"] == pytest.approx(1.0)
    assert scores["1:0"] == pytest.approx(0.65)


def test_near_copies_are_not_all_in_one_mix() -> None:
    """Of tracks in one and the same place one comes early, and what is a little different before the next."""
    same, other = axis(0, lean=0.3), axis(0, lean=-0.5)
    found = [[Near("copy 1", 0.96, "a"), Near("copy 2", 0.96, "b"), Near("other", 0.9, "c")]]
    shortlist = shortlisted(found, [1.0], 3, "")
    mix = filled(shortlist, {"copy 1": same, "copy 2": same, "other": other}, liking(1.0), 3)
    assert [one.track_id for one in mix] == ["copy 1", "other", "copy 2"]


def test_tracks_without_a_vector_are_passed_over() -> None:
    """A mix of nothing else is empty."""
    assert filled(shortlisted([around(0, 3)], [1.0], 3, ""), {}, liking(1.0), 3) == []


def test_an_artist_waits_after_two() -> None:
    """Until somebody else was heard, and no longer."""
    assert artists_of(in_turn(candidates("aaaabbbc"), 8)) == "aabaabbc"


@given(st.text("abc", max_size=30), st.integers(1, 20))
def test_never_three_in_a_row_in_a_handful_or_more(artists: str, size: int) -> None:
    """Beyond the first handful no artist is heard three times running; nobody comes twice, the best comes first."""
    mix = in_turn(candidates(artists), size)
    heard = artists_of(mix)
    assert not any(heard[at] == heard[at + 1] == heard[at + 2] for at in range(HANDFUL - 2, len(heard) - 2))
    assert len({one.track_id for one in mix}) == len(mix) <= size
    assert [one.track_id for one in mix[:1]] == (["0"] if artists else [])


def test_one_artist_alone_gives_a_handful() -> None:
    """A library of one artist is better than nothing, within bounds."""
    assert artists_of(in_turn(candidates("a" * 9), 9)) == "a" * HANDFUL


def test_the_nearest_liked_tracks_speak_for_one() -> None:
    """At most three, nearest first, not those that point away, never itself."""
    turned = {
        name: np.array([np.cos(angle), np.sin(angle)], np.float32)
        for name, angle in {"0": 0.0, "a": 0.3, "b": 0.1, "c": 0.2, "d": 0.4, "e": 3.0}.items()
    }
    mixed = Candidate("0", 1.0, np.array([1, 0], np.float32), "x")
    assert because(mixed, turned) == ["b", "c", "a"]
    assert because(mixed, {"e": turned["e"]}) == []
    assert because(mixed, {}) == []


def test_the_reason_names_what_speaks_for_most() -> None:
    """A first place counts more than a second."""
    assert spoken_for([["a", "b"], ["b", "a"], ["b"]]) == ["b", "a"]
    assert spoken_for([]) == []
