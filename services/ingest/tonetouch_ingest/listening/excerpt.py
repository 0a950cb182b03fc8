"""A stretch of sound kept while a longer one passes by: what bounds the memory of listening to two hours."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Excerpt:
    """Keeps `seconds` from `start_seconds` on of the mono pieces it is given."""

    def __init__(self, *, start_seconds: float, seconds: float, rate: int) -> None:
        self._start = max(0, round(start_seconds * rate))
        self._end = self._start + round(seconds * rate)
        self._position = 0
        self._kept: list[Samples] = []

    def add(self, piece: Samples) -> None:
        """Takes the next piece of the sound."""
        first, last = self._start - self._position, self._end - self._position
        if first < len(piece) and last > 0:
            self._kept.append(piece[max(0, first) : last].copy())
        self._position += len(piece)

    def samples(self) -> Samples:
        """What was kept: shorter than asked for when the sound ended earlier, maybe empty."""
        return np.concatenate(self._kept) if self._kept else np.zeros(0, dtype=np.float32)


def centred(sound_seconds: float | None, *, seconds: float, rate: int) -> Excerpt:
    """The middle of a sound of this expected length; its beginning when the length is unknown."""
    return Excerpt(start_seconds=((sound_seconds or 0.0) - seconds) / 2, seconds=seconds, rate=rate)
