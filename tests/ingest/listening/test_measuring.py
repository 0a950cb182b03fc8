"""Tempo, key, energy and mood of sounds that were written to have them."""

import subprocess
import sys

import numpy as np
import pytest

from tests.sounds import Samples, song
from tonetouch_ingest.listening.calibrating import main as calibrating
from tonetouch_ingest.listening.energy import read_scale
from tonetouch_ingest.listening.findings import Measurement
from tonetouch_ingest.listening.loudness import loudness_of
from tonetouch_ingest.listening.measuring import fingerprint_of, measure


def measured(stereo: Samples) -> Measurement:
    excerpt = np.ascontiguousarray(stereo.mean(axis=1), dtype=np.float32)
    return measure(excerpt, duration_seconds=len(stereo) / 44100, loudness=loudness_of(stereo))


@pytest.mark.parametrize(
    ("seed", "bpm", "key", "mode"),
    [(1, 120.0, "C", "major"), (2, 90.0, "A", "minor"), (3, 140.0, "F#", "major"), (4, 75.0, "Eb", "major")],
)
def test_tempo_and_key_of_a_song_are_found(seed: int, bpm: float, key: str, mode: str) -> None:
    """The tempo is among the candidates within 4 %, octaves of it included, and the key is the key."""
    found = measured(song(seed, seconds=20.0, bpm=bpm, key=key, mode=mode))
    assert found.bpm is not None and 70 <= found.bpm <= 180
    assert found.bpm_candidates[0] == found.bpm
    assert any(abs(candidate / bpm - 1) < 0.04 for candidate in found.bpm_candidates)
    assert found.key == f"{key} {mode}"
    assert found.key_strength is not None and found.key_strength > 0.5


def test_tempo_is_exact_in_the_middle_of_the_range() -> None:
    """Where no octave is in doubt the first answer is the right one."""
    assert measured(song(5, bpm=110.0)).bpm == pytest.approx(110.0, rel=0.01)


def test_loud_and_busy_has_more_energy_than_soft_and_slow() -> None:
    """Energy orders sounds, from a quiet ballad without drums to a fast song played at full level."""
    ballad = measured(song(1, bpm=70.0, drums=False) * np.float32(0.1))
    middle = measured(song(1, bpm=100.0))
    wild = measured(np.clip(song(1, bpm=170.0) * 4, -1, 1))
    assert ballad.energy is not None and middle.energy is not None and wild.energy is not None
    assert ballad.energy + 0.1 < middle.energy < wild.energy - 0.1
    assert ballad.energy > 0.0 and wild.energy < 1.0


def test_loudness_alone_is_not_energy() -> None:
    """The same song 12 dB softer is still livelier than a loud drone."""
    time = np.arange(20 * 44100) / 44100
    drone = 0.9 * np.sin(2 * np.pi * 110 * time).astype(np.float32)
    soft, loud = measured(song(1, bpm=170.0) * np.float32(0.25)), measured(np.column_stack((drone, drone)))
    assert soft.energy is not None and loud.energy is not None
    assert soft.energy > loud.energy


def test_moods_follow_mode_and_energy() -> None:
    """Minor is darker than major, soft is calmer than loud."""
    major, minor = measured(song(1, mode="major")), measured(song(1, key="A", mode="minor"))
    soft = measured(song(1, bpm=70.0, drums=False) * np.float32(0.1))
    assert major.moods[0][0] == "happy"
    assert minor.moods[0][0] in ("dark", "melancholic")
    assert soft.moods[0][0] == "calm"
    for found in (major, minor, soft):
        assert 4 <= len(found.moods) <= 8
        assert [score for _, score in found.moods] == sorted((score for _, score in found.moods), reverse=True)


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_nothing_is_known_of_silence(level: float) -> None:
    """Below -60 LUFS there is a length and nothing else."""
    found = measured(song(1, seconds=10.0) * np.float32(level))
    assert found == Measurement(duration_seconds=10.0)


def test_little_is_known_of_three_seconds() -> None:
    """Under five seconds loudness is known, and tempo, key, energy and mood are not."""
    found = measured(song(1, seconds=3.0))
    assert found.loudness_lufs is not None
    assert (found.bpm, found.bpm_candidates, found.key, found.energy, found.moods) == (None, (), None, None, ())


def test_six_seconds_are_enough() -> None:
    """From five seconds on everything is measured."""
    assert measured(song(1, seconds=6.0)).bpm == pytest.approx(120.0, rel=0.02)


def test_a_drone_has_no_tempo_and_drums_have_no_key() -> None:
    """What is not there is null; the strength of the key tells how far away it was."""
    time = np.arange(20 * 44100) / 44100
    drone = (0.5 * np.sin(2 * np.pi * 220 * time)).astype(np.float32)
    assert measured(np.column_stack((drone, drone))).bpm is None
    clicks = np.zeros(20 * 44100, dtype=np.float32)
    burst = np.random.default_rng(1).standard_normal(2000) * np.exp(-np.arange(2000) / 300)
    for start in range(0, len(clicks) - 2000, 22050):
        clicks[start : start + 2000] += 0.3 * burst.astype(np.float32)
    drummed = measured(np.column_stack((clicks, clicks)))
    assert drummed.bpm == pytest.approx(120.0, rel=0.02)
    assert drummed.key_strength is not None
    assert (drummed.key is None) == (drummed.key_strength < 0.5)


def test_a_silent_middle_is_not_measured() -> None:
    """When the excerpt says nothing, the loudness of the rest does not help."""
    loudness = loudness_of(song(1, seconds=5.0))
    found = measure(np.zeros(60 * 44100, dtype=np.float32), duration_seconds=300.0, loudness=loudness)
    assert found.loudness_lufs is not None
    assert (found.bpm, found.key, found.energy) == (None, None, None)


def test_one_sound_measures_the_same_twice() -> None:
    """No state is left over from one file to the next."""
    sound = song(7, bpm=133.0)
    first = measured(sound)
    measured(song(8, bpm=80.0))
    assert measured(sound) == first


def test_the_fingerprint_says_which_recording_it_is() -> None:
    """The same sound gives the same text, another one another; the first two minutes count."""
    mono = [np.ascontiguousarray(song(seed, seconds=12.0).mean(axis=1)) for seed in (1, 2)]
    assert fingerprint_of(mono[0]) == fingerprint_of(mono[0].copy()) != fingerprint_of(mono[1])
    long = np.tile(mono[0], 11)
    assert fingerprint_of(long[: 120 * 44100]) == fingerprint_of(long)


@pytest.mark.parametrize("samples", [0, 1, 100, 22050])
def test_a_fingerprint_of_next_to_nothing_is_short(samples: int) -> None:
    """Too short for a single item is no error."""
    assert len(fingerprint_of(np.zeros(samples, dtype=np.float32))) < 10


def test_the_energy_scale_is_what_its_command_makes() -> None:
    """The frozen constants can be made again, and say by what they were made."""
    assert read_scale().made_by == "python -m tonetouch_ingest.listening.calibrating"
    assert calibrating(["--check"]) == 0


def test_the_service_itself_never_loads_essentia() -> None:
    """What the ingest service imports to use the workers loads neither Essentia nor FFmpeg."""
    program = (
        "import sys, tonetouch_ingest.listening.workers, tonetouch_ingest.listening.findings;"
        "sys.exit('essentia' in sys.modules or 'av' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
