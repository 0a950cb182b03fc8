"""A stretch of a sound is kept, and only that."""

import numpy as np
import pytest

from tonetouch_ingest.listening.excerpt import Excerpt, centred


def kept(excerpt: Excerpt, *, seconds: int, piece: int) -> list[float]:
    """Plays a sound at ten samples a second, each sample the time it is heard at."""
    sound = np.arange(seconds * 10, dtype=np.float32) / np.float32(10)
    for start in range(0, len(sound), piece):
        excerpt.add(sound[start : start + piece])
    return [float(value) for value in excerpt.samples()]


@pytest.mark.parametrize("piece", [1, 7, 10, 1000])
def test_the_same_is_kept_in_pieces_of_any_length(piece: int) -> None:
    """Where pieces begin and end makes no difference."""
    samples = kept(Excerpt(start_seconds=3.0, seconds=4.0, rate=10), seconds=20, piece=piece)
    assert (len(samples), samples[0]) == (40, 3.0)
    assert samples[-1] == pytest.approx(6.9)


def test_the_middle_of_a_known_length() -> None:
    """As much before the middle as after it."""
    samples = kept(centred(20.0, seconds=4.0, rate=10), seconds=20, piece=10)
    assert samples[0] == 8.0
    assert samples[-1] == pytest.approx(11.9)


@pytest.mark.parametrize("expected", [None, 2.0])
def test_an_unknown_or_short_sound_is_kept_from_its_beginning(expected: float | None) -> None:
    """Nothing is lost in front."""
    assert kept(centred(expected, seconds=4.0, rate=10), seconds=20, piece=10)[0] == 0.0


def test_a_sound_that_ends_early_leaves_what_there_was() -> None:
    """Also nothing at all."""
    assert len(kept(Excerpt(start_seconds=3.0, seconds=4.0, rate=10), seconds=5, piece=10)) == 20
    assert kept(Excerpt(start_seconds=9.0, seconds=4.0, rate=10), seconds=5, piece=10) == []
