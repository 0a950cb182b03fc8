"""Sounds for the tests: songs whose tempo and key are known because they were written that way, and files of them."""

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_NOTES: Final = {"C": 0, "C#": 1, "D": 2, "Eb": 3, "E": 4, "F": 5, "F#": 6, "G": 7, "Ab": 8, "A": 9, "Bb": 10, "B": 11}
_SCALES: Final = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_CODECS: Final = {
    ".mp3": "libmp3lame",
    ".flac": "flac",
    ".ogg": "vorbis",
    ".opus": "libopus",
    ".m4a": "aac",
    ".wav": "pcm_s16le",
    ".aiff": "pcm_s16be",
}
_FORMATS: Final = {".m4a": "ipod"}
_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


def song(
    seed: int,
    *,
    seconds: float = 20.0,
    bpm: float = 120.0,
    key: str = "C",
    mode: str = "major",
    rate: int = 44100,
    drums: bool = True,
    melody: bool = True,
) -> Samples:
    """Plays the song of this seed: shape (frames, 2), peak 0.7, the same bytes every time.

    Drums keep the tempo, the chords begin and end every eight bars on the tonic or its fifth, the melody never repeats.
    The seed decides progression, melody, rhythm and timbre, so that two seeds are two recordings. Without its melody
    everything else is played as it was.
    """
    generator = np.random.default_rng(seed)
    beat = 60.0 / bpm
    bars = int(np.ceil(seconds / (4 * beat)))
    track = np.zeros((round(seconds * rate) + rate * 8, 2), dtype=np.float32)
    if drums:
        _play_drums(track, generator, beat=beat, bars=bars, rate=rate)
    scale = [48 + _NOTES[key] + step for step in _SCALES[mode]]
    roots = [0, *generator.choice([3, 4, 5, 0, 2, 1], 2), 0, *generator.choice([5, 3, 4, 1], 2), 0, 4]
    timbres = [_timbre(generator, harmonics) for harmonics in (4, 5, 7)]
    voice = track if melody else np.zeros_like(track)
    for bar in range(bars):
        start, root = bar * 4 * beat, int(roots[bar % 8])
        _play_chord(track, scale, root=root, start=start, length=4 * beat, timbre=timbres[1], rate=rate)
        for step in range(4):
            bass = _tone(_hertz(_degree(scale, root) - 12), 0.8 * beat, timbres[0], rate)
            _mix(track, bass, at=start + step * beat, gain=0.30, rate=rate)
        _play_melody(voice, generator, scale, root=root, start=start, beat=beat, timbre=timbres[2], rate=rate)
    track = track[: round(seconds * rate)]
    return track * np.float32(0.7 / max(float(np.max(np.abs(track))), 1e-9))


def encode(
    samples: Samples, path: Path, *, codec: str | None = None, bit_rate: int | None = None, rate: int = 44100
) -> Path:
    """Writes samples of shape (frames,) or (frames, channels) to a file and returns its path.

    The suffix names the codec unless one is given. Opus is always written at 48 kHz. FFmpeg's own Vorbis encoder knows
    stereo only, so an .ogg with another number of channels holds FLAC; MP3 refuses more than two channels (ValueError).
    """
    frames = samples[:, None] if samples.ndim == 1 else samples
    channels = frames.shape[1]
    name = codec or _CODECS[path.suffix]
    if name == "vorbis" and channels != 2:
        name = "flac"
    if name == "libmp3lame" and channels > 2:
        raise ValueError("MP3 holds one or two channels")
    written_rate = 48000 if name == "libopus" else rate
    with av.open(str(path), "w", format=_FORMATS.get(path.suffix)) as container:
        stream = container.add_stream(name, rate=written_rate, options={"strict": "experimental"})
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = _LAYOUTS[channels]
        stream.codec_context.format = _sample_format(name)
        if bit_rate is not None:
            stream.codec_context.bit_rate = bit_rate
        stream.codec_context.open()
        resampler = av.AudioResampler(
            format=stream.codec_context.format,
            layout=_LAYOUTS[channels],
            rate=written_rate,
            frame_size=stream.codec_context.frame_size or 4096,
        )
        packed = np.ascontiguousarray(frames, dtype=np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=_LAYOUTS[channels])
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(piece))
    return path


def _sample_format(codec: str) -> str:
    return {"flac": "s16", "libopus": "s16", "pcm_s16le": "s16", "pcm_s16be": "s16"}.get(codec, "fltp")


def _hertz(note: float) -> float:
    return float(440.0 * 2.0 ** ((note - 69) / 12))


def _degree(scale: list[int], degree: int) -> int:
    return scale[degree % 7] + 12 * (degree // 7)


def _timbre(generator: np.random.Generator, harmonics: int) -> Samples:
    weights = generator.uniform(0.2, 1.0, harmonics) / np.arange(1, harmonics + 1)
    weights[0] = 1.0
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def _tone(frequency: float, length: float, timbre: Samples, rate: int, attack: float = 0.01) -> Samples:
    time = np.arange(int(length * rate), dtype=np.float32) / rate
    wave = np.zeros_like(time)
    for harmonic, weight in enumerate(timbre, start=1):
        if frequency * harmonic < rate / 2:
            wave += weight * np.sin(np.float32(2 * np.pi * frequency * harmonic) * time)
    envelope = np.minimum(1.0, time / attack) * np.minimum(1.0, (length - time) / 0.02) * np.exp(-1.2 * time / length)
    return np.asarray(wave * envelope, dtype=np.float32)


def _mix(track: Samples, sound: Samples, *, at: float, gain: float, rate: int, pan: float = 0.0) -> None:
    start = round(at * rate)
    sound = sound[: max(0, len(track) - start)]
    track[start : start + len(sound), 0] += np.float32(gain * (1 - pan)) * sound
    track[start : start + len(sound), 1] += np.float32(gain * (1 + pan)) * sound


def _play_chord(
    track: Samples, scale: list[int], *, root: int, start: float, length: float, timbre: Samples, rate: int
) -> None:
    for place, third in enumerate((0, 2, 4)):
        sound = _tone(_hertz(_degree(scale, root + third)), length, timbre, rate, attack=0.05)
        _mix(track, sound, at=start, gain=0.16, rate=rate, pan=0.4 * (place - 1))


def _play_melody(
    track: Samples,
    generator: np.random.Generator,
    scale: list[int],
    *,
    root: int,
    start: float,
    beat: float,
    timbre: Samples,
    rate: int,
) -> None:
    step = 0.0
    while step < 4:
        length = float(generator.choice([0.5, 0.5, 1.0, 1.5]))
        on_chord = step == 0 or generator.random() < 0.5
        degree = root + int(generator.choice([0, 2, 4])) if on_chord else int(generator.integers(0, 9))
        if generator.random() < 0.9:
            sound = _tone(_hertz(_degree(scale, degree) + 12), min(length, 4 - step) * beat, timbre, rate)
            _mix(track, sound, at=start + step * beat, gain=0.26, rate=rate, pan=-0.2)
        step += length


def _play_drums(track: Samples, generator: np.random.Generator, *, beat: float, bars: int, rate: int) -> None:
    time = np.arange(int(0.2 * rate), dtype=np.float32) / rate
    kick = np.sin(2 * np.pi * (45 * time + 6 * (1 - np.exp(-time * 20)))) * np.exp(-18 * time)
    noise = generator.standard_normal(len(time))
    snare, hat = noise * np.exp(-24 * time), np.diff(noise, prepend=0.0) * np.exp(-70 * time)
    for count in range(bars * 4):
        at = count * beat
        _mix(track, kick.astype(np.float32), at=at, gain=0.55, rate=rate)
        _mix(track, hat.astype(np.float32), at=at + beat / 2, gain=0.05, rate=rate, pan=0.3)
        if count % 2 == 1:
            _mix(track, snare.astype(np.float32), at=at, gain=0.09, rate=rate)
