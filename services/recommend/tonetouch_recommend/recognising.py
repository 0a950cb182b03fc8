"""Recognising: earlier recordings that may be this one. Answers `FindSounds`.

What is asked for is everything that stands before a place on INGEST, so the answer waits until the index has seen all
of that: of two uploads of one song exactly one finds the other.
"""

from typing import Final

from sqlalchemy import func, select

from tonetouch_contracts.finding import FindSounds, SoundMatch, SoundMatches
from tonetouch_contracts.identity import TrackId
from tonetouch_recommend.indexes import FINGERPRINTS, halves
from tonetouch_recommend.indexing import Indexes
from tonetouch_recommend.learning import SoundRow
from tonetouch_recommend.vectors.collection import LARGEST_LIMIT, Between, UnfitPointError, Vector
from tonetouch_runtime import Floor, Refused, Router

router = Router()

SHORT_SECONDS: Final = 30.0
"""Below this a fingerprint's vector says too little, and sounds are matched by how long they are."""
SIMILAR_SECONDS: Final = 12.0
LEAST_COSINE: Final = 0.5
"""Strangers lie far below, so a new song has no candidates at all; whoever asks applies a limit of their own."""


@router.answers(FindSounds)
async def find_sounds(command: FindSounds, floor: Floor) -> SoundMatches:
    """Earlier recordings, nearest first, without those known to be duplicates. Raises NotNow where it is too early."""
    if not 1 <= command.limit <= LARGEST_LIMIT:
        raise Refused("invalid", f"A limit is a number from 1 to {LARGEST_LIMIT}, not {command.limit}.")
    before = {"INGEST": command.before - 1}
    await floor.seen(before)
    if command.vector is None or command.duration_seconds < SHORT_SECONDS:
        return await _as_long(command, floor)
    await floor.get(Indexes).caught_up("sound", before, floor.settings.position_wait_seconds)
    return await _sounding_alike(command, _vector(command.vector), floor)


async def _sounding_alike(command: FindSounds, vector: Vector, floor: Floor) -> SoundMatches:
    hits = await floor.get(Indexes).engine.query(
        FINGERPRINTS,
        vector,
        limit=command.limit,
        where=[Between("seq", high=command.before - 1)],
        exclude=[command.track_id],
    )
    return SoundMatches(
        items=tuple(
            SoundMatch(track_id=TrackId(hit.id), cosine=hit.score, duration_seconds=_seconds(hit.payload["duration"]))
            for hit in hits
            if hit.score >= LEAST_COSINE
        )
    )


async def _as_long(command: FindSounds, floor: Floor) -> SoundMatches:
    sounds, asked = floor.tables.live(SoundRow), command.duration_seconds
    apart = func.abs(sounds.c.duration_seconds - asked)
    rows = await floor.tables.all(
        select(sounds.c.track_id, sounds.c.duration_seconds)
        .where(sounds.c.duration_seconds.between(asked - SIMILAR_SECONDS, asked + SIMILAR_SECONDS))
        .where(sounds.c.sequence < command.before, sounds.c.track_id != command.track_id)
        .where(sounds.c.duplicate_of.is_(None))
        .order_by(apart, sounds.c.sequence)
        .limit(command.limit)
    )
    return SoundMatches(
        items=tuple(
            SoundMatch(track_id=TrackId(row["track_id"]), cosine=None, duration_seconds=row["duration_seconds"])
            for row in rows
        )
    )


def _vector(raw: bytes) -> Vector:
    try:
        return FINGERPRINTS.unit(halves(raw))
    except (UnfitPointError, ValueError) as error:
        raise Refused("invalid", f"The vector cannot be asked with: {error}.") from None


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
