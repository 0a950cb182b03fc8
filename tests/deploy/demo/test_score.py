import pytest

from tonetouch_deploy.demo.covers import PAINTERS
from tonetouch_deploy.demo.drums import DRUMS
from tonetouch_deploy.demo.instruments import INSTRUMENTS
from tonetouch_deploy.demo.notation import Beat, Figure, Piece, Tune, chord_tones, midi_of, notes_of
from tonetouch_deploy.demo.score import LAST_TRAM, MILL, PIECES


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_every_bar_of_a_melody_is_full(piece: Piece) -> None:
    """Bar lines in a melody stand where the metre puts them."""
    for part in piece.parts:
        if isinstance(part, Tune):
            for bar in part.notes.split("|"):
                beats = sum(float(token.split(":")[1]) for token in bar.split())
                assert beats == piece.beats_per_bar, bar


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_patterns_fit_the_metre(piece: Piece) -> None:
    """A step pattern is a whole number of bars, so that it never slides against the beat."""
    for part in piece.parts:
        if not isinstance(part, Tune):
            steps_per_beat = part.steps_per_beat if isinstance(part, Figure) else 4
            assert len(part.steps.replace(" ", "")) % (steps_per_beat * piece.beats_per_bar) == 0, part


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_melodies_stay_with_their_harmony(piece: Piece) -> None:
    """More than half of a melody's time is spent on tones of the chord beneath."""
    for part in piece.parts:
        if isinstance(part, Tune):
            notes = list(notes_of(part, piece))
            within = sum(note.length for note in notes if _belongs(note.midi, piece.chord_at(note.start)))
            assert within > 0.5 * sum(note.length for note in notes)


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_no_chord_is_held_into_the_next(piece: Piece) -> None:
    """An accompaniment lets go of a chord when the harmony moves on, but for the little that swing is late."""
    for part in piece.parts:
        if isinstance(part, Figure):
            for note in notes_of(part, piece):
                assert piece.chord_at(note.start) == piece.chord_at(note.start + note.length - 0.05), (part, note)


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_a_piece_names_what_exists(piece: Piece) -> None:
    """Instruments and covers are known, and every part has notes that lie within the piece."""
    assert piece.cover in PAINTERS
    for part in piece.parts:
        assert part.instrument in (DRUMS if isinstance(part, Beat) else INSTRUMENTS)
        notes = list(notes_of(part, piece))
        assert notes
        assert max(note.start for note in notes) < piece.bars * piece.beats_per_bar


def test_pitches_are_read_as_midi_numbers() -> None:
    """Middle C is 60; sharps and flats count."""
    assert [midi_of(name) for name in ("C4", "A4", "C#4", "Bb3", "Eb5")] == [60, 69, 61, 58, 75]
    with pytest.raises(ValueError, match="not a pitch"):
        midi_of("H4")


def test_chords_are_read_as_root_and_intervals() -> None:
    """The root is a pitch class; an unknown quality is refused by name."""
    assert chord_tones("F#m") == (6, (0, 3, 7))
    assert chord_tones("Ebmaj7") == (3, (0, 4, 7, 11))
    with pytest.raises(ValueError, match="not a chord: Cwrong"):
        chord_tones("Cwrong")


def test_two_chords_share_a_bar() -> None:
    """A comma divides a bar into equal parts; the progression repeats after its end."""
    assert [LAST_TRAM.chord_at(beat) for beat in (40, 41, 42, 43, 44)] == ["Gm", "Gm", "A", "A", "Dm"]
    assert MILL.chord_at(3 * 32) == MILL.chord_at(0)


def test_a_figure_counts_chord_tones_upwards_and_holds() -> None:
    """Digits run through the chord into the next octave; dashes lengthen the note before."""
    figure = Figure(instrument="piano", lowest="D2", steps_per_beat=2, steps="1-34....", bars=((0, 1),))
    played = [(note.start, note.length, note.midi) for note in notes_of(figure, LAST_TRAM)]
    assert played == [(0.0, 1.0, 38), (1.0, 0.5, 45), (1.5, 0.5, 50)]


def test_a_whole_chord_is_kept_within_an_octave() -> None:
    """A star places every tone of the chord in the octave above `lowest`."""
    figure = Figure(instrument="piano", lowest="A3", steps="*" + "-" * 15, bars=((2, 3),))
    assert [note.midi for note in notes_of(figure, LAST_TRAM)] == [57, 60, 65]


def _belongs(midi: int, chord: str) -> bool:
    root, intervals = chord_tones(chord)
    return midi % 12 in {(root + interval) % 12 for interval in intervals}
