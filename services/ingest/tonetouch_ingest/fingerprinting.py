"""Fingerprint: how the recording sounds, in a form that survives another codec.

Finds `AudioFingerprinted`. Raises AudioRefused for a file that cannot be decoded to its end.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import AudioFingerprinted
from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.ears import Ears
from tonetouch_ingest.listening.fingerprint import decode_compressed, vector
from tonetouch_ingest.listening.progression import progression
from tonetouch_runtime import Floor

MODEL = "chromaprint-1+fourier-256@1"
PROGRESSION_MODEL = "chromaprint-1+progression-256@1"


async def fingerprint(attempt: Attempt, floor: Floor) -> Sequence[Event]:
    """Listen to the file once and keep its Chromaprint, with its vectors where the sound is long enough for them."""
    taken = (await floor.get(Ears).hear(attempt.upload)).fingerprint
    items = decode_compressed(taken.compressed) if taken.compressed else None
    return (
        AudioFingerprinted(
            track_id=attempt.track_id,
            fingerprint=taken.compressed,
            vector=None if items is None else _travelling(vector(items)),
            vector_model=MODEL,
            duration_seconds=taken.decoded_seconds,
            progression=None if items is None else _travelling(progression(items)),
            progression_model=PROGRESSION_MODEL,
        ),
    )


def _travelling(found: NDArray[np.float32] | None) -> bytes | None:
    return None if found is None else found.astype(np.dtype("<f2")).tobytes()
