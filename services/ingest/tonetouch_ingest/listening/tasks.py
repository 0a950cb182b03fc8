"""What a worker process can be asked to do with a file. Imports Essentia: for the worker process only."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tonetouch_ingest.listening.decoding import RATE, AudioFile
from tonetouch_ingest.listening.excerpt import Excerpt, centred
from tonetouch_ingest.listening.findings import AudioFacts, FingerprintTaken, Heard, Measurement
from tonetouch_ingest.listening.loudness import LoudnessMeter
from tonetouch_ingest.listening.measuring import EXCERPT_SECONDS, FINGERPRINT_SECONDS, fingerprint_of, measure

# A middle shorter than this was looked for in the wrong place: the length had been estimated too long.
_TOO_LITTLE_SECONDS: Final = 30.0


def probe(path: Path) -> AudioFacts:
    """What the file says about itself; nothing is decoded. Raises `AudioRefused`."""
    with AudioFile(path) as audio:
        return audio.facts


def take_fingerprint(path: Path) -> FingerprintTaken:
    """Decodes the whole file, so that a damaged end is found, and fingerprints its first two minutes."""
    start = Excerpt(start_seconds=0.0, seconds=FINGERPRINT_SECONDS, rate=RATE)
    with AudioFile(path) as audio:
        for piece in audio.pieces():
            start.add(piece)
        return _fingerprint(audio, start)


def analyse(path: Path) -> Measurement:
    """Decodes and measures the file. Raises `AudioRefused`."""
    with AudioFile(path) as audio:
        _, measurement = _play(audio)
        return measurement


def listen(path: Path) -> Heard:
    """Fingerprint and measurement from one decoding. Raises `AudioRefused`."""
    with AudioFile(path) as audio:
        start, measurement = _play(audio)
        return Heard(fingerprint=_fingerprint(audio, start), measurement=measurement)


def _play(audio: AudioFile) -> tuple[Excerpt, Measurement]:
    """The beginning of the sound, and what was measured.

    Holds two excerpts of two minutes, 21 MB each, whatever the length of the file.
    """
    meter = LoudnessMeter()
    start = Excerpt(start_seconds=0.0, seconds=FINGERPRINT_SECONDS, rate=RATE)
    middle = centred(audio.expected_seconds, seconds=EXCERPT_SECONDS, rate=RATE)
    for piece in audio.pieces(meter=meter):
        start.add(piece)
        middle.add(piece)
    excerpt = middle.samples()
    if len(excerpt) < _TOO_LITTLE_SECONDS * RATE:
        excerpt = start.samples()
    return start, measure(excerpt, duration_seconds=_decoded_seconds(audio), loudness=meter.read())


def _fingerprint(audio: AudioFile, start: Excerpt) -> FingerprintTaken:
    compressed = fingerprint_of(start.samples())
    return FingerprintTaken(compressed=compressed, decoded_seconds=_decoded_seconds(audio), facts=audio.facts)


def _decoded_seconds(audio: AudioFile) -> float:
    seconds = audio.facts.decoded_seconds
    assert seconds is not None, "the file was decoded to its end"
    return seconds


TASKS: Final[dict[str, Callable[[Path], msgspec.Struct]]] = {
    "probe": probe,
    "take_fingerprint": take_fingerprint,
    "analyse": analyse,
    "listen": listen,
}
