"""Measures tempo, key, energy and mood of a mono excerpt. Imports Essentia: for the worker process only."""

from collections.abc import Iterable
from typing import Any, Final

import essentia
import essentia.standard as algorithms
import numpy as np
from numpy.typing import NDArray

from tonetouch_ingest.listening.energy import Liveliness, energy_of, read_scale, standing
from tonetouch_ingest.listening.findings import Measurement
from tonetouch_ingest.listening.loudness import Loudness
from tonetouch_ingest.listening.mood import moods_of, valence_of

Samples = NDArray[np.float32]

RATE: Final = 44100
EXCERPT_SECONDS: Final = 120.0
QUIETEST_LUFS: Final = -60.0
SHORTEST_SECONDS: Final = 5.0
WEAKEST_KEY: Final = 0.5
FINGERPRINT_SECONDS: Final = 120

_TEMPO_SECONDS: Final = 60.0
_TEXTURE_SECONDS: Final = 30.0
_SLOWEST, _FASTEST = 70.0, 180.0
_SLOWEST_CANDIDATE, _FASTEST_CANDIDATE = 40.0, 320.0
_SAME_TEMPO: Final = 0.04  # the tolerance of Accuracy1 in tempo evaluations
_FEWEST_ONSETS: Final = 0.5  # per second; in a drone or in noise every method finds a tempo, and none is there
_NO_CONFIDENCE: Final = 1.0  # RhythmExtractor2013: below 1 of 5.32 is "very low"
_FRAME: Final = 2048
_HOP: Final = 1024
_FLATS: Final = {"Db": "C#", "D#": "Eb", "Gb": "F#", "G#": "Ab", "A#": "Bb"}

essentia.log.infoActive = False
essentia.log.warningActive = False


def measure(excerpt: Samples, *, duration_seconds: float, loudness: Loudness) -> Measurement:
    """Measures a sound of this length and loudness by an excerpt of it (mono, 44.1 kHz, up to `EXCERPT_SECONDS`).

    Values that cannot be known are null, as `Measurement` says.
    """
    duration = round(duration_seconds, 3)
    if loudness.lufs is None or loudness.lufs < QUIETEST_LUFS:
        return Measurement(duration_seconds=duration)
    heard = Measurement(
        duration_seconds=duration,
        loudness_lufs=round(loudness.lufs, 2),
        peak_dbfs=None if loudness.peak_dbfs is None else round(loudness.peak_dbfs, 2),
    )
    if duration_seconds < SHORTEST_SECONDS or _is_silent(excerpt) or len(excerpt) < SHORTEST_SECONDS * RATE * 0.9:
        return heard
    features = liveliness_of(excerpt, loudness_lufs=loudness.lufs)
    has_beat = features.onsets_per_second >= _FEWEST_ONSETS
    bpm, candidates = tempo_of(_middle(excerpt, _TEMPO_SECONDS)) if has_beat else (None, ())
    key, strength = key_of(excerpt)
    scale = read_scale()
    energy = energy_of(features, scale=scale)
    mode = 0.0 if strength < WEAKEST_KEY else strength if key.endswith("major") else -strength
    valence = valence_of(major=mode, brightness=standing(features, "brightness_octaves", scale=scale), bpm=bpm)
    return Measurement(
        duration_seconds=heard.duration_seconds,
        loudness_lufs=heard.loudness_lufs,
        loudness_range_lu=loudness.range_lu,
        peak_dbfs=heard.peak_dbfs,
        bpm=bpm,
        bpm_candidates=candidates,
        key=key if strength >= WEAKEST_KEY else None,
        key_strength=round(strength, 3),
        energy=round(energy, 3),
        valence=round(valence, 3),
        moods=moods_of(valence=valence, arousal=energy),
        brightness_hertz=round(1000.0 * 2.0**features.brightness_octaves, 1),
        onsets_per_second=round(features.onsets_per_second, 2),
    )


def fingerprint_of(start: Samples) -> str:
    """Chromaprint's compressed text for the first two minutes of a sound (mono, 44.1 kHz); empty when too short."""
    if not len(start):
        return ""
    return str(algorithms.Chromaprinter(sampleRate=RATE, maxLength=FINGERPRINT_SECONDS)(start))


def tempo_of(samples: Samples) -> tuple[float | None, tuple[float, ...]]:
    """The tempo folded to 70..180 and the candidates, the chosen one first.

    Two cheap methods are asked: degara (Degara et al. 2011) and Percival & Tzanetakis (2014). When they disagree,
    RhythmExtractor2013's multifeature decides: for the one it is nearest to, or for nobody when its own confidence is
    very low. Octave errors are what remains; that is why octaves are among the candidates.
    """
    degara = _fold(float(algorithms.RhythmExtractor2013(method="degara")(samples)[0]))
    percival = _fold(float(algorithms.PercivalBpmEstimator(sampleRate=RATE)(samples)))
    readings = [reading for reading in (degara, percival) if reading is not None]
    if not readings:
        return None, ()
    if len(readings) == 2 and _agree(readings[0], readings[1]):
        return round(readings[0], 2), _candidates(readings)
    careful, confidence = _multifeature(samples)
    if careful is None or confidence < _NO_CONFIDENCE:
        return None, _candidates(readings)
    readings.sort(key=lambda reading: abs(reading / careful - 1))
    if not _agree(readings[0], careful):
        readings.insert(0, careful)
    return round(readings[0], 2), _candidates(readings)


def key_of(samples: Samples) -> tuple[str, float]:
    """The key ("A minor") and its strength 0..1, by Essentia's KeyExtractor with the profile of Faraldo (bgate)."""
    tonic, mode, strength = algorithms.KeyExtractor(sampleRate=RATE)(samples)
    return f"{_FLATS.get(tonic, tonic)} {mode}", float(strength)


def liveliness_of(samples: Samples, *, loudness_lufs: float) -> Liveliness:
    """The features of `energy_of`, from the middle of the samples."""
    flux, centroid = _texture(_middle(samples, _TEXTURE_SECONDS))
    return Liveliness(
        loudness_lufs=loudness_lufs,
        onsets_per_second=float(algorithms.OnsetRate()(_middle(samples, _TEXTURE_SECONDS))[1]),
        flux=flux,
        brightness_octaves=float(np.log2(max(centroid, 20.0) / 1000.0)),
        dynamic_complexity_db=float(algorithms.DynamicComplexity(sampleRate=RATE)(samples)[0]),
    )


def _multifeature(samples: Samples) -> tuple[float | None, float]:
    answer: Any = algorithms.RhythmExtractor2013(method="multifeature")(samples)
    return _fold(float(answer[0])), float(answer[2])


def _fold(bpm: float) -> float | None:
    if not np.isfinite(bpm) or bpm <= 1.0:
        return None
    while bpm < _SLOWEST:
        bpm *= 2
    while bpm > _FASTEST:
        bpm /= 2
    return bpm


def _agree(one: float, other: float) -> bool:
    return abs(one / other - 1) <= _SAME_TEMPO


def _candidates(readings: Iterable[float]) -> tuple[float, ...]:
    """Every reading, then half and double of each, without those that say the same."""
    kept: list[float] = []
    ordered = [*readings, *(reading * factor for reading in readings for factor in (0.5, 2.0))]
    for tempo in ordered:
        if _SLOWEST_CANDIDATE <= tempo <= _FASTEST_CANDIDATE and not any(_agree(tempo, other) for other in kept):
            kept.append(round(tempo, 2))
    return tuple(kept)


def _texture(samples: Samples) -> tuple[float, float]:
    """Spectral flux and mean centroid in hertz.

    Flux is the mean rise per bin of the logarithmic magnitude, relative to the loud parts, so that the level of the
    recording does not matter.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    magnitudes = np.abs(np.fft.rfft(frames * np.hanning(_FRAME).astype(np.float32), axis=1)).astype(np.float32)
    total = magnitudes.sum(axis=0)
    centroid = float(np.dot(np.fft.rfftfreq(_FRAME, 1 / RATE), total) / max(float(total.sum()), 1e-12))
    reference = max(float(np.percentile(magnitudes.max(axis=1), 90)), 1e-9)
    levels = np.log1p(magnitudes * np.float32(1000.0 / reference))
    flux = float(np.maximum(np.diff(levels, axis=0), 0.0).mean()) if len(levels) > 1 else 0.0
    return flux, centroid


def _middle(samples: Samples, seconds: float) -> Samples:
    length = round(seconds * RATE)
    start = max(0, (len(samples) - length) // 2)
    return np.ascontiguousarray(samples[start : start + length])


def _is_silent(samples: Samples) -> bool:
    """Whether the excerpt is silent although the whole file is not."""
    if not len(samples):
        return True
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) < 10 ** (QUIETEST_LUFS / 20)
