"""Sounds that are made quickly, for files of which only some traits matter."""

import numpy as np

from tests.sounds import Samples


def tone(seed: int, *, seconds: float = 6.0, channels: int = 2, rate: int = 44100) -> Samples:
    """A plain sound that is quickly made; another seed is another file."""
    time = np.arange(round(seconds * rate), dtype=np.float32)[:, None] / rate
    wave = np.sin(2 * np.pi * (180 + 17 * seed) * time) * (0.3 + 0.1 * np.sin(5 * time))
    return np.repeat(wave, channels, axis=1).astype(np.float32)
