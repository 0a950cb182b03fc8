"""Fingerprint: how the recording sounds, in a form that survives another codec.

Finds `AudioFingerprinted`. Raises AudioRefused for a file that cannot be decoded to its end.
"""

from collections.abc import Sequence

import numpy as np

from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import AudioFingerprinted
from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.ears import Ears
from tonetouch_ingest.listening.fingerprint import decode_compressed, vector
from tonetouch_runtime import Floor

MODEL = "chromaprint-1+fourier-256@1"


async def fingerprint(attempt: Attempt, floor: Floor) -> Sequence[Event]:
    """Listen to the file once and keep its Chromaprint, with a vector where the sound is long enough for one."""
    taken = (await floor.get(Ears).hear(attempt.upload)).fingerprint
    found = vector(decode_compressed(taken.compressed)) if taken.compressed else None
    return (
        AudioFingerprinted(
            track_id=attempt.track_id,
            fingerprint=taken.compressed,
            vector=None if found is None else found.astype(np.dtype("<f2")).tobytes(),
            vector_model=MODEL,
            duration_seconds=taken.decoded_seconds,
        ),
    )
