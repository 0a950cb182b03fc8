"""The second vector of a sound: how it goes on in time."""

import numpy as np

from tests.sounds import song
from tonetouch_ingest.listening.fingerprint import SILENCE, Items, decode_compressed
from tonetouch_ingest.listening.measuring import fingerprint_of
from tonetouch_ingest.listening.progression import MINIMUM_ITEMS, progression

RATE = 44100
FIRST = (0.018155, -0.015864, -0.005640, -0.006980)


def items_of(seed: int, *, melody: bool = True, cut_seconds: float = 0.0) -> Items:
    samples = song(seed, seconds=45.0, bpm=90.0 + 8 * seed, melody=melody).mean(axis=1)
    return decode_compressed(fingerprint_of(np.ascontiguousarray(samples[round(cut_seconds * RATE) :])))


def cosine(one: Items, other: Items) -> float:
    left, right = progression(one), progression(other)
    assert left is not None
    assert right is not None
    return float(left @ right)


def test_an_instrumental_is_near_its_song_and_strangers_are_far() -> None:
    """The accompaniment decides, whatever is sung over it."""
    own, other = items_of(1), items_of(2)
    assert cosine(items_of(1, melody=False), own) > 0.5
    assert abs(cosine(other, own)) < 0.3


def test_where_a_sound_begins_matters_little() -> None:
    """Ten of forty-five seconds cut off, and silence put in front."""
    own = items_of(3)
    assert cosine(items_of(3, cut_seconds=10.0), own) > 0.7
    silence = np.full(40, SILENCE, dtype=np.uint32)
    assert cosine(np.concatenate([silence, own]), own) > 0.999


def test_it_is_a_unit_vector_and_always_the_same() -> None:
    """Numbers that were stored stay comparable: the first of them are held here."""
    items = np.random.RandomState(5).randint(0, 2**32, size=300, dtype=np.uint32)
    found = progression(items)
    assert found is not None
    assert found.dtype == np.float32
    assert abs(float(np.linalg.norm(found)) - 1) < 1e-6
    np.testing.assert_allclose(found[:4], FIRST, atol=1e-5)


def test_too_little_has_none() -> None:
    """Too short, or the same over and over."""
    items = np.random.RandomState(6).randint(0, 2**32, size=400, dtype=np.uint32)
    assert progression(items[: MINIMUM_ITEMS - 1]) is None
    assert progression(np.tile(items[:50], 10)) is None
    assert progression(np.full(500, SILENCE, dtype=np.uint32)) is None
