"""Analyse: tempo, key, loudness, energy and mood.

Finds `AudioAnalysed`. What cannot be known is null.
"""

from collections.abc import Sequence

from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import AudioAnalysed
from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.ears import Ears
from tonetouch_runtime import Floor

MODEL = "essentia-2.1b6+moods@1"
_FEWEST_MOOD_POINTS = 0.5


async def analyse(attempt: Attempt, floor: Floor) -> Sequence[Event]:
    """Measure the recording, in a process of its own."""
    measured = (await floor.get(Ears).hear(attempt.upload)).measurement
    words = tuple(word for word, score in measured.moods if score >= _FEWEST_MOOD_POINTS)
    return (
        AudioAnalysed(
            track_id=attempt.track_id,
            analyser=MODEL,
            duration_seconds=measured.duration_seconds,
            loudness_lufs=measured.loudness_lufs,
            loudness_range_lu=measured.loudness_range_lu,
            peak_dbfs=measured.peak_dbfs,
            bpm=measured.bpm,
            bpm_candidates=measured.bpm_candidates,
            key=measured.key,
            key_strength=measured.key_strength,
            energy=measured.energy,
            moods=words or tuple(word for word, _ in measured.moods[:2]),
        ),
    )
