"""A mix is in an order one can listen to, and says why."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tonetouch_recommend.mixing import HANDFUL, Candidate, because, in_turn, spoken_for


def candidates(artists: str) -> list[Candidate]:
    """One for each letter, which is its artist, best first."""
    return [
        Candidate(f"{place}", 1.0 - place / 100, np.zeros(2, np.float32), artist)
        for place, artist in enumerate(artists)
    ]


def artists_of(mix: list[Candidate]) -> str:
    return "".join(one.artist_id for one in mix)


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


def test_the_reason_names_what_speaks_for_most() -> None:
    """A first place counts more than a second."""
    assert spoken_for([["a", "b"], ["b", "a"], ["b"]]) == ["b", "a"]
    assert spoken_for([]) == []
