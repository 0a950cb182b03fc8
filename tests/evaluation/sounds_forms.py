"""Music whose recordings are known, in the forms it goes round in: what `sounds` holds against each other.

The eight pieces of the demo album and songs of the tests' generator, which are two ways of making music; every form is
a file, and is listened to as an upload is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.sounds import Samples, encode, song
from tonetouch_deploy.demo.notation import Piece, Tune
from tonetouch_deploy.demo.rendering import rendered
from tonetouch_deploy.demo.score import PIECES
from tonetouch_ingest.listening.fingerprint import Items, decode_compressed, vector
from tonetouch_ingest.listening.progression import progression
from tonetouch_ingest.listening.tasks import take_fingerprint

RATE: Final = 44_100
SONG_SECONDS: Final = 60.0
ORIGINAL: Final = "original"
SAME: Final = (
    "mp3 128k",
    "opus 48k",
    "aac 96k",
    "0.4 s cut",
    "3 s cut",
    "10 s cut",
    "4 s of silence",
)
"""The same recording in another file."""
REMASTER: Final = "EQ + compression"
FASTER: Final = "1 % faster"
INSTRUMENTAL: Final = "instrumental"
FORMS: Final = (*SAME, REMASTER, FASTER, INSTRUMENTAL)

_KEYS: Final = ("C", "G", "D", "A", "F", "Eb", "Ab", "E", "Bb", "B", "C#")
_MUTED_DB: Final = -300.0
_EQ_DB: Final = ((0.0, 4.0), (120.0, 4.0), (400.0, -3.0), (1_500.0, 0.0), (5_000.0, 4.0), (20_000.0, 5.0))
_THRESHOLD_DB: Final = -24.0
_RATIO: Final = 4.0
_BLOCK: Final = 220  # 5 ms
_ATTACK_BLOCKS: Final = 2.0
_RELEASE_BLOCKS: Final = 24.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """A form of a song as ingest hears it."""

    song: str
    form: str
    items: Items
    seconds: float
    vector: NDArray[np.float32] | None
    progression: NDArray[np.float32] | None


def names(number: int) -> list[str]:
    """This many songs: the demo album first."""
    return [*(piece.title for piece in PIECES), *(f"song {seed}" for seed in range(1, number + 1))][:number]


def heard(name: str, forms: tuple[str, ...] = FORMS, seconds: float = SONG_SECONDS) -> list[Heard]:
    """The song of this name, as it is and in these forms; `seconds` is how long one of the generator is."""
    original = played(name, seconds=seconds)
    with TemporaryDirectory() as folder:
        files = {ORIGINAL: encode(original, Path(folder) / "original.wav")}
        files |= {form: _file(name, form, original, Path(folder), seconds) for form in forms}
        return [_listen(name, form, path) for form, path in files.items()]


def played(name: str, *, seconds: float = SONG_SECONDS, melody: bool = True) -> Samples:
    """A song, shape (frames, 2); without its melody it is the same performance with the leading voice left out."""
    pieces: Mapping[str, Piece] = {piece.title: piece for piece in PIECES}
    if (piece := pieces.get(name)) is not None:
        return np.ascontiguousarray(rendered(piece if melody else _without_lead(piece), 1).T)
    seed = int(name.removeprefix("song "))
    key, mode = _KEYS[seed % len(_KEYS)], ("major", "minor")[seed % 2]
    return song(seed, seconds=seconds, bpm=76.0 + 4.0 * seed, key=key, mode=mode, melody=melody)


def _without_lead(piece: Piece) -> Piece:
    lead = next(number for number, part in enumerate(piece.parts) if isinstance(part, Tune))
    parts = [replace(part, gain_db=_MUTED_DB) if at == lead else part for at, part in enumerate(piece.parts)]
    return replace(piece, parts=tuple(parts))


def _file(name: str, form: str, original: Samples, folder: Path, seconds: float) -> Path:
    match form:
        case "mp3 128k":
            return encode(original, folder / "form.mp3", bit_rate=128_000)
        case "opus 48k":
            return encode(original, folder / "form.opus", bit_rate=48_000)
        case "aac 96k":
            return encode(original, folder / "form.m4a", bit_rate=96_000)
    return encode(_changed(name, form, original, seconds), folder / f"{FORMS.index(form)}.wav")


def _changed(name: str, form: str, original: Samples, seconds: float) -> Samples:
    match form:
        case "4 s of silence":
            return np.concatenate([np.zeros((4 * RATE, 2), np.float32), original])
        case "EQ + compression":
            return compressed(equalised(original))
        case "1 % faster":
            places = np.arange(int(len(original) / 1.01)) * 1.01
            sides = [np.interp(places, np.arange(len(original)), original[:, side]) for side in range(2)]
            return np.stack(sides, axis=1).astype(np.float32)
        case "instrumental":
            return played(name, seconds=seconds, melody=False)
    cut = float(form.removesuffix(" s cut"))
    return original[round(cut * RATE) :]


def equalised(samples: Samples) -> Samples:
    """More bass and treble, less of what lies between: 4, -3 and 5 dB."""
    spectrum = np.fft.rfft(samples, axis=0)
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    gain_db = np.interp(hertz, [at for at, _ in _EQ_DB], [gain for _, gain in _EQ_DB])
    sound = np.fft.irfft(spectrum * (10 ** (gain_db / 20))[:, None], len(samples), axis=0)
    return np.asarray(sound, dtype=np.float32)


def compressed(samples: Samples) -> Samples:
    """Four to one above -24 dB, 10 ms attack and 120 ms release, then as loud as before at its peak."""
    blocks = -(-len(samples) // _BLOCK)
    padded = np.zeros((blocks * _BLOCK, 2), np.float32)
    padded[: len(samples)] = samples
    power = np.mean(padded.reshape(blocks, -1) ** 2, axis=1)
    over = np.maximum(0.0, 10 * np.log10(power + 1e-12) - _THRESHOLD_DB) * (1 - 1 / _RATIO)
    level, reduced = 0.0, np.empty(blocks)
    for at, wanted in enumerate(over):
        level += (wanted - level) / (_ATTACK_BLOCKS if wanted > level else _RELEASE_BLOCKS)
        reduced[at] = level
    gain_db = np.interp(np.arange(len(samples)), np.arange(blocks) * _BLOCK, -reduced)
    sound = samples * (10 ** (gain_db / 20))[:, None]
    return np.asarray(sound * (np.max(np.abs(samples)) / np.max(np.abs(sound))), dtype=np.float32)


def _listen(name: str, form: str, path: Path) -> Heard:
    taken = take_fingerprint(path)
    items = decode_compressed(taken.compressed)
    return Heard(
        song=name,
        form=form,
        items=items,
        seconds=taken.decoded_seconds,
        vector=vector(items),
        progression=progression(items),
    )
