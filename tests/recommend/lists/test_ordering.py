"""A mix is in an order in which each track leads into the next."""

import random
from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonetouch_recommend.lists.ordering import (
    APART,
    Camelot,
    Song,
    camelot,
    energy_step,
    fit,
    in_order,
    key_step,
    tempo_step,
)

KEYS = [
    f"{note} {mode}"
    for note in ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    for mode in ("major", "minor")
]


def song(number: int, **known: object) -> Song:
    said: dict[str, object] = {"track_id": f"{number:03d}", "artist_id": f"artist {number}", **known}
    return Song(**said)  # type: ignore[arg-type]


def drawn(size: int, seed: int, artists: int = 0) -> list[Song]:
    """Songs of any tempo, key and energy; of so many artists, or each of its own."""
    chance = random.Random(seed)
    return [
        song(
            number,
            artist_id=f"artist {chance.randrange(artists) if artists else number}",
            bpm=chance.uniform(70, 180),
            key=chance.choice(KEYS),
            energy=chance.random(),
        )
        for number in range(size)
    ]


def jumps(songs: list[Song]) -> float:
    """What the neighbours cost together, as the mean of the pairs."""
    return sum(fit(one, other) for one, other in pairwise(songs)) / (len(songs) - 1)


def soon(songs: list[Song]) -> int:
    """How many artists come again too soon."""
    names = [one.artist_id for one in songs]
    return sum(name in names[max(0, at - APART) : at] for at, name in enumerate(names))


def test_keys_stand_on_the_camelot_wheel() -> None:
    """Relative keys share a number, a fifth is one step; another spelling of a note is the same key."""
    wheel = {
        "A minor": (8, False),
        "C major": (8, True),
        "G major": (9, True),
        "E minor": (9, False),
        "B major": (1, True),
    }
    assert {key: camelot(key) for key in wheel} == {key: Camelot(*place) for key, place in wheel.items()}
    assert camelot("Gb major") == camelot("F# major") == camelot("F♯ major")
    assert {place.number for key in KEYS if (place := camelot(key))} == set(range(1, 13))
    assert len({camelot(key) for key in KEYS}) == 24
    assert [camelot(odd) for odd in (None, "", "H minor", "A", "A dorian", "A## minor")] == [None] * 6


def test_relative_keys_and_neighbours_fit() -> None:
    """They cost next to nothing; the other side of the wheel costs most, an unknown key something between."""
    steps = {other: key_step(camelot("A minor"), camelot(other)) for other in KEYS}
    assert sorted(steps, key=lambda key: steps[key])[:4] == [
        "A minor",
        *sorted(["C major", "D minor", "E minor"], key=KEYS.index),
    ]
    assert max(steps.values()) == steps["Eb minor"] == 1.0
    assert all(step > 0.3 for key, step in steps.items() if key not in ("A minor", "C major", "D minor", "E minor"))
    assert 0.1 < key_step(camelot("A minor"), None) < 1.0


def test_half_and_double_tempo_are_the_same() -> None:
    """A few beats are a small step, and another tempo is a large one, whichever is the faster."""
    assert tempo_step(70, 140) == tempo_step(160, 80) == 0.0
    assert tempo_step(120, 123) == pytest.approx(tempo_step(123, 120))
    assert tempo_step(120, 123) < 0.25
    assert tempo_step(100, 140) == 1.0
    assert tempo_step(None, 120) == tempo_step(0, 120) == 0.5
    assert energy_step(0.2, 0.9) == pytest.approx(0.7)


def test_neighbours_fit_better_than_as_they_came() -> None:
    """The more there is to choose from, the better: of 10 songs three quarters of the jumps stay, of 50 one half."""
    for size, share in {10: 0.75, 20: 0.65, 50: 0.5}.items():
        mixes = [drawn(size, seed) for seed in range(10)]
        found, came = sum(jumps(in_order(mix)) for mix in mixes), sum(map(jumps, mixes))
        assert found < share * came, (size, found / came)


def test_the_order_is_nearly_the_best_there_is() -> None:
    """Within five hundredths of the best of all 720 orders of seven songs that begin with the first."""
    for seed in range(5):
        first, *others = drawn(7, seed)
        best = min(jumps([first, *order]) for order in permutations(others))
        assert jumps(in_order([first, *others], has_arc=False)) < 1.05 * best


def test_energy_rises_and_falls_again() -> None:
    """The middle of a mix is louder than its ends."""
    songs = [song(number, bpm=120, key="A minor", energy=number / 20) for number in range(20)]
    order = in_order(songs)
    energies = [one.energy or 0.0 for one in order]
    assert order[0] == songs[0]
    assert 8 <= energies.index(max(energies)) <= 17
    assert sum(energies[10:16]) / 6 > sum(energies[:4]) / 4 + 0.3
    assert energies[-1] < max(energies) - 0.3


def test_the_best_stays_first_unless_the_mix_goes_on() -> None:
    """After another song whatever fits that comes first."""
    songs = drawn(12, 3)
    assert in_order(songs)[0] == songs[0]
    alike = song(99, bpm=songs[7].bpm, key=songs[7].key, energy=songs[7].energy)
    assert in_order(songs, after=alike, has_arc=False)[0] == songs[7]


@settings(max_examples=40)
@given(st.integers(0, 25), st.integers(0, 1000), st.integers(0, 6), st.booleans())
def test_an_order_has_every_song_once_and_is_always_the_same(size: int, seed: int, artists: int, has_arc: bool) -> None:
    """Nothing is lost or comes twice, and asking again gives the same."""
    songs = drawn(size, seed, artists)
    order = in_order(songs, has_arc=has_arc)
    assert sorted(one.track_id for one in order) == [one.track_id for one in songs]
    assert order == in_order(list(songs), has_arc=has_arc)


def test_an_artist_has_room() -> None:
    """The songs of one artist stand apart: of those that would come too soon hardly a third still does."""
    mixes = [drawn(20, seed, artists=8) for seed in range(10)]
    assert sum(soon(in_order(mix)) for mix in mixes) < sum(map(soon, mixes)) / 3
