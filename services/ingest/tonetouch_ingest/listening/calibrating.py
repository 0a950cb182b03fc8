"""Makes the scale that energy is measured on: `python -m tonetouch_ingest.listening.calibrating [--check]`.

It plays a grid of synthetic sounds (tempo x loudness x density x brightness), measures the five features of `energy.py`
on each and writes mean and standard deviation to `energy_scale.json` beside this file. Nothing of it comes from real
recordings. With `--check` nothing is written; the exit code is 1 when the file would change by more than rounding.
"""

import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tonetouch_ingest.listening.energy import Liveliness, Scale, read_scale
from tonetouch_ingest.listening.measuring import RATE, liveliness_of

_COMMAND: Final = "python -m tonetouch_ingest.listening.calibrating"
_SECONDS: Final = 12.0
_TEMPI: Final = (70.0, 120.0, 170.0)
_LOUDNESS_LUFS: Final = (-24.0, -15.0, -8.0)  # a quiet piano recording, a streaming master, a loud one
_NOTES_PER_BEAT: Final = (0.25, 1.0, 4.0)
_BRIGHTNESS: Final = (3, 8, 24)  # harmonics of each note
_ROUNDING: Final = 0.02


def calibrate() -> Scale:
    """Measures every calibration sound. Takes a few seconds; the same scale every time."""
    rows: list[tuple[float, ...]] = []
    for sound in _sounds():
        # The other features do not depend on the level, so the sound need not be played at every loudness.
        features = liveliness_of(sound, loudness_lufs=0.0)
        rows.extend(
            msgspec.structs.astuple(msgspec.structs.replace(features, loudness_lufs=lufs)) for lufs in _LOUDNESS_LUFS
        )
    table = np.array(rows)
    return Scale(
        made_by=_COMMAND,
        sounds=len(rows),
        means=_row(table.mean(axis=0)),
        deviations=_row(table.std(axis=0)),
    )


def main(arguments: list[str]) -> int:
    """Writes or checks the scale; returns the exit code."""
    scale = calibrate()
    if "--check" in arguments:
        return 0 if _close(scale, read_scale()) else 1
    target = Path(__file__).with_name("energy_scale.json")
    target.write_bytes(msgspec.json.format(msgspec.json.encode(scale), indent=2) + b"\n")
    print(target.read_text())
    return 0


def _sounds() -> Iterator[NDArray[np.float32]]:
    for seed, (bpm, density, harmonics) in enumerate(product(_TEMPI, _NOTES_PER_BEAT, _BRIGHTNESS)):
        sound = _sound(np.random.default_rng(seed), bpm=bpm, density=density, harmonics=harmonics)
        yield sound * np.float32(0.5 / np.max(np.abs(sound)))


def _sound(generator: np.random.Generator, *, bpm: float, density: float, harmonics: int) -> NDArray[np.float32]:
    """Notes of a minor pentatonic over a drone, with a drum on each when they are dense."""
    time = np.arange(round(_SECONDS * RATE)) / RATE
    sound = 0.15 * np.sin(2 * np.pi * 110 * time)
    step = 60.0 / bpm / density
    for count in range(int(_SECONDS / step)):
        start = round(count * step * RATE)
        own = time[: min(round(1.2 * step * RATE), len(time) - start)]
        pitch = 220.0 * 2.0 ** (generator.choice([0, 3, 5, 7, 10, 12]) / 12)
        note = sum(np.sin(2 * np.pi * pitch * n * own) / n for n in range(1, harmonics + 1) if pitch * n < RATE / 2)
        sound[start : start + len(own)] += 0.5 * note * np.exp(-2.0 * own / step) * np.minimum(1.0, own / 0.01)
        if density >= 1.0:
            hit = generator.standard_normal(len(own)) * np.exp(-own / 0.03)
            sound[start : start + len(own)] += 0.04 * harmonics / 8 * hit
    return np.asarray(sound, dtype=np.float32)


def _row(values: NDArray[np.float64]) -> Liveliness:
    names = Liveliness.__struct_fields__
    return Liveliness(**{name: round(float(value), 4) for name, value in zip(names, values, strict=True)})


def _close(one: Scale, other: Scale) -> bool:
    pairs = ((one.means, other.means), (one.deviations, other.deviations))
    return all(
        np.allclose(msgspec.structs.astuple(a), msgspec.structs.astuple(b), rtol=_ROUNDING, atol=_ROUNDING)
        for a, b in pairs
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
