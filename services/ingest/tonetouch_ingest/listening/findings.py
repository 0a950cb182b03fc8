"""What listening finds out about a file. Plain values: they cross the process border and hold no samples."""

import msgspec


class AudioFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says about itself, and how much sound was really in it.

    `declared_seconds` is null when the container makes no statement (an MP3 without a Xing or VBRI header, a streamed
    WAV); `decoded_seconds` is null until the file was decoded to its end. `bit_rate` is in bits per second.
    """

    codec: str
    container: str
    channels: int
    sample_rate: int
    bit_rate: int | None
    declared_seconds: float | None
    decoded_seconds: float | None
    lossless: bool
    has_video: bool


class FingerprintTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The Chromaprint of the first two minutes, in the compressed base64 form, algorithm 1 (TEST2).

    Empty when the sound is too short for a single item (about three seconds).
    """

    compressed: str
    decoded_seconds: float
    facts: AudioFacts


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured. Null means: cannot be known from this sound, and nobody should guess.

    Everything but the length is null below -60 LUFS; all but length, loudness and peak are null under five seconds.

    - `loudness_lufs`, `loudness_range_lu`: EBU R128 over the whole file; a mono file counts as played by two speakers.
    - `peak_dbfs`: the highest sample, not the true peak between samples.
    - `bpm`: folded to 70..180; null when three methods disagree and the most careful one has no confidence.
      `bpm_candidates`: the chosen tempo first, then the other readings and their octaves.
    - `key`: "A minor", null when `key_strength` (0..1) is under 0.5.
    - `energy`, `valence`: 0..1. `moods`: four to eight (word, score 0..1), strongest first.
    - `brightness_hertz`: mean spectral centroid. `onsets_per_second`: how busy it is.
    """

    duration_seconds: float
    loudness_lufs: float | None = None
    loudness_range_lu: float | None = None
    peak_dbfs: float | None = None
    bpm: float | None = None
    bpm_candidates: tuple[float, ...] = ()
    key: str | None = None
    key_strength: float | None = None
    energy: float | None = None
    valence: float | None = None
    moods: tuple[tuple[str, float], ...] = ()
    brightness_hertz: float | None = None
    onsets_per_second: float | None = None


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """Fingerprint and measurement from one decoding of the file."""

    fingerprint: FingerprintTaken
    measurement: Measurement
