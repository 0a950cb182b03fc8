"""From a written piece to stereo samples: every note is played, mixed, given a room and brought to its loudness."""

import zlib
from collections.abc import Iterator

import numpy as np

from tonetouch_deploy.demo.drums import DRUMS
from tonetouch_deploy.demo.instruments import INSTRUMENTS, SAMPLE_RATE, Samples
from tonetouch_deploy.demo.loudness import brought_to
from tonetouch_deploy.demo.notation import Beat, Figure, Note, Piece, Tune, notes_of

_LEAD_IN_SECONDS = 0.04


def rendered(piece: Piece, seed: int) -> Samples:
    """A piece as float32 samples of shape (2, n) at 44.1 kHz; the same piece and seed give the same samples.

    The seed decides what a performance decides: small deviations in time and strength, the noise in drums and strings,
    the reflections of the room.
    """
    size = int(piece.seconds * SAMPLE_RATE)
    dry = np.zeros((2, size), np.float32)
    wet = np.zeros((2, size), np.float32)
    for number, part in enumerate(piece.parts):
        rng = _chance(piece, seed, number)
        sides = _placed(_played(part, piece, size, rng), part)
        dry += sides
        wet += sides * np.float32(part.reverb)
    mixed = dry + _roomy(wet, piece.room_seconds, _chance(piece, seed, 999))
    return brought_to(_faded(mixed), piece.loudness_lufs)


def _chance(piece: Piece, seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(piece.title.encode()), number])


def _played(part: Beat | Figure | Tune, piece: Piece, size: int, rng: np.random.Generator) -> Samples:
    bus = np.zeros(size, np.float32)
    for start, sound in _sounds(part, piece, rng):
        end = min(start + sound.size, size)
        bus[start:end] += sound[: end - start]
    if part.drive:
        bus = _lowpassed(np.tanh(bus * np.float32(part.drive)), 4_200.0)
    if part.ducks:
        bus *= _pumping(piece, size, part.ducks)
    return bus * np.float32(10 ** (part.gain_db / 20))


def _sounds(part: Beat | Figure | Tune, piece: Piece, rng: np.random.Generator) -> Iterator[tuple[int, Samples]]:
    """Where each note begins, and its samples; what was played once at a pitch, length and strength is kept."""
    beat_seconds = 60.0 / piece.bpm
    kept: dict[tuple[int, float, int], Samples] = {}
    for note in notes_of(part, piece):
        late = rng.normal(0.0, piece.looseness_ms / 2_000)
        strength = note.velocity * (1 + 0.06 * rng.standard_normal())
        start = max(0, int((_LEAD_IN_SECONDS + note.start * beat_seconds + late) * SAMPLE_RATE))
        key = (note.midi, note.length, round(note.velocity * 8))
        if key not in kept:
            kept[key] = _sound(part, note, beat_seconds, rng)
        yield start, kept[key] * np.float32(strength)


def _sound(part: Beat | Figure | Tune, note: Note, beat_seconds: float, rng: np.random.Generator) -> Samples:
    if isinstance(part, Beat):
        return DRUMS[part.instrument](note.velocity, rng)
    hz = 440.0 * 2 ** ((note.midi - 69) / 12)
    return INSTRUMENTS[part.instrument](hz, note.length * beat_seconds, note.velocity, rng)


def _pumping(piece: Piece, size: int, depth: float) -> Samples:
    beat = np.arange(size) / SAMPLE_RATE * piece.bpm / 60 % 1
    return np.asarray(1 - depth * np.exp(-beat / 0.22), np.float32)


def _placed(bus: Samples, part: Beat | Figure | Tune) -> Samples:
    angle = (part.pan + 1) * np.pi / 4
    late = int(part.width_ms * SAMPLE_RATE / 1000)
    right = np.concatenate([np.zeros(late, np.float32), bus[: bus.size - late]]) if late else bus
    return np.stack([bus * np.float32(np.cos(angle)), right * np.float32(np.sin(angle))])


def _roomy(wet: Samples, seconds: float, rng: np.random.Generator) -> Samples:
    """The reverberation: convolution with noise that falls by 60 dB in `seconds`, darker the longer it lasts."""
    length = int(seconds * SAMPLE_RATE)
    fall = 10 ** (-3 * np.arange(length) / length)
    size = _quick_size(wet.shape[1] + length)
    room = np.empty_like(wet)
    for side in range(2):
        reflections = rng.standard_normal(length) * fall
        reflections[: int(0.012 * SAMPLE_RATE)] = 0.0
        answer = np.fft.rfft((reflections / np.sqrt((reflections**2).sum())).astype(np.float32), size)
        answer *= 1 / (1 + (np.arange(answer.size) * SAMPLE_RATE / size / 4_500) ** 2)
        room[side] = np.fft.irfft(np.fft.rfft(wet[side], size) * answer.astype(np.complex64), size)[: wet.shape[1]]
    return room


def _lowpassed(bus: Samples, corner_hz: float) -> Samples:
    size = _quick_size(bus.size)
    spectrum = np.fft.rfft(bus, size)
    frequency = np.arange(spectrum.size) * SAMPLE_RATE / size
    spectrum *= (1 / (1 + (frequency / corner_hz) ** 4)).astype(np.float32)
    return np.asarray(np.fft.irfft(spectrum, size)[: bus.size], np.float32)


def _quick_size(size: int) -> int:
    """The next length whose Fourier transform is quick: a small multiple of a power of two."""
    power = 1 << max(0, size.bit_length() - 5)
    return -(-size // power) * power


def _faded(stereo: Samples) -> Samples:
    fade = int(1.8 * SAMPLE_RATE)
    stereo[:, -fade:] *= np.linspace(1, 0, fade, dtype=np.float32) ** 2
    return stereo
