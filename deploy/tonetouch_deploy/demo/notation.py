"""How a piece is written down: chords, step patterns and melodies, and how they become notes in time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

PITCH_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
CHORD_QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "5": (0, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "sus4": (0, 5, 7),
    "add9": (0, 4, 7, 14),
}
# How hard each kind of stroke in a drum pattern is played.
STROKES = {"X": 1.0, "x": 0.8, "o": 0.4}


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """One sound: when it starts and how long it is held, in beats; its MIDI pitch (0 for drums); velocity 0 to 1."""

    start: float
    length: float
    midi: int
    velocity: float


@dataclass(frozen=True, kw_only=True)
class Part:
    """What every part has: its instrument, its place in the form (bars, the last one excluded) and in the mix."""

    instrument: str
    bars: tuple[tuple[int, int], ...] = ((0, 999),)
    gain_db: float = 0.0
    pan: float = 0.0  # -1 left, 1 right
    width_ms: float = 0.0  # the right side is late by this much: a wide sound
    reverb: float = 0.2
    ducks: float = 0.0  # how far every beat pushes the part down (the pumping of dance music)
    drive: float = 0.0  # distortion


@dataclass(frozen=True, kw_only=True)
class Beat(Part):
    """A drum: `steps` of four to the beat; X, x and o are loud, normal and soft, a dot is nothing."""

    steps: str


@dataclass(frozen=True, kw_only=True)
class Figure(Part):
    """An accompaniment that follows the chords.

    A digit plays that tone of the chord, counted upwards from the root and on into the next octave, `*` the whole
    chord, `-` holds what sounds, `.` ends it. `lowest` is the note above which roots, or the notes of a whole chord,
    are placed.
    """

    steps: str
    lowest: str
    steps_per_beat: int = 4


@dataclass(frozen=True, kw_only=True)
class Tune(Part):
    """A melody, which starts anew with each range of bars.

    `A4:1.5` is a pitch for so many beats, `r:1` a rest, `|` a bar line (for the eye).
    """

    notes: str


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One track: what it is called, how it sounds, what is sung and what its cover shows."""

    title: str
    artist: str
    genre: str
    year: int
    bpm: float
    tonic: str
    mode: Literal["major", "minor"]
    chords: str
    bars: int
    parts: tuple[Beat | Figure | Tune, ...]
    lyrics: tuple[str, ...]
    lyrics_every_bars: int
    language: str  # ISO 639-2
    loudness_lufs: float
    format: str
    cover: str
    beats_per_bar: int = 4
    tail_seconds: float = 2.0
    swing: float = 0.0  # how late every second step comes, in steps
    looseness_ms: float = 4.0
    room_seconds: float = 1.6

    @property
    def seconds(self) -> float:
        """Length of the whole track."""
        return self.bars * self.beats_per_bar * 60.0 / self.bpm + self.tail_seconds

    @property
    def sung(self) -> tuple[tuple[float, str], ...]:
        """The lyrics, each line with the second at which it begins."""
        apart = self.lyrics_every_bars * self.beats_per_bar * 60.0 / self.bpm
        return tuple((number * apart, line) for number, line in enumerate(self.lyrics))

    def chord_at(self, beat: float) -> str:
        """The chord that sounds at a beat; the progression repeats for as long as the piece lasts."""
        bars = self.chords.split()
        bar, within = divmod(beat, self.beats_per_bar)
        in_bar = bars[int(bar) % len(bars)].split(",")
        return in_bar[int(within * len(in_bar) / self.beats_per_bar)]


def midi_of(name: str) -> int:
    """MIDI number of a pitch such as `C#4` (60 is C4)."""
    found = re.fullmatch(r"([A-G])([#b]?)(-?\d)", name)
    if found is None:
        raise ValueError(f"not a pitch: {name}")
    letter, accidental, octave = found.groups()
    return 12 * (int(octave) + 1) + PITCH_CLASSES[letter] + {"#": 1, "b": -1, "": 0}[accidental]


def chord_tones(chord: str) -> tuple[int, tuple[int, ...]]:
    """Pitch class of the root, and the intervals above it."""
    found = re.fullmatch(r"([A-G][#b]?)(.*)", chord)
    if found is None or found.group(2) not in CHORD_QUALITIES:
        raise ValueError(f"not a chord: {chord}")
    return midi_of(f"{found.group(1)}-1") % 12, CHORD_QUALITIES[found.group(2)]


def notes_of(part: Beat | Figure | Tune, piece: Piece) -> Iterator[Note]:
    """All notes of a part over the whole piece, in beats from its start."""
    for first, last in part.bars:
        start, stop = first * piece.beats_per_bar, min(last, piece.bars) * piece.beats_per_bar
        if isinstance(part, Beat):
            yield from _strokes(part, piece, start, stop)
        elif isinstance(part, Figure):
            yield from _accompaniment(part, piece, start, stop)
        else:
            yield from _melody(part, piece, start, stop)


def _strokes(part: Beat, piece: Piece, start: int, stop: int) -> Iterator[Note]:
    steps = part.steps.replace(" ", "")
    for step in range((stop - start) * 4):
        stroke = steps[step % len(steps)]
        if stroke in STROKES:
            at = start + (step + piece.swing * (step % 2)) / 4
            yield Note(start=at, length=0.25, midi=0, velocity=STROKES[stroke])


def _accompaniment(part: Figure, piece: Piece, start: int, stop: int) -> Iterator[Note]:
    steps = part.steps.replace(" ", "")
    total = (stop - start) * part.steps_per_beat
    for step in range(total):
        sign = steps[step % len(steps)]
        if sign in "-.":
            continue
        held = 1
        while step + held < total and steps[(step + held) % len(steps)] == "-":
            held += 1
        beat = start + step / part.steps_per_beat
        late = piece.swing * (step % 2) / part.steps_per_beat if part.steps_per_beat == 4 else 0.0
        for midi in _pitches(sign, piece.chord_at(beat), midi_of(part.lowest)):
            yield Note(
                start=beat + late,
                length=held / part.steps_per_beat,
                midi=midi,
                velocity=_accent(beat, piece.beats_per_bar),
            )


def _pitches(sign: str, chord: str, lowest: int) -> list[int]:
    root, intervals = chord_tones(chord)
    if sign == "*":
        return sorted(lowest + (root + interval - lowest) % 12 for interval in intervals)
    octave, tone = divmod(int(sign) - 1, len(intervals))
    return [lowest + (root - lowest) % 12 + intervals[tone] + 12 * octave]


def _melody(part: Tune, piece: Piece, start: int, stop: int) -> Iterator[Note]:
    beat = float(start)
    for token in part.notes.replace("|", " ").split():
        name, length = token.split(":")
        if beat >= stop:
            return
        if name != "r":
            yield Note(
                start=beat, length=float(length), midi=midi_of(name), velocity=_accent(beat, piece.beats_per_bar)
            )
        beat += float(length)


def _accent(beat: float, beats_per_bar: int) -> float:
    if beat % beats_per_bar == 0:
        return 1.0
    return 0.88 if beat % 1 == 0 else 0.76
