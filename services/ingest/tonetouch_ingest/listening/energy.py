"""How energetic a sound is, 0 to 1.

Loudness alone measures mastering, not energy, so five features are mixed. Each is compared with a frozen mean and
deviation (`energy_scale.json`), so that the figure of a track never depends on what else is in the library. The scale
is made by `python -m tonetouch_ingest.listening.calibrating` from synthetic sounds; it orders music, it is not a unit.
"""

import math
from importlib.resources import files
from typing import Final

import msgspec


class Liveliness(msgspec.Struct, frozen=True, kw_only=True):
    """The five features: LUFS, onsets per second, spectral flux (no unit), mean centroid in octaves over 1 kHz, and
    Essentia's dynamic complexity in dB (how far loudness moves about its mean)."""

    loudness_lufs: float
    onsets_per_second: float
    flux: float
    brightness_octaves: float
    dynamic_complexity_db: float


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """Mean and standard deviation of each feature over the calibration sounds."""

    made_by: str
    sounds: int
    means: Liveliness
    deviations: Liveliness


# Steady sound is lively sound here: dynamic complexity counts against it.
_WEIGHTS: Final = Liveliness(
    loudness_lufs=0.25, onsets_per_second=0.30, flux=0.25, brightness_octaves=0.10, dynamic_complexity_db=-0.10
)
_STEEPNESS: Final = 2.0
_FARTHEST: Final = 3.0  # deviations; one absurd feature must not decide alone


def read_scale() -> Scale:
    """The frozen scale that comes with this package."""
    return msgspec.json.decode(files(__package__).joinpath("energy_scale.json").read_bytes(), type=Scale)


def standing(features: Liveliness, name: str, *, scale: Scale) -> float:
    """How many deviations one feature lies from the mean, cut at three."""
    distance = (getattr(features, name) - getattr(scale.means, name)) / getattr(scale.deviations, name)
    return max(-_FARTHEST, min(_FARTHEST, float(distance)))


def energy_of(features: Liveliness, *, scale: Scale) -> float:
    """The weighted mean of the five standings through the logistic function: 0.5 is the average calibration sound."""
    mix = sum(getattr(_WEIGHTS, name) * standing(features, name, scale=scale) for name in Liveliness.__struct_fields__)
    return 1.0 / (1.0 + math.exp(-_STEEPNESS * mix))
