"""Loudness as EBU Tech 3341 wants it."""

from pathlib import Path

import numpy as np
import pytest

from tests.sounds import Samples, encode, song
from tonetouch_ingest.listening.decoding import AudioFile
from tonetouch_ingest.listening.loudness import LoudnessMeter, loudness_of


def tone(level_dbfs: float, seconds: float) -> Samples:
    """The stereo sine of 1 kHz from the standard's test signals."""
    time = np.arange(int(seconds * 44100)) / 44100
    wave = 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * 1000 * time)
    return np.column_stack((wave, wave)).astype(np.float32)


@pytest.mark.parametrize("level", [-23.0, -33.0])
def test_a_sine_measures_its_level(level: float) -> None:
    """Tech 3341, cases 1 and 2: a stereo sine of -23 dBFS is -23 LUFS, within 0.1."""
    measured = loudness_of(tone(level, 20.0))
    assert measured.lufs == pytest.approx(level, abs=0.1)
    assert measured.peak_dbfs == pytest.approx(level, abs=0.01)


def test_quiet_stretches_are_gated() -> None:
    """Tech 3341, case 3: 10 s at -36, 60 s at -23 and 10 s at -36 dBFS are -23 LUFS."""
    signal = np.concatenate((tone(-36, 10), tone(-23, 60), tone(-36, 10)))
    assert loudness_of(signal).lufs == pytest.approx(-23.0, abs=0.1)


def test_the_range_is_the_distance_of_two_levels() -> None:
    """Tech 3342, case 1: 20 s at -20 and 20 s at -30 dBFS have a range of 10 LU."""
    assert loudness_of(np.concatenate((tone(-20, 20), tone(-30, 20)))).range_lu == pytest.approx(10.0, abs=1.0)


def test_silence_has_no_loudness() -> None:
    """Nothing passes the gate."""
    measured = loudness_of(np.zeros((44100 * 3, 2), dtype=np.float32))
    assert (measured.lufs, measured.peak_dbfs) == (None, None)


def test_mono_and_stereo_of_one_sound_are_equally_loud(tmp_path: Path) -> None:
    """A mono file comes out of two speakers as well."""
    mono = song(1, seconds=6.0).mean(axis=1)
    readings = []
    for name, samples in {"mono": mono, "stereo": np.column_stack((mono, mono))}.items():
        meter = LoudnessMeter()
        with AudioFile(encode(samples, tmp_path / f"{name}.flac")) as audio:
            for _ in audio.pieces(meter=meter):
                pass
        readings.append(meter.read().lufs)
    assert readings[0] == pytest.approx(readings[1], abs=0.05)
