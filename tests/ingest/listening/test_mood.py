"""Mood words by valence and arousal."""

from itertools import pairwise

import pytest

from tonetouch_ingest.listening.mood import WORDS, moods_of, valence_of


@pytest.mark.parametrize("word", sorted(WORDS))
def test_a_word_is_strongest_in_its_own_place(word: str) -> None:
    """There it scores 1 and comes first."""
    valence, arousal = WORDS[word]
    assert moods_of(valence=valence, arousal=arousal)[0] == (word, 1.0)


@pytest.mark.parametrize("valence", [0.0, 0.3, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("arousal", [0.0, 0.3, 0.5, 0.7, 1.0])
def test_four_to_eight_words_strongest_first(valence: float, arousal: float) -> None:
    """Everywhere on the plane."""
    moods = moods_of(valence=valence, arousal=arousal)
    assert 4 <= len(moods) <= 8
    assert all(0.0 <= later[1] <= earlier[1] <= 1.0 for earlier, later in pairwise(moods))


def test_words_people_search_for_are_there() -> None:
    """The corners of the plane have the names one would type."""
    assert {"calm", "sad", "happy", "energetic", "dark", "dreamy"} <= WORDS.keys()


def test_valence_rises_with_major_brightness_and_tempo() -> None:
    """Nothing known of any of them is one half."""
    assert valence_of(major=0.0, brightness=0.0, bpm=None) == 0.5
    assert valence_of(major=0.9, brightness=0.0, bpm=None) > 0.7
    assert valence_of(major=-0.9, brightness=0.0, bpm=None) < 0.3
    assert valence_of(major=0.0, brightness=1.0, bpm=None) > 0.5
    assert valence_of(major=0.0, brightness=0.0, bpm=160.0) > valence_of(major=0.0, brightness=0.0, bpm=80.0)
