"""Fingerprints: Chromaprint's text decoded exactly, a vector that survives trims, a comparison bit by bit."""

import base64
import contextlib
import json
from pathlib import Path

import essentia
import essentia.standard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.sounds import song
from tonetouch_ingest.listening.fingerprint import (
    ITEM_SECONDS,
    SILENCE,
    VECTOR_DIMENSIONS,
    Items,
    MalformedFingerprint,
    align,
    decode_compressed,
    vector,
)

essentia.log.infoActive = False
GOLDEN = Path(__file__).parent / "golden"
# Made with chromaprint_decode_fingerprint and chromaprint_encode_fingerprint of the Chromaprint library itself.
VECTORS = json.loads((GOLDEN / "chromaprint.json").read_text())

any_items = st.lists(st.integers(0, 2**32 - 1), max_size=60).map(lambda values: np.array(values, dtype=np.uint32))


def compress(items: Items) -> str:
    """Chromaprint's compression, written as plainly as its description, to check the decoder from the other side."""
    normal, long, before = [], [], 0
    for item in items.tolist():
        changed, last = item ^ before, 0
        for position in range(1, 33):
            if changed >> (position - 1) & 1:
                gap, last = position - last, position
                normal.append(min(gap, 7))
                if gap >= 7:
                    long.append(gap - 7)
        normal.append(0)
        before = item
    header = bytes([1]) + len(items).to_bytes(3, "big")
    data = header + _pack(normal, width=3) + _pack(long, width=5)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _pack(values: list[int], *, width: int) -> bytes:
    number = sum(value << (width * at) for at, value in enumerate(values))
    return number.to_bytes((len(values) * width + 7) // 8, "little")


def random_items(seed: int, count: int) -> Items:
    return np.random.default_rng(seed).integers(0, 2**32, size=count, dtype=np.uint32)


def flip(items: Items, *, share: float) -> Items:
    """Flips that share of all bits, at random places."""
    wrong = np.random.default_rng(0).random((len(items), 32)) < share
    return items ^ np.packbits(wrong, axis=1, bitorder="little").view("<u4").ravel().astype(np.uint32)


@pytest.mark.parametrize("golden", VECTORS, ids=[one["of"] for one in VECTORS])
def test_decodes_what_the_library_decodes(golden: dict[str, object]) -> None:
    """The items are those that Chromaprint's own decoder gives."""
    assert decode_compressed(str(golden["text"])).tolist() == golden["items"]


def test_silence_has_one_known_item() -> None:
    """Ten seconds of digital silence are the item 627964279 over and over."""
    text = essentia.standard.Chromaprinter(maxLength=120.0)(np.zeros(44100 * 10, dtype=np.float32))
    assert set(decode_compressed(text).tolist()) == {SILENCE}


def test_chromaprinter_stops_after_two_minutes() -> None:
    """With maxLength=120 a longer sound gives one fingerprint of 948 items, not one per piece."""
    sound = np.tile(song(5, seconds=10).mean(axis=1), 13).astype(np.float32)
    assert len(decode_compressed(essentia.standard.Chromaprinter(maxLength=120.0)(sound))) == 948


@given(any_items)
def test_decoding_undoes_compressing(items: Items) -> None:
    """Any items at all come back from the compressed form."""
    assert decode_compressed(compress(items)).tolist() == items.tolist()


@given(any_items, st.data())
def test_a_shortened_text_is_refused_or_empty(items: Items, data: st.DataObject) -> None:
    """A text that lost its end never decodes to other items."""
    text = compress(items)
    shortened = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(MalformedFingerprint):
        decode_compressed(shortened)


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda raw: base64.urlsafe_b64encode(b"\x01" + raw).decode()))
def test_arbitrary_text_is_decoded_or_refused(text: str) -> None:
    """Nothing but MalformedFingerprint escapes, whatever the text is."""
    with contextlib.suppress(MalformedFingerprint):
        assert decode_compressed(text).dtype == np.uint32


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "header"),
        ("AQ", "header"),
        ("not base64!", "base64"),
        ("é" * 8, "base64"),
        (base64.urlsafe_b64encode(b"\x02\x00\x00\x00").decode(), "algorithm 2"),
        (base64.urlsafe_b64encode(b"\x01\x00\x00\x05\x00").decode(), "2 of 5 items"),
        (base64.urlsafe_b64encode(b"\x01\x00\x00\x01\x07").decode(), "0 bytes of long gaps"),
        (base64.urlsafe_b64encode(b"\x01\x00\x00\x01\x07\x1f").decode(), "past bit 32"),
        ("A" * (1 << 21), "too long"),
    ],
)
def test_malformed_text_says_where_it_breaks(text: str, says: str) -> None:
    """Each way to be malformed has its own words."""
    with pytest.raises(MalformedFingerprint, match=says):
        decode_compressed(text)


def test_vector_is_a_unit_vector() -> None:
    """256 float32 of length one."""
    found = vector(random_items(1, 300))
    assert found is not None
    assert found.shape == (VECTOR_DIMENSIONS,)
    assert found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-5)


def test_vector_is_the_recipe_item_by_item() -> None:
    """The fast form equals the recipe done slowly: mean over 16 items, random features, mean over time."""
    items = random_items(2, 120)
    weights = np.random.RandomState(20250107).standard_normal((32, 256))
    phases = np.random.RandomState(20250108).uniform(0, 2 * np.pi, 256)
    signs = np.array([[1.0 if item >> bit & 1 else -1.0 for bit in range(32)] for item in items.tolist()])
    features = [np.cos(signs[at : at + 16].mean(axis=0) @ weights * 1.3 + phases) for at in range(len(items) - 15)]
    slow = np.mean(features, axis=0)
    found = vector(items)
    assert found is not None
    np.testing.assert_allclose(found, slow / np.linalg.norm(slow), atol=1e-5)


def test_vector_never_changes_between_releases() -> None:
    """The numbers are frozen: a stored vector must match one made years later."""
    golden = json.loads((GOLDEN / "vector.json").read_text())
    counted = np.arange(200, dtype=np.uint32) * np.uint32(2654435761)
    found = vector(np.cumsum(counted, dtype=np.uint32))
    assert found is not None
    np.testing.assert_allclose(found[:16], golden["first"], atol=2e-6)
    np.testing.assert_allclose(found[-4:], golden["last"], atol=2e-6)


def test_silence_does_not_move_the_vector() -> None:
    """Silent items are dropped before anything else."""
    items = random_items(3, 200)
    padded = np.concatenate([np.full(40, SILENCE, dtype=np.uint32), items])
    np.testing.assert_array_equal(_vector(padded), _vector(items))


@pytest.mark.parametrize(
    "items",
    [
        np.empty(0, dtype=np.uint32),
        np.full(900, SILENCE, dtype=np.uint32),
        np.tile(random_items(4, 79), 10),
    ],
    ids=["nothing", "silence", "79 items repeated"],
)
def test_too_little_to_say_gives_no_vector(items: Items) -> None:
    """With fewer than 80 unique items there is no vector at all."""
    assert vector(items) is None


def test_the_vector_of_80_unique_items_exists() -> None:
    """Eighty unique items are enough."""
    assert vector(random_items(4, 80)) is not None


def test_strangers_have_far_vectors_and_a_changed_copy_a_near_one() -> None:
    """Two strangers stay under the recall floor, a copy with three percent of its bits flipped far above."""
    items = song_items(30)
    assert float(_vector(items) @ _vector(song_items(31))) < 0.3
    assert float(_vector(items) @ _vector(flip(items, share=0.03))) > 0.8


@pytest.mark.parametrize("offset", [-240, -33, 0, 1, 33, 240])
def test_alignment_finds_the_offset(offset: int) -> None:
    """A shift by up to 240 items is found exactly, with nothing wrong in the overlap."""
    long = random_items(6, 700)
    a, b = (long, long[offset:]) if offset >= 0 else (long[-offset:], long)
    met = align(a, b)
    assert (met.offset_items, met.bit_error_rate) == (offset, 0.0)
    assert met.overlap_items == met.unique_items == 700 - abs(offset)


def test_a_shift_beyond_the_reach_is_not_found() -> None:
    """241 items are too far."""
    long = random_items(6, 700)
    assert align(long, long[241:]).bit_error_rate > 0.4


@given(st.floats(0.0, 0.12), st.integers(-60, 60))
def test_alignment_measures_the_share_of_wrong_bits(share: float, offset: int) -> None:
    """The bit error rate is the share of bits that were flipped, whatever the shift."""
    long = random_items(8, 400)
    a, b = long[max(-offset, 0) :], flip(long, share=share)[max(offset, 0) :]
    met = align(a, b)
    assert met.offset_items == offset
    assert met.bit_error_rate == pytest.approx(share, abs=0.02)


def test_silent_items_neither_vote_nor_count() -> None:
    """Two strangers with the same long pause have nothing in common."""
    pause = np.full(200, SILENCE, dtype=np.uint32)
    a = np.concatenate([random_items(9, 30), pause, random_items(10, 30)])
    b = np.concatenate([random_items(11, 30), pause, random_items(12, 30)])
    assert align(a, b).bit_error_rate > 0.4


def test_a_few_equal_items_do_not_beat_a_long_match() -> None:
    """A short coincidence at another offset loses against a minute that nearly agrees."""
    a = random_items(13, 400)
    b = flip(a, share=0.04)
    b[-5:] = a[:5]
    assert align(a, b).offset_items == 0


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_a_shift_by_part_of_an_item_is_told_from_other_errors(fraction: float) -> None:
    """A cut between two items costs bits of its own, which are taken off; flipped bits are not."""
    sound = song(32, seconds=40, bpm=96).mean(axis=1).astype(np.float32)
    whole = listened(sound)
    cut = listened(sound[int(fraction * ITEM_SECONDS * 44100) :])
    met = align(whole, cut)
    assert met.bit_error_rate > 0.1 * fraction
    assert met.unshifted_error_rate < 0.01
    flipped = align(whole, flip(cut, share=0.08))
    assert flipped.unshifted_error_rate == pytest.approx(0.08, abs=0.015)


def test_nothing_to_align_gives_no_overlap() -> None:
    """Empty fingerprints and strangers without one equal item end as 'nothing in common'."""
    nothing = align(np.empty(0, dtype=np.uint32), random_items(1, 100))
    assert (nothing.overlap_items, nothing.bit_error_rate) == (0, 1.0)


def song_items(seed: int) -> Items:
    return listened(song(seed, seconds=40, bpm=70 + seed).mean(axis=1))


def listened(sound: NDArray[np.float32]) -> Items:
    mono = np.ascontiguousarray(sound, dtype=np.float32)
    return decode_compressed(essentia.standard.Chromaprinter(maxLength=120.0)(mono))


def _vector(items: Items) -> NDArray[np.float32]:
    found = vector(items)
    assert found is not None
    return found
