"""A recording as numbers: read from WAV or plain PCM within bounds, brought to another rate."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonetouch_runtime.ai.local.errors import AudioRefused

MAX_BYTES = 64 * 1024 * 1024
MAX_SECONDS = 300
MAX_CHANNELS = 8
LOWEST_RATE, HIGHEST_RATE = 4_000, 192_000
ZERO_CROSSINGS = 12  # of the sinc, on each side: -60 dB with a Hann window, enough for speech

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """One channel: `samples` of shape (n,) between -1 and 1, so many a second."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate


def read_wav(audio: bytes) -> Sound:
    """The mean of the channels of a WAV file: PCM of 8 to 32 bits or IEEE floats of 32 or 64, at 4 to 192 kHz.

    At most five minutes. A file that was cut off is read up to there. Raises `AudioRefused` for anything else.
    """
    found: dict[bytes, bytes] = {}
    for name, body in _chunks(audio):
        found.setdefault(name, body)
    if len(found.get(b"fmt ", b"")) < 16 or b"data" not in found:
        raise AudioRefused("The WAV file has no format or no samples.")
    form, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", found[b"fmt "])
    if form == _EXTENSIBLE and len(found[b"fmt "]) >= 26:
        (form,) = struct.unpack_from("<H", found[b"fmt "], 24)
    if not 1 <= channels <= MAX_CHANNELS or block != channels * bits // 8 or not block:
        raise AudioRefused(f"The WAV file has {channels} channels of {bits} bits in blocks of {block} bytes.")
    data = found[b"data"]
    _refuse_long(len(data) // block, rate)
    samples = _numbers(data[: len(data) - len(data) % block], form, bits).reshape(-1, channels)
    return Sound(samples.mean(axis=1, dtype=np.float32), rate)


def read_pcm(audio: bytes, *, rate: int, big_endian: bool = False) -> Sound:
    """Samples of 16 bits, one channel, with no header. Raises `AudioRefused` as `read_wav` does for rate and length."""
    _refuse_long(len(audio) // 2, rate)
    samples = np.frombuffer(audio[: len(audio) // 2 * 2], ">i2" if big_endian else "<i2")
    return Sound((samples / 32768.0).astype(np.float32), rate)


def resampled(sound: Sound, rate: int) -> Sound:
    """The same sound at another rate, by a windowed sinc that cuts off at the lower of the two Nyquist frequencies."""
    if sound.rate == rate or not len(sound.samples):
        return Sound(sound.samples, rate)
    divisor = math.gcd(rate, sound.rate)
    up, down = rate // divisor, sound.rate // divisor
    cut_off = min(1.0, rate / sound.rate)
    reach = math.ceil(ZERO_CROSSINGS / cut_off)
    steps = np.arange(-(-len(sound.samples) * up // down)) * down
    first, phase = steps // up, steps % up
    padded = np.pad(sound.samples, (reach, reach + 1))
    result = np.zeros(len(steps), np.float32)
    for tap in range(-reach + 1, reach + 1):
        distance = tap - np.arange(up) / up
        window = _hann(distance / reach)
        weights = (cut_off * np.sinc(cut_off * distance) * window).astype(np.float32)
        result += padded[first + tap + reach] * weights[phase]
    return Sound(result, rate)


def _hann(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """The window of von Hann between -1 and 1, zero outside."""
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip(place, -1.0, 1.0)), np.float64)


def _refuse_long(samples: int, rate: int) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioRefused(f"The recording has {rate} samples a second; 4,000 to 192,000 are read.")
    if samples > MAX_SECONDS * rate:
        raise AudioRefused(f"The recording is {samples / rate:.0f} seconds long; at most {MAX_SECONDS} are read.")


def _chunks(audio: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and bodies of the chunks of a RIFF file; sizes that lie end with the file."""
    at = 12
    while at + 8 <= len(audio):
        name, size = struct.unpack_from("<4sI", audio, at)
        yield name, audio[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _numbers(data: bytes, form: int, bits: int) -> NDArray[np.float32]:
    """Samples between -1 and 1; what is not a number is silence."""
    if form == _FLOAT and bits in (32, 64):
        wide = np.frombuffer(data, f"<f{bits // 8}").astype(np.float32)
        return np.clip(np.nan_to_num(wide, posinf=1.0, neginf=-1.0), -1.0, 1.0)
    if form == _PCM and bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / 128.0
    if form == _PCM and bits in (16, 32):
        return np.frombuffer(data, f"<i{bits // 8}").astype(np.float32) / 2.0 ** (bits - 1)
    if form == _PCM and bits == 24:
        threes = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        whole = threes[:, 0] << 8 | threes[:, 1] << 16 | threes[:, 2] << 24
        return whole.astype(np.float32) / 2.0**31
    raise AudioRefused(f"WAV files of form {form} with {bits} bits are not read; PCM and IEEE floats are.")
