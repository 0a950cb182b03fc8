"""Recognising: earlier recordings that may be this one. Answers `FindSounds`.

What is asked for is everything that stands before a place on INGEST, so the answer waits until the index has seen all
of that: of two uploads of one song exactly one finds the other.
"""

from typing import Final

from sqlalchemy import func, select

from tonetouch_contracts.finding import FindSounds, SoundMatch, SoundMatches
from tonetouch_contracts.identity import TrackId
from tonetouch_recommend.indexes.index import FINGERPRINTS, halves, progression_id, recording_of
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.learning import SoundRow
from tonetouch_recommend.vectors.collection import LARGEST_LIMIT, Between, Is, UnfitPointError, Vector
from tonetouch_runtime import Floor, Refused, Router

router = Router()

SHORT_SECONDS: Final = 30.0
"""Below this a fingerprint's vector says too little, and sounds are matched by how long they are as well."""
SIMILAR_SECONDS: Final = 12.0
MOST_AS_LONG: Final = 50
"""Jingles are of few lengths: the same one in another codec is as long to 0.1 s, and of those there are some dozens
in a large library."""
LEAST_COSINE: Final = 0.55
"""Strangers lie far below, so a new song has no candidates at all."""
LEAST_PROGRESSION: Final = 0.3
"""Strangers have a deviation of 0.08 around zero, instrumentals 0.4 and more: see ``python -m tests.evaluation``."""


@router.answers(FindSounds)
async def find_sounds(command: FindSounds, floor: Floor) -> SoundMatches:
    """Earlier recordings without those known to be duplicates: the nearest by sound first, then those that go on alike,
    then those that are as long. Raises NotNow where it is too early.
    """
    if not 1 <= command.limit <= LARGEST_LIMIT:
        raise Refused("invalid", f"A limit is a number from 1 to {LARGEST_LIMIT}, not {command.limit}.")
    vectors = {
        form: _vector(raw)
        for form, raw in (("sound", command.vector), ("progression", command.progression))
        if raw is not None
    }
    before = {"INGEST": command.before - 1}
    await floor.seen(before)
    if vectors:
        await floor.get(Indexes).caught_up("sound", before, floor.settings.position_wait_seconds)
    found: dict[str, SoundMatch] = {}
    for form, vector in vectors.items():
        for match in await _alike(command, form, vector, floor):
            found.setdefault(match.track_id, match)
    if command.duration_seconds < SHORT_SECONDS or not vectors:
        for match in await _as_long(command, floor):
            found.setdefault(match.track_id, match)
    return SoundMatches(items=tuple(found.values()))


async def _alike(command: FindSounds, form: str, vector: Vector, floor: Floor) -> list[SoundMatch]:
    hits = await floor.get(Indexes).engine.query(
        FINGERPRINTS,
        vector,
        limit=command.limit,
        where=[Between("seq", high=command.before - 1), Is("form", form)],
        exclude=[command.track_id, progression_id(command.track_id)],
    )
    least = LEAST_COSINE if form == "sound" else LEAST_PROGRESSION
    return [
        SoundMatch(
            track_id=TrackId(recording_of(hit.id)),
            cosine=hit.score if form == "sound" else None,
            duration_seconds=_seconds(hit.payload["duration"]),
        )
        for hit in hits
        if hit.score >= least
    ]


async def _as_long(command: FindSounds, floor: Floor) -> list[SoundMatch]:
    sounds, asked = floor.tables.live(SoundRow), command.duration_seconds
    apart = func.abs(sounds.c.duration_seconds - asked)
    rows = await floor.tables.all(
        select(sounds.c.track_id, sounds.c.duration_seconds)
        .where(sounds.c.duration_seconds.between(asked - SIMILAR_SECONDS, asked + SIMILAR_SECONDS))
        .where(sounds.c.sequence < command.before, sounds.c.track_id != command.track_id)
        .where(sounds.c.duplicate_of.is_(None))
        .order_by(apart, sounds.c.sequence)
        .limit(max(command.limit, MOST_AS_LONG))
    )
    return [
        SoundMatch(track_id=TrackId(row["track_id"]), cosine=None, duration_seconds=row["duration_seconds"])
        for row in rows
    ]


def _vector(raw: bytes) -> Vector:
    try:
        return FINGERPRINTS.unit(halves(raw))
    except (UnfitPointError, ValueError) as error:
        raise Refused("invalid", f"The vector cannot be asked with: {error}.") from None


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
