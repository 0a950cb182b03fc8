"""The drum kit: every drum is a function from velocity to samples, 44.1 kHz mono float32."""

from collections.abc import Callable

import numpy as np

from tonetouch_deploy.demo.instruments import SAMPLE_RATE, Samples, noise_band

Drum = Callable[[float, np.random.Generator], Samples]


def kick(velocity: float, rng: np.random.Generator) -> Samples:
    """A dance kick: a pitch that drops to 50 Hz, and a click."""
    return _falling(seconds=0.42, top_hz=190.0, bottom_hz=50.0, drop=0.03, ring=0.17) + _click(0.42, 0.2, rng)


def deep_kick(velocity: float, rng: np.random.Generator) -> Samples:
    """A big slow drum for heavy music."""
    return _falling(seconds=0.8, top_hz=140.0, bottom_hz=42.0, drop=0.05, ring=0.3) + _click(0.8, 0.35, rng)


def tom(velocity: float, rng: np.random.Generator) -> Samples:
    """A floor tom."""
    return _falling(seconds=0.6, top_hz=150.0, bottom_hz=82.0, drop=0.09, ring=0.2) + _click(0.6, 0.1, rng)


def snare(velocity: float, rng: np.random.Generator) -> Samples:
    """A skin near 190 Hz under the rattle of its wires."""
    skin = _falling(seconds=0.3, top_hz=260.0, bottom_hz=188.0, drop=0.02, ring=0.07)
    return skin * np.float32(0.6) + _burst(0.3, 0.085, 1_200.0, 11_000.0, rng) * np.float32(0.55)


def big_snare(velocity: float, rng: np.random.Generator) -> Samples:
    """A snare in a large hall."""
    skin = _falling(seconds=0.6, top_hz=240.0, bottom_hz=165.0, drop=0.03, ring=0.12)
    return skin * np.float32(0.7) + _burst(0.6, 0.16, 700.0, 9_000.0, rng) * np.float32(0.6)


def clap(velocity: float, rng: np.random.Generator) -> Samples:
    """Many hands, not quite together."""
    sound = np.zeros(int(0.32 * SAMPLE_RATE), np.float32)
    for late, ring in ((0.0, 0.006), (0.011, 0.006), (0.022, 0.09)):
        burst = _burst(0.25, ring, 900.0, 7_000.0, rng)
        start = int(late * SAMPLE_RATE)
        sound[start : start + burst.size] += burst
    return sound * np.float32(0.5)


def hat(velocity: float, rng: np.random.Generator) -> Samples:
    """A closed hi-hat; it opens a little when it is struck harder."""
    return _burst(0.12, 0.016 + 0.014 * velocity, 7_000.0, 16_000.0, rng) * np.float32(0.4)


def open_hat(velocity: float, rng: np.random.Generator) -> Samples:
    """An open hi-hat."""
    return _burst(0.4, 0.11, 6_500.0, 16_000.0, rng) * np.float32(0.38)


def shaker(velocity: float, rng: np.random.Generator) -> Samples:
    """Seeds that arrive softly."""
    return _burst(0.12, 0.03, 4_000.0, 12_000.0, rng, rise=0.014) * np.float32(0.28)


def crash(velocity: float, rng: np.random.Generator) -> Samples:
    """A cymbal left to ring."""
    return _burst(2.4, 0.6, 3_200.0, 15_000.0, rng) * np.float32(0.4)


def _falling(*, seconds: float, top_hz: float, bottom_hz: float, drop: float, ring: float) -> Samples:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    turns = bottom_hz * time + (top_hz - bottom_hz) * drop * (1 - np.exp(-time / drop))
    return np.asarray(np.sin(2 * np.pi * turns) * np.exp(-time / ring), np.float32)


def _click(seconds: float, loud: float, rng: np.random.Generator) -> Samples:
    return _burst(seconds, 0.004, 1_500.0, 8_000.0, rng) * np.float32(loud)


def _burst(
    seconds: float, ring: float, low_hz: float, high_hz: float, rng: np.random.Generator, rise: float = 0.0005
) -> Samples:
    size = int(seconds * SAMPLE_RATE)
    time = np.arange(size, dtype=np.float32) / np.float32(SAMPLE_RATE)
    shape = np.exp(-time / np.float32(ring)) * np.clip(time / np.float32(rise), 0, 1)
    return noise_band(size, low_hz, high_hz, rng) * np.asarray(shape, np.float32)


DRUMS: dict[str, Drum] = {
    struck.__name__: struck for struck in (kick, deep_kick, tom, snare, big_snare, clap, hat, open_hat, shaker, crash)
}
