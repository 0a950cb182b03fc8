"""Mood words from two numbers, valence (sad to happy) and arousal (calm to wild), after Russell's circumplex (1980).

Rules, not a trained model: they say which corner of the plane a sound is in, and no more.
"""

import math
from typing import Final

# Where each word lies: (valence, arousal), both 0..1.
WORDS: Final[dict[str, tuple[float, float]]] = {
    "calm": (0.60, 0.15),
    "chill": (0.65, 0.32),
    "dreamy": (0.48, 0.25),
    "romantic": (0.75, 0.38),
    "happy": (0.80, 0.62),
    "uplifting": (0.85, 0.78),
    "party": (0.72, 0.92),
    "energetic": (0.55, 0.85),
    "aggressive": (0.18, 0.90),
    "dark": (0.15, 0.55),
    "melancholic": (0.30, 0.35),
    "sad": (0.18, 0.20),
}
_WIDTH: Final = 0.25
_FAINTEST: Final = 0.25
_FEWEST, _MOST = 4, 8
_TEMPO_MEAN, _TEMPO_DEVIATION = 115.0, 30.0


def valence_of(*, major: float, brightness: float, bpm: float | None) -> float:
    """0 (sad) to 1 (happy) from the mode, the brightness and the tempo.

    `major` is the key strength, negative for a minor key, 0 when unknown; `brightness` in deviations from the mean.
    """
    tempo = 0.0 if bpm is None else max(-2.0, min(2.0, (bpm - _TEMPO_MEAN) / _TEMPO_DEVIATION))
    return 1.0 / (1.0 + math.exp(-(1.3 * major + 0.35 * brightness + 0.35 * tempo)))


def moods_of(*, valence: float, arousal: float) -> tuple[tuple[str, float], ...]:
    """Four to eight words with scores 0..1, strongest first: 1 is the word's own place, falling off with distance."""
    scores = {
        word: round(math.exp(-((valence - x) ** 2 + (arousal - y) ** 2) / (2 * _WIDTH**2)), 3)
        for word, (x, y) in WORDS.items()
    }
    ranked = sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))
    clear = sum(score >= _FAINTEST for _, score in ranked)
    return tuple(ranked[: max(_FEWEST, min(_MOST, clear))])
