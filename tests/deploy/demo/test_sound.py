"""What a listener who knows nothing of the score makes of the album: Essentia, on the decoded files."""

import essentia
import essentia.standard as es
import numpy as np
import pytest
from numpy.typing import NDArray

from tonetouch_deploy.demo.loudness import brought_to, integrated_lufs
from tonetouch_deploy.demo.notation import Piece, midi_of
from tonetouch_deploy.demo.score import IRON_CATHEDRAL, LAST_TRAM, LULLABY, NEON_SUNRISE, PIECES

Recordings = list[NDArray[np.float32]]

essentia.log.infoActive = False
essentia.log.warningActive = False


def test_tempo_is_heard_as_written(recordings: Recordings) -> None:
    """At least seven of eight tempi are found, give or take an octave and two per cent."""
    heard = {p.title: es.RhythmExtractor2013(method="degara")(_mono(s))[0] for p, s in _each(recordings)}
    right = [piece.title for piece in PIECES if _same_tempo(heard[piece.title], piece.bpm)]
    assert len(right) >= 7, heard


def test_key_is_heard_as_written(recordings: Recordings) -> None:
    """At least seven of eight keys, or their relatives, are found, and with a strength one can rely on."""
    heard = {piece.title: es.KeyExtractor()(_mono(sound)) for piece, sound in _each(recordings)}
    right = [
        piece.title for piece in PIECES if _same_key(piece, *heard[piece.title][:2]) and heard[piece.title][2] > 0.6
    ]
    assert len(right) >= 7, heard


def test_tempi_keys_and_modes_differ() -> None:
    """No two tracks share tempo or key, and there are four of each mode."""
    assert len({piece.bpm for piece in PIECES}) == 8
    assert len({(piece.tonic, piece.mode) for piece in PIECES}) == 8
    assert sorted(piece.mode for piece in PIECES) == ["major"] * 4 + ["minor"] * 4


def test_loudness_is_what_the_score_asks_for(recordings: Recordings) -> None:
    """An independent meter agrees with ours within half a unit, from -24 to -10 LUFS."""
    for piece, sound in _each(recordings):
        measured = es.LoudnessEBUR128()(np.ascontiguousarray(sound.T))[2]
        assert measured == pytest.approx(piece.loudness_lufs, abs=0.5), piece.title
        assert integrated_lufs(sound) == pytest.approx(measured, abs=0.3), piece.title
    asked = [piece.loudness_lufs for piece in PIECES]
    assert (min(asked), max(asked)) == (-24.0, -10.0)


def test_energies_differ_clearly(recordings: Recordings) -> None:
    """The dance track is busier than the lullaby and the piano, and rich in high sounds where the others are not."""
    sounds = {piece.title: _mono(sound) for piece, sound in _each(recordings)}
    onsets = {title: float(es.OnsetRate()(sound)[1]) for title, sound in sounds.items()}
    treble = {title: _treble(sound) for title, sound in sounds.items()}
    for calm in (LULLABY.title, LAST_TRAM.title):
        assert onsets[NEON_SUNRISE.title] > 1.5 * onsets[calm]
        assert treble[NEON_SUNRISE.title] > 5 * treble[calm]


def test_silence_has_no_loudness() -> None:
    """Nothing is measured where nothing sounds."""
    assert integrated_lufs(np.zeros((2, 44_100), np.float32)) == float("-inf")


def test_a_limit_keeps_peaks_below_full_scale() -> None:
    """A sound brought to a loudness it can only have with rounded peaks has them, and has the loudness."""
    clicks = np.zeros((2, 10 * 44_100), np.float32)
    clicks[:, ::4_410] = 1.0
    hum = 0.05 * np.sin(np.arange(10 * 44_100) * 2 * np.pi * 500 / 44_100).astype(np.float32)
    loud = brought_to(clicks + hum, -10.0)
    assert np.abs(loud).max() <= 0.9
    assert integrated_lufs(loud) == pytest.approx(-10.0, abs=0.5)


def test_left_and_right_are_balanced_and_not_the_same(recordings: Recordings) -> None:
    """Stereo in the wide sense of the word, without leaning to a side."""
    for piece, sound in _each(recordings):
        left, right = (float(np.sqrt((side**2).mean())) for side in sound)
        assert left == pytest.approx(right, rel=0.15), piece.title
        assert not np.allclose(sound[0], sound[1], atol=0.01), piece.title


def test_the_sad_one_is_slow_and_minor_and_says_so() -> None:
    """The track to be found by 'a slow sad piano piece' is the slowest, in minor, and no other names a piano."""
    assert min(PIECES, key=lambda piece: piece.bpm) is LAST_TRAM
    assert (LAST_TRAM.mode, LAST_TRAM.genre) == ("minor", "Solo Piano")
    assert not any("piano" in piece.genre.lower() for piece in PIECES if piece is not LAST_TRAM)
    assert IRON_CATHEDRAL.loudness_lufs - LAST_TRAM.loudness_lufs >= 8


def _each(recordings: Recordings) -> list[tuple[Piece, NDArray[np.float32]]]:
    return list(zip(PIECES, recordings, strict=True))


def _mono(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(sound.mean(axis=0), np.float32)


def _treble(sound: NDArray[np.float32]) -> float:
    """The share of the energy that lies above 5 kHz."""
    frames = sound[: sound.size // 4_096 * 4_096].reshape(-1, 4_096) * np.hanning(4_096)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    return float(power[:, 5_000 * 4_096 // 44_100 :].sum() / power.sum())


def _same_tempo(heard: float, written: float) -> bool:
    return any(abs(heard * factor / written - 1) < 0.02 for factor in (0.5, 1, 2))


def _same_key(piece: Piece, tonic: str, mode: str) -> bool:
    away = (midi_of(f"{tonic}4") - midi_of(f"{piece.tonic}4")) % 12
    relative = 9 if piece.mode == "major" else 3
    return away == 0 if mode == piece.mode else away == relative
