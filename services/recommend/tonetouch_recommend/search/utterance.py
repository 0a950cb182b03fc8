"""A spoken question before a model is asked what it says: how long it is, and whether it can hold words. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonetouch_runtime import Refused
from tonetouch_runtime.ai.local.sound import Sound

MOST_SECONDS: Final = 30.0
_FRAME_SECONDS: Final = 0.02
_SILENCE: Final = 10 ** (-50 / 20)
"""Of full scale. A whisper at arm's length reaches -45 dB in most microphones."""
_LEAST_RANGE: Final = 6.0
"""Decibels between the loud and the quiet parts. Speech has 20 and more; hums, tones and hisses have 1 or 2."""


class WordlessError(Exception):
    """There can be no words in it, for the reason given."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


def check_spoken(sound: Sound) -> None:
    """Raise Refused for a recording that is too long, WordlessError for one that says nothing."""
    if sound.seconds > MOST_SECONDS:
        raise too_long(sound.seconds)
    if reason := _why_wordless(sound):
        raise WordlessError(reason, round(sound.seconds, 3))


def too_long(seconds: float) -> Refused:
    """What is said to somebody who does not stop talking."""
    detail = f"A spoken search is at most {MOST_SECONDS:.0f} seconds long, not {seconds:.0f}."
    return Refused("too_large", detail, "Say it shorter.")


def _why_wordless(sound: Sound) -> str | None:
    levels = _levels(sound)
    if not len(levels) or levels.max() < _SILENCE:
        return "It is silent."
    low, high = np.quantile(levels, (0.1, 0.95))
    if 20 * np.log10(high / max(low, 1e-6)) < _LEAST_RANGE:
        return "It sounds the same from beginning to end, like a tone or a hiss."
    return None


def _levels(sound: Sound) -> NDArray[np.float64]:
    """The root mean square of each fiftieth of a second; what is left at the end is not looked at."""
    length = max(1, round(_FRAME_SECONDS * sound.rate))
    frames = sound.samples[: len(sound.samples) // length * length].reshape(-1, length)
    return np.asarray(np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1)), np.float64)
