"""Same, version or new: the ladder over real encodings and cuts of generated songs, then rung by rung."""

from itertools import permutations
from pathlib import Path
from typing import Final

import av
import essentia
import essentia.standard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.sounds import encode, song
from tonetouch_ingest.listening.fingerprint import ITEM_SECONDS, SILENCE, Items, align, decode_compressed, vector
from tonetouch_ingest.listening.matching import (
    MINIMUM_COSINE,
    Decision,
    New,
    Same,
    Sound,
    Version,
    decide,
)

essentia.log.infoActive = False
RATE: Final = 44100
SECONDS: Final = 42.0
SONGS: Final = (
    (0, "C", "major", 84.0),
    (1, "G", "minor", 92.0),
    (2, "D", "major", 100.0),
    (3, "A", "minor", 108.0),
    (4, "F", "major", 116.0),
    (5, "Eb", "minor", 124.0),
    (6, "Ab", "major", 132.0),
    (7, "E", "minor", 140.0),
)
# The largest error rate, without that of a shift, that a change may cost. Measured on these eight songs: mp3 0.006,
# opus 0.018, aac 0.015, a cut between two items 0.010, silence 0.007, a cut at the end 0.
TRANSCODES: Final = {"mp3 128k": 0.012, "opus 48k": 0.025, "aac 96k": 0.025}
TRIMS: Final = {
    "0.4 s cut in front": 0.015,
    "3 s cut in front": 0.015,
    "10 s cut in front": 0.015,
    "half an item cut in front": 0.015,
    "10 s cut at the end": 0.001,
    "4 s of silence in front": 0.015,
    "4 s of silence at the end": 0.001,
}
CUTS_SECONDS: Final = (0.15, 0.7, 1.31, 2.23, 4.9)  # at any place between two items
Mono = NDArray[np.float32]
Library = dict[str, dict[str, Sound]]
Vectors = dict[str, dict[str, Mono]]


@pytest.fixture(name="library", scope="module")
def _library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Every song in every form: name of the form -> song -> its sound."""
    folder = tmp_path_factory.mktemp("songs")
    library: Library = {}
    for seed, key, mode, bpm in SONGS:
        samples = song(seed, seconds=SECONDS, bpm=bpm, key=key, mode=mode)
        for form, sound in _forms(samples, folder, seed).items():
            library.setdefault(form, {})[str(seed)] = listen(sound, track_id=f"{seed}-{form}")
    return library


@pytest.fixture(name="vectors", scope="module")
def _vectors(library: Library) -> Vectors:
    """The vector of every sound in the library; name of the form -> song -> its vector."""
    return {form: {name: vector_of(sound.items) for name, sound in songs.items()} for form, songs in library.items()}


def vector_of(items: Items) -> Mono:
    """The vector of items that are long enough to have one."""
    made = vector(items)
    assert made is not None
    return made


def _forms(samples: NDArray[np.float32], folder: Path, seed: int) -> dict[str, Mono]:
    mono = samples.mean(axis=1)
    silence = np.zeros(4 * RATE, dtype=np.float32)
    slower = np.arange(int(len(mono) / 1.01)) * 1.01
    return {
        "original": mono,
        "mp3 128k": decode(encode(samples, folder / f"{seed}.mp3", bit_rate=128_000)),
        "opus 48k": decode(encode(samples, folder / f"{seed}.opus", bit_rate=48_000)),
        "aac 96k": decode(encode(samples, folder / f"{seed}.m4a", bit_rate=96_000)),
        "0.4 s cut in front": mono[int(0.4 * RATE) :],
        "3 s cut in front": mono[3 * RATE :],
        "10 s cut in front": mono[10 * RATE :],
        "10 s cut at the end": mono[: -10 * RATE],
        "half an item cut in front": mono[int(ITEM_SECONDS / 2 * RATE) :],
        "4 s of silence in front": np.concatenate([silence, mono]),
        "4 s of silence at the end": np.concatenate([mono, silence]),
        "1 % faster": np.interp(slower, np.arange(len(mono)), mono),
    }


def decode(path: Path) -> Mono:
    """A file as mono samples at 44.1 kHz."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    with av.open(str(path)) as container:
        frames = [piece for frame in container.decode(audio=0) for piece in resampler.resample(frame)]
    return np.concatenate([piece.to_ndarray().ravel() for piece in [*frames, *resampler.resample(None)]])


def listen(mono: Mono, *, track_id: str) -> Sound:
    """Fingerprints a sound the way the analysis does."""
    text = essentia.standard.Chromaprinter(maxLength=120.0)(np.ascontiguousarray(mono, dtype=np.float32))
    return Sound(track_id=track_id, items=decode_compressed(text), duration_seconds=len(mono) / RATE)


def later(sound: Sound) -> Sound:
    """The same sound under an id that is younger than all others."""
    return Sound(track_id="z", items=sound.items, duration_seconds=sound.duration_seconds)


def made(items: Items, *, track_id: str, seconds: float | None = None, cosine: float | None = None) -> Sound:
    """A sound of given items, as long as they say unless told otherwise."""
    duration = len(items) * ITEM_SECONDS + 2.6 if seconds is None else seconds
    return Sound(track_id=track_id, items=items, duration_seconds=duration, cosine=cosine)


def random_items(seed: int, count: int) -> Items:
    """Items that change by an eighth of their bits from one to the next, as those of music do."""
    changes = np.random.default_rng(seed).random((count, 32)) < 0.125
    if count:
        changes[0] = np.random.default_rng(seed).random(32) < 0.5
    packed = np.packbits(changes, axis=1, bitorder="little").view("<u4").ravel().astype(np.uint32)
    return np.bitwise_xor.accumulate(packed)


def flip(items: Items, *, share: float) -> Items:
    """Flips exactly that share of bits, spread evenly."""
    order = np.random.default_rng(0).permutation(items.size * 32)
    wrong = np.zeros(items.size * 32, dtype=np.uint8)
    wrong[order[: round(share * wrong.size)]] = 1
    return items ^ np.packbits(wrong.reshape(-1, 32), axis=1, bitorder="little").view("<u4").ravel().astype(np.uint32)


class TestSongs:
    """Eight songs against each other, as an upload after all originals."""

    @pytest.mark.parametrize("form", ["original", *TRANSCODES, *TRIMS])
    def test_every_transcode_and_trim_is_a_duplicate_of_its_own(self, library: Library, form: str) -> None:
        """Each comes out as the same as its original, never as another's, with all originals as candidates."""
        originals = list(library["original"].values())
        found = {name: decide(later(sound), originals) for name, sound in library[form].items()}
        assert {name: type(one) for name, one in found.items()} == dict.fromkeys(found, Same)
        assert {name: one.of for name, one in found.items() if isinstance(one, Same)} == {
            name: f"{name}-original" for name in found
        }

    @pytest.mark.parametrize(("form", "limit"), [*TRANSCODES.items(), *TRIMS.items()])
    def test_bit_errors_stay_where_they_were_measured(self, library: Library, form: str, limit: float) -> None:
        """The figures behind the limits of the ladder."""
        met = [align(one.items, library["original"][name].items) for name, one in library[form].items()]
        assert max(one.unshifted_error_rate for one in met) <= limit

    @pytest.mark.parametrize("form", [*TRANSCODES, *TRIMS])
    def test_the_vector_finds_every_original_first(self, vectors: Vectors, form: str) -> None:
        """Nearest by cosine is the own original, above the recall floor; strangers lie far below it."""
        for name, mine in vectors[form].items():
            near = {other: float(mine @ original) for other, original in vectors["original"].items()}
            assert near[name] > MINIMUM_COSINE
            assert max(value for other, value in near.items() if other != name) < 0.3

    def test_strangers_are_never_merged(self, library: Library) -> None:
        """No form of one song is the same as, or a version of, any form of another."""
        forms = [form for form in library if form != "original"]
        for mine, theirs in permutations(library["original"], 2):
            others = [library["original"][theirs], *(library[form][theirs] for form in forms[:3])]
            for form in forms:
                assert decide(later(library[form][mine]), others) == New()

    def test_the_place_of_a_cut_does_not_matter(self, library: Library, tmp_path: Path) -> None:
        """An Opus file cut anywhere, also between two items, is still the same as its original."""
        samples = song(0, seconds=SECONDS, bpm=84.0)
        opus = decode(encode(samples, tmp_path / "song.opus", bit_rate=48_000))
        for cut in CUTS_SECONDS:
            found = decide(listen(opus[int(cut * RATE) :], track_id="z"), [library["original"]["0"]])
            assert isinstance(found, Same)
            assert found.bit_error_rate < 0.03
            assert found.offset_seconds == pytest.approx(-cut, abs=ITEM_SECONDS)

    def test_another_speed_is_another_recording(self, library: Library) -> None:
        """One per cent faster moves the pitch, which Chromaprint follows badly: linked at best, and both stay."""
        for name, sound in library["1 % faster"].items():
            assert not isinstance(decide(later(sound), [library["original"][name]]), Same)

    def test_two_codecs_of_one_song_are_duplicates_of_each_other(self, library: Library) -> None:
        """Errors of two lossy codecs add up and still stay below the limit."""
        for name, sound in library["opus 48k"].items():
            assert isinstance(decide(later(sound), [library["aac 96k"][name]]), Same)


@pytest.mark.parametrize("seconds", [6.0, 12.0, 25.0])
def test_short_songs_are_compared_directly(seconds: float, tmp_path: Path) -> None:
    """Under 30 s there is no vector to trust: a transcode is the same, another song is new."""
    samples = song(40, seconds=seconds)
    original = listen(samples.mean(axis=1), track_id="a")
    stranger = listen(song(41, seconds=seconds).mean(axis=1), track_id="b")
    opus = listen(decode(encode(samples, tmp_path / "song.opus", bit_rate=48_000)), track_id="z")
    found = decide(opus, [original, stranger])
    assert isinstance(found, Same)
    assert found.of == "a"
    assert decide(opus, [stranger]) == New()


def test_a_long_song_cut_in_front_ends_with_its_original() -> None:
    """Past two minutes only durations tell the end: a cut in front explains the difference exactly."""
    samples = song(50, seconds=130, bpm=96).mean(axis=1)
    found = decide(listen(samples[5 * RATE :], track_id="z"), [listen(samples, track_id="a")])
    assert isinstance(found, Same)
    assert found.offset_seconds == pytest.approx(-5.0, abs=0.1)


class TestRungs:
    """Each rung of the ladder, on items made up for it."""

    @pytest.mark.parametrize(
        ("share", "count", "expected"),
        [
            (0.0, 500, Same),
            (0.055, 500, Same),
            (0.065, 500, Version),
            (0.29, 500, Version),
            (0.31, 500, New),
            (0.145, 200, Version),
            (0.16, 200, New),
        ],
    )
    def test_the_error_rate_decides(self, share: float, count: int, expected: type[Decision]) -> None:
        """Up to 0.06 the same, up to 0.3 a version, then new; where less than 30 s meet, up to 0.15."""
        items = random_items(1, count)
        found = decide(made(flip(items, share=share), track_id="z"), [made(items, track_id="a")])
        assert isinstance(found, expected)

    @pytest.mark.parametrize(("wrong", "expected"), [(0.1, Same), (0.2, Version)])
    def test_four_seconds_that_differ_make_a_version(self, wrong: float, expected: type[Decision]) -> None:
        """A verse without its voice, a word that was taken out: far too few errors to show in the whole."""
        items = random_items(2, 900)
        other = items.copy()
        other[400:440] = flip(items[400:440], share=wrong)
        found = decide(made(other, track_id="z"), [made(items, track_id="a")])
        assert isinstance(found, expected) and not isinstance(found, New)
        assert found.bit_error_rate < 0.01

    def test_another_unseen_end_makes_a_version(self) -> None:
        """The same two minutes with 20 s less after them: a radio edit perhaps, so both stay."""
        items = random_items(2, 948)
        found = decide(made(items, track_id="z", seconds=220), [made(items, track_id="a", seconds=240)])
        assert found == Version(of="a", bit_error_rate=0.0, offset_seconds=0.0)

    @pytest.mark.parametrize(("difference", "expected"), [(0.9, Same), (-0.9, Same), (1.2, Version), (-1.2, Version)])
    def test_unseen_ends_may_differ_by_a_second(self, difference: float, expected: type[Decision]) -> None:
        """One second either way is padding."""
        items = random_items(2, 948)
        track = made(items, track_id="z", seconds=240 + difference)
        assert isinstance(decide(track, [made(items, track_id="a", seconds=240)]), expected)

    @pytest.mark.parametrize(("missing", "expected"), [(24, Same), (90, Same), (110, Version), (200, Version)])
    def test_more_than_a_trim_of_music_makes_a_version(self, missing: int, expected: type[Decision]) -> None:
        """Twelve seconds of music may be missing at one end (97 items); more is an excerpt."""
        items = random_items(3, 500)
        for part in (items[missing:], items[:-missing]):
            assert isinstance(decide(made(part, track_id="z"), [made(items, track_id="a")]), expected)
            assert isinstance(decide(made(items, track_id="z"), [made(part, track_id="a")]), expected)

    def test_silence_may_be_longer_than_a_trim(self) -> None:
        """Twenty-five seconds of silence at either end change nothing about the recording."""
        items, silence = random_items(4, 400), np.full(200, SILENCE, dtype=np.uint32)
        for padded in (np.concatenate([silence, items]), np.concatenate([items, silence])):
            assert isinstance(decide(made(padded, track_id="z"), [made(items, track_id="a")]), Same)

    def test_two_excerpts_of_one_mix_are_versions(self) -> None:
        """Each has music that the other lacks: neither contains the other, though the durations agree."""
        mix = random_items(5, 600)
        found = decide(made(mix[:520], track_id="z"), [made(mix[80:], track_id="a")])
        assert isinstance(found, Version)

    def test_too_little_overlap_is_new(self) -> None:
        """A common minute is evidence, nine seconds are not: 79 items say nothing."""
        shared = random_items(6, 79)
        track = np.concatenate([shared, random_items(7, 250)])
        other = np.concatenate([random_items(8, 230), shared])
        assert decide(made(track, track_id="z"), [made(other, track_id="a")]) == New()

    def test_a_drone_is_never_known(self) -> None:
        """Few unique items compare equal to every other drone, so they are not compared."""
        drone = np.tile(random_items(9, 40), 12)
        assert decide(made(drone, track_id="z"), [made(drone, track_id="a")]) == New()

    def test_silent_tracks_are_never_merged(self) -> None:
        """Silence equals silence and proves nothing."""
        silence = np.full(500, SILENCE, dtype=np.uint32)
        assert decide(made(silence, track_id="z"), [made(silence, track_id="a")]) == New()

    def test_a_neighbour_below_the_recall_floor_is_passed_over(self) -> None:
        """The index said they are far apart; None means that nobody asked it."""
        items = random_items(10, 400)
        assert decide(made(items, track_id="z"), [made(items, track_id="a", cosine=0.54)]) == New()
        for asked in (0.56, None):
            assert isinstance(decide(made(items, track_id="z"), [made(items, track_id="a", cosine=asked)]), Same)

    def test_the_earliest_of_several_equals_is_named(self) -> None:
        """Order and distance of the candidates do not matter: the first upload stays."""
        items = random_items(11, 400)
        near, early = made(items, track_id="b"), made(flip(items, share=0.03), track_id="a")
        for candidates in ([near, early], [early, near]):
            found = decide(made(items, track_id="z"), candidates)
            assert isinstance(found, Same)
            assert found.of == "a"

    def test_the_nearest_of_several_versions_is_named(self) -> None:
        """A version is linked to what it resembles most, and only when nothing is the same."""
        items = random_items(12, 400)
        far, near = made(flip(items, share=0.13), track_id="a"), made(flip(items, share=0.08), track_id="b")
        found = decide(made(items, track_id="z"), [far, near])
        assert isinstance(found, Version)
        assert found.of == "b"

    def test_the_track_itself_does_not_count(self) -> None:
        """A track is never its own duplicate, and asking again changes nothing."""
        items = random_items(13, 400)
        first, second = made(items, track_id="a"), made(items, track_id="b")
        assert decide(first, [first]) == New()
        assert isinstance(decide(second, [first, second]), Same)

    @pytest.mark.parametrize(
        ("track", "other"),
        [
            (random_items(14, 15), random_items(14, 15)),
            (np.tile(random_items(15, 8), 8), np.tile(random_items(15, 8), 8)),
            (random_items(16, 100), np.concatenate([random_items(16, 70), random_items(17, 60)])),
        ],
        ids=["under five seconds", "a held note", "a common intro"],
    )
    def test_short_sounds_need_more_in_common(self, track: Items, other: Items) -> None:
        """What is too short, repeats itself or agrees only in a part stays apart."""
        assert decide(made(track, track_id="z"), [made(other, track_id="a")]) == New()

    def test_a_short_sound_trimmed_by_more_than_a_second_is_a_version(self) -> None:
        """Three seconds of a jingle are too much of it."""
        items = random_items(18, 120)
        assert isinstance(decide(made(items[24:], track_id="z"), [made(items, track_id="a")]), Version)
        assert isinstance(decide(made(items[6:], track_id="z"), [made(items, track_id="a")]), Same)

    @given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.5), st.integers(0, 300), st.integers(0, 900))
    def test_a_duplicate_is_always_within_the_limits(self, seed: int, share: float, cut: int, count: int) -> None:
        """Whatever is compared: 'same' implies a low error rate and a trim of 12 s at most."""
        items = random_items(seed, count)
        found = decide(made(flip(items, share=share)[cut:], track_id="z"), [made(items, track_id="a")])
        if isinstance(found, Same):
            assert found.bit_error_rate <= 0.06
            assert abs(found.offset_seconds) <= 12.0
