"""What is said in a recording: PocketSphinx with the American English model it carries (both BSD).

Honest about itself: an old engine of hidden Markov models and a vocabulary of 130,000 words, for one clear voice with
nothing behind it. It hears no song, no other language and no name it does not know, and it takes noises for words.

Its word error rate is 0.358 (every third word) on what eSpeak NG says of 40 plain sentences, measured by
``python -m tonetouch_runtime.ai.local.hearing_rate``. A human voice is another matter: no recording of one is ours to
measure on.
"""

import json
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from tonetouch_runtime.ai.local import process
from tonetouch_runtime.ai.local.errors import AudioRefused, EngineMissing
from tonetouch_runtime.ai.local.sound import MAX_BYTES, MAX_SECONDS, Sound, read_pcm, read_wav, resampled

RATE = 16_000
# A part for the decoder ends where it is quietest between these.
SHORTEST_PART, LONGEST_PART = 20 * RATE, 30 * RATE
# The model was trained on rooms: it takes digital silence for words. Both of 32,768; chosen on 15 other sentences.
LOUDNESS, FLOOR = 660.0, 30.0
SILENCE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said, in lower case with no punctuation; the words as (word, start, end) in seconds."""

    text: str
    seconds: float
    words: tuple[tuple[str, float, float], ...]


def hear(audio: bytes, media_type: str) -> Heard:
    """Transcribe WAV (whatever its media type says), ``audio/pcm`` (16 bits, mono) or ``audio/l16`` (RFC 2586).

    Other media types are read where PyAV is installed. Raises `AudioRefused` for what cannot be read, over five minutes
    or over 64 MiB, `EngineMissing` without the extra and `EngineFailed` when the recogniser dies.
    """
    if find_spec("pocketsphinx") is None:
        raise EngineMissing("pocketsphinx")
    if len(audio) > MAX_BYTES:
        raise AudioRefused(f"The recording has {len(audio)} bytes; at most {MAX_BYTES} are read.")
    sound = recorded(audio, media_type)
    if not np.any(sound.samples):
        return Heard("", round(sound.seconds, 3), ())
    samples = _as_in_a_room(resampled(sound, RATE).samples)
    answer = process.run(
        "hear",
        *map(str, in_parts(samples)),
        given=samples.tobytes(),
        timeout_seconds=60 + 3 * sound.seconds,
        refused=AudioRefused,
    )
    words = tuple(
        (
            word,
            max(0.0, round(start - SILENCE_SECONDS, 2)),
            min(sound.seconds, max(0.0, round(end - SILENCE_SECONDS, 2))),
        )
        for word, start, end in json.loads(answer)
    )
    return Heard(" ".join(word for word, _, _ in words), round(sound.seconds, 3), words)


def recorded(audio: bytes, media_type: str) -> Sound:
    """The recording as `hear` takes it, before it is brought to the rate of the model."""
    if audio[:4] == b"RIFF" and audio[8:12] == b"WAVE":
        return read_wav(audio)
    kind, *parameters = (part.strip().lower() for part in media_type.split(";"))
    if kind in ("audio/pcm", "audio/l16"):
        rates = [part[5:] for part in parameters if part.startswith("rate=") and part[5:].isdecimal()]
        return read_pcm(audio, rate=int((rates or ["16000"])[0][:7]), big_endian=kind == "audio/l16")
    if find_spec("av") is None:
        raise AudioRefused(f"{kind or 'This'} is not read here: send WAV, or install PyAV (the package `av`).")
    unpacked = process.run("unpack", str(MAX_SECONDS), given=audio, timeout_seconds=60, refused=AudioRefused)
    return read_pcm(unpacked, rate=RATE)


def _as_in_a_room(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """At an even loudness, over a floor of noise that is the same every time, with a little silence around."""
    loudness = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    quiet = np.zeros(int(SILENCE_SECONDS * RATE))
    level = np.concatenate([quiet, samples * (LOUDNESS / max(loudness, 1e-4)), quiet])
    # The sum of eight bytes is as good as normal, and the raw bits are the same in every version of numpy.
    bits = np.random.PCG64(1).random_raw(len(level)).view(np.uint8).reshape(-1, 8)
    noise = (bits.sum(axis=1, dtype=np.int32) - 8 * 127.5) / 209.0
    return np.asarray(np.clip(np.round(level + FLOOR * noise), -32768, 32767), "<i2")


def in_parts(samples: NDArray[np.int16]) -> list[int]:
    """How many samples are decoded together, one part after the other."""
    parts = []
    left = samples
    while len(left) > LONGEST_PART:
        window = np.abs(left[SHORTEST_PART:LONGEST_PART].astype(np.int32)).reshape(-1, RATE // 10).sum(axis=1)
        cut = SHORTEST_PART + int(window.argmin()) * (RATE // 10) + RATE // 20
        parts.append(cut)
        left = left[cut:]
    return [*parts, len(left)]
