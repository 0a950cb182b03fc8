"""The band: every instrument is a function from pitch, length and velocity to samples, 44.1 kHz mono float32."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Instrument = Callable[[float, float, float, np.random.Generator], Samples]

SAMPLE_RATE = 44_100
_TABLE_LENGTH = 4096
_HIGHEST_PARTIAL_HZ = 15_000.0


def piano(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """Struck strings: stretched partials that die the sooner the higher they are (Fletcher & Rossing, chapter 12)."""
    time = _time(seconds + 0.9)
    sound = np.zeros(time.size, np.float32)
    stiffness = 0.0003 * (hz / 261.6) ** 1.3
    longest = 3.2 * (261.6 / hz) ** 0.55
    for partial in range(1, min(12, int(_HIGHEST_PARTIAL_HZ / hz)) + 1):
        frequency = partial * hz * np.sqrt(1 + stiffness * partial**2)
        # The hammer strikes an eighth of the way along the string, so every eighth partial is weak.
        loud = (
            (abs(np.sin(np.pi * partial / 8)) + 0.08)
            * partial**-1.15
            * np.exp(-partial * hz / (900 + 1_500 * velocity))
        )
        ring = np.exp(-time / (longest / (1 + 0.3 * (partial - 1)))).astype(np.float32)
        for detune in (0.99985, 1.00015) if partial <= 3 else (1.0,):
            share = 0.5 if partial <= 3 else 1.0
            sound += np.float32(loud * share) * ring * _sine(frequency * detune, time, rng.random())
    thump = noise_band(1_800, 60.0, 900.0, rng) * np.float32(0.25 * velocity)
    sound[: thump.size] += thump * _fall(thump.size, 0.012)
    return _shaped(sound, attack=0.003, hold=seconds + 0.15, release=0.35) * np.float32(0.55)


def electric_piano(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A tine and its bell-like attack by frequency modulation (Chowning 1973)."""
    time = _time(seconds + 0.3)
    tine = np.sin(2 * np.pi * 14 * hz * time) * np.exp(-time / 0.06) * 0.35 * velocity
    body = np.sin(2 * np.pi * hz * time) * np.exp(-time / 0.7) * 0.9 * velocity
    sound = (np.sin(2 * np.pi * hz * time + body + tine) * np.exp(-time / 1.6)).astype(np.float32)
    return _shaped(sound, attack=0.003, hold=seconds, release=0.2) * np.float32(0.6)


def music_box(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A plucked steel comb: nearly a sine, with a short glassy beginning at the second mode of a clamped bar."""
    time = _time(2.6)
    sound = np.zeros(time.size, np.float32)
    for ratio, loud, ring in ((1.0, 1.0, 0.9), (2.0, 0.22, 0.5), (3.0, 0.1, 0.3), (6.27, 0.12 * velocity, 0.05)):
        if ratio * hz < _HIGHEST_PARTIAL_HZ:
            sound += np.float32(loud) * _sine(ratio * hz, time, 0.0) * _fall(time.size, ring)
    return _shaped(sound, attack=0.002, hold=1.6, release=1.0) * np.float32(0.5)


def bell(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A soft glass bell for quiet rooms."""
    time = _time(3.6)
    shimmer = np.sin(2 * np.pi * 3 * hz * time) * np.exp(-time / 0.25) * 0.8 * velocity
    sound = (np.sin(2 * np.pi * hz * time + shimmer) * np.exp(-time / 1.3)).astype(np.float32)
    return _shaped(sound, attack=0.006, hold=2.4, release=1.2) * np.float32(0.5)


def guitar(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A plucked string (Karplus & Strong 1983), one period of the string at a time."""
    return _plucked(hz, seconds, damping=0.9965, brightness=0.25 + 0.3 * velocity, rng=rng) * np.float32(0.9)


def slap_bass(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A string for the thumb: bright, short, with a sine underneath for the weight."""
    string = _plucked(hz, seconds, damping=0.99, brightness=0.75, rng=rng)
    weight = _sine(hz, np.arange(string.size) / SAMPLE_RATE, 0.0) * _fall(string.size, 0.35)
    sound = string * np.float32(0.5) + weight * np.float32(0.7)
    return _shaped(sound, attack=0.002, hold=seconds * 0.9, release=0.05)


def clavinet(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A short, nasal string for chords between the beats."""
    return _shaped(
        _plucked(hz, seconds, damping=0.985, brightness=0.9, rng=rng), attack=0.001, hold=seconds * 0.7, release=0.04
    )


def sub_bass(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A sine with a little of its octave, to be felt."""
    time = _time(seconds + 0.1)
    sound = (
        _sine(hz, time, 0.0) + np.float32(0.25) * _sine(2 * hz, time, 0.0) + np.float32(0.1) * _sine(3 * hz, time, 0.0)
    )
    return _shaped(sound, attack=0.008, hold=seconds * 0.92, release=0.06) * np.float32(0.7)


def synth_bass(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A saw whose brightness falls away after each attack."""
    size = _time(seconds + 0.06).size
    dull, bright = (_wave(_saw_table(hz, slope), hz, size, 0.0) for slope in (2.0, 1.0))
    sound = dull + (bright - dull) * _fall(size, 0.09)
    return _shaped(sound, attack=0.003, hold=seconds * 0.85, release=0.04) * np.float32(0.6)


def reese_bass(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """Two saws a little out of tune that beat against each other, over a steady sine."""
    time = _time(seconds + 0.08)
    table = _saw_table(hz, 1.35)
    pair = _wave(table, hz * 0.9955, time.size, 0.1) + _wave(table, hz * 1.0045, time.size, 0.6)
    return _shaped(
        pair * np.float32(0.4) + _sine(hz, time, 0.0) * np.float32(0.5), attack=0.01, hold=seconds, release=0.07
    )


def super_saw(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """Five saws spread around the pitch: the chord of dance music."""
    table = _saw_table(hz, 1.12)
    size = _time(seconds + 0.15).size
    sound = np.zeros(size, np.float32)
    for cents in (-11.0, -6.0, 0.0, 5.5, 12.0):
        sound += _wave(table, hz * 2 ** (cents / 1200), size, rng.random())
    return _shaped(sound, attack=0.008, hold=seconds, release=0.14) * np.float32(0.2)


def lead(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A hollow solo voice with vibrato on long notes."""
    table = _table(hz, lambda k: np.where(k % 2 == 1, k**-1.3, 0.25 * k**-1.3))
    size = _time(seconds + 0.2).size
    return _shaped(
        _wave(table, hz, size, 0.0, vibrato=0.004), attack=0.012, hold=seconds * 0.95, release=0.18
    ) * np.float32(0.5)


def synth_pluck(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A short bright point for quick arpeggios."""
    size = _time(0.5).size
    dull, bright = (_wave(_saw_table(hz, slope), hz, size, 0.0) for slope in (2.4, 1.2))
    sound = (dull + (bright - dull) * _fall(size, 0.05)) * _fall(size, 0.14)
    return _shaped(sound, attack=0.002, hold=0.35, release=0.15) * np.float32(0.55)


def warm_pad(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """Dull, slow and wide: three detuned waves that swell and leave slowly."""
    table = _saw_table(hz, 2.1)
    size = _time(seconds + 1.6).size
    sound = sum(
        (_wave(table, hz * detune, size, rng.random()) for detune in (0.9965, 1.0, 1.0035)), np.zeros(size, np.float32)
    )
    return _shaped(sound, attack=min(0.9, seconds / 3), hold=seconds, release=1.5) * np.float32(0.28)


def strings(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A section: three players, each with a vibrato of their own."""
    table = _saw_table(hz, 1.45)
    size = _time(seconds + 0.4).size
    sound = np.zeros(size, np.float32)
    for detune in (0.9975, 1.0, 1.0028):
        sound += _wave(table, hz * detune, size, rng.random(), vibrato=0.003 + 0.002 * rng.random())
    return _shaped(sound, attack=min(0.09, seconds / 3), hold=seconds, release=0.35) * np.float32(0.25)


def accordion(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """Two reeds that do not quite agree."""
    table = _table(hz, lambda k: k**-1.1 * np.exp(-k / 14) * np.where(k % 2 == 1, 1.0, 0.6))
    size = _time(seconds + 0.1).size
    pair = _wave(table, hz * 0.9982, size, 0.0) + _wave(table, hz * 1.0021, size, 0.4)
    return _shaped(pair, attack=0.045, hold=seconds * 0.94, release=0.09) * np.float32(0.32)


def heavy_guitar(hz: float, seconds: float, velocity: float, rng: np.random.Generator) -> Samples:
    """A sustained string before its amplifier: the part it plays carries the distortion."""
    size = _time(seconds + 0.12).size
    table = _saw_table(hz, 1.2)
    sound = _wave(table, hz * 0.999, size, rng.random()) + _wave(table, hz * 1.0013, size, rng.random())
    sound *= np.float32(0.45) + np.float32(0.55) * _fall(size, 1.2)
    return _shaped(sound, attack=0.004, hold=seconds * 0.96, release=0.1) * np.float32(0.4)


def noise_band(size: int, low_hz: float, high_hz: float, rng: np.random.Generator) -> Samples:
    """`size` samples of noise between two frequencies, at a level of about one."""
    spectrum = np.fft.rfft(rng.standard_normal(size))
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    soft = 1 / (1 + (low_hz / np.maximum(frequency, 1.0)) ** 4) / (1 + (frequency / high_hz) ** 4)
    noise = np.fft.irfft(spectrum * soft, size)
    return np.asarray(noise / (np.std(noise) * 2.5 + 1e-9), np.float32)


def _plucked(hz: float, seconds: float, *, damping: float, brightness: float, rng: np.random.Generator) -> Samples:
    # Averaging two neighbours delays by half a sample: the loop is that much longer than its table. What rounding
    # leaves over is put right at the end by reading the string a little faster or slower.
    period = round(SAMPLE_RATE / hz - 0.5)
    turns = int((seconds + 0.35) * SAMPLE_RATE / period) + 2
    noise = rng.uniform(-1.0, 1.0, period)
    loop = (
        brightness * noise
        + (1 - brightness) * np.convolve(np.r_[noise, noise, noise], np.hanning(9) / 4, "same")[period : 2 * period]
    )
    loop -= loop.mean()
    string = np.empty((turns, period))
    for turn in range(turns):
        string[turn] = loop
        before = np.roll(loop, 1)
        before[0] = string[turn - 1, -1] if turn else loop[-1]
        loop = damping * 0.5 * (loop + before)
    speed = hz * (period + 0.5) / SAMPLE_RATE
    flat = string.ravel()
    at = np.arange(int((flat.size - 2) / max(speed, 1.0))) * speed
    sound = np.interp(at, np.arange(flat.size), flat).astype(np.float32)
    return _shaped(sound, attack=0.001, hold=seconds, release=0.3)


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _sine(hz: float, time: NDArray[np.float64], phase: float) -> Samples:
    # The whole turns are taken away in double precision, so that the fast single-precision sine stays in tune.
    turns = hz * time + phase
    turns -= np.floor(turns)
    return np.asarray(np.sin(turns.astype(np.float32) * np.float32(2 * np.pi)), np.float32)


def _fall(size: int, seconds: float) -> Samples:
    return np.asarray(np.exp(np.arange(size, dtype=np.float32) * np.float32(-1 / (seconds * SAMPLE_RATE))), np.float32)


def _table(hz: float, loudness: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Samples:
    """One period of a wave with only the partials that fit under the highest one: no aliasing."""
    partials = np.arange(1, max(2, min(200, int(_HIGHEST_PARTIAL_HZ / hz)) + 1), dtype=np.float64)
    spectrum = np.zeros(_TABLE_LENGTH // 2 + 1, np.complex128)
    spectrum[1 : partials.size + 1] = -1j * loudness(partials) * _TABLE_LENGTH / 2
    wave = np.fft.irfft(spectrum)
    return np.asarray(wave / np.abs(wave).max(), np.float32)


def _saw_table(hz: float, slope: float) -> Samples:
    return _table(hz, lambda k: k**-slope)


def _wave(table: Samples, hz: float, size: int, phase: float, vibrato: float = 0.0) -> Samples:
    turns = np.arange(size) * (hz / SAMPLE_RATE) + phase
    if vibrato:
        time = np.arange(size) / SAMPLE_RATE
        grown = np.clip((time - 0.15) / 0.4, 0, 1)
        turns += grown * vibrato * hz / (2 * np.pi * 5.3) * np.sin(2 * np.pi * 5.3 * time)
    return np.asarray(table[(turns * _TABLE_LENGTH).astype(np.int64) & (_TABLE_LENGTH - 1)], np.float32)


def _shaped(sound: Samples, *, attack: float, hold: float, release: float) -> Samples:
    """The sound with a rise, and with an end that leaves no click: it falls from `hold` on for `release` seconds."""
    time = np.arange(sound.size, dtype=np.float32) / np.float32(SAMPLE_RATE)
    end = sound.size / SAMPLE_RATE
    start = max(0.0, min(hold, end - release))
    rise = np.clip(time / np.float32(attack), 0, 1)
    fall = np.clip(1 - (time - np.float32(start)) / np.float32(end - start), 0, 1)
    return np.asarray(sound * rise * fall**2, np.float32)


INSTRUMENTS: dict[str, Instrument] = {
    played.__name__: played
    for played in (
        piano, electric_piano, music_box, bell, guitar, slap_bass, clavinet, sub_bass, synth_bass, reese_bass,
        super_saw, lead, synth_pluck, warm_pad, strings, accordion, heavy_guitar,
    )
}  # fmt: skip
