"""What is said about a track to find it by meaning: a text made from its facts alone. Pure."""

from tonetouch_contracts.upload import AudioAnalysed, AudioStaged

_TEMPI = (
    (76.0, "slow"),
    (100.0, "relaxed mid-tempo"),
    (124.0, "mid-tempo"),
    (140.0, "fast upbeat"),
    (float("inf"), "very fast driving"),
)
_ENERGIES = (
    (0.25, "quiet, soft, gentle, to fall asleep, to relax"),
    (0.45, "soft, laid-back, to study, to unwind"),
    (0.65, "lively"),
    (0.85, "energetic, for dancing, for a workout"),
    (1.01, "powerful, intense, for a workout, for a party"),
)
_LEAST_KEY_STRENGTH = 0.5
_CALM = 0.4
_WILD = 0.8


def describe(staged: AudioStaged, analysed: AudioAnalysed) -> str:
    """One paragraph: tempo, moods, key, energy, genre, language, year, and whose it is. Unknown facts are left out.

    The words people search with stand first: an embedding weighs a short text's beginning no less than its end, and
    the same facts always give the same text.
    """
    tempo = _felt_tempo(analysed)
    parts = [
        f"{_word(_TEMPI, tempo)}, {tempo:.0f} bpm" if tempo else "",
        ", ".join(analysed.moods),
        f"in {analysed.key}" if analysed.key and (analysed.key_strength or 0) >= _LEAST_KEY_STRENGTH else "",
        _word(_ENERGIES, analysed.energy) if analysed.energy is not None else "",
        ", ".join(staged.genres),
        f"sung in {staged.language}" if staged.language and staged.lyrics else "",
        "with lyrics" if staged.lyrics else "",
        str(staged.year) if staged.year else "",
    ]
    about = "; ".join(part for part in parts if part)
    album = f", from {staged.album}" if staged.album else ""
    return f"{about}. {staged.title} by {staged.artist}{album}."


def _felt_tempo(analysed: AudioAnalysed) -> float | None:
    """Of the octaves a tempo can be read in, the one people would tap: half for a quiet track, double for a wild one.

    Beat trackers fold into 70 to 180 and so call a ballad of 62 one of 124.
    """
    if analysed.bpm is None:
        return None
    octaves = [bpm for bpm in (*analysed.bpm_candidates, analysed.bpm) if 45 <= bpm <= 190]
    if analysed.energy is not None and analysed.energy < _CALM and octaves:
        return min(octaves)
    if analysed.energy is not None and analysed.energy > _WILD and octaves:
        return max(octaves)
    return analysed.bpm


def _word(scale: tuple[tuple[float, str], ...], value: float) -> str:
    return next(word for most, word in scale if value < most)
