"""Dedupe: is this a recording we already have, by its bytes or by its sound?

Asks recommend for earlier tracks that sound alike. Finds `DuplicateDetected` or `AudioCompared`, and says
`ContentClaimed` for the bytes. When in doubt both are kept.
"""

import asyncio
from collections.abc import Mapping, Sequence

from tonetouch_contracts.finding import FindSounds, SoundMatch
from tonetouch_contracts.identity import ContentHash, TrackId
from tonetouch_contracts.message import Event
from tonetouch_contracts.upload import AudioCompared, AudioFingerprinted, ContentClaimed, DuplicateDetected
from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.content import Content
from tonetouch_ingest.listening.fingerprint import decode_compressed
from tonetouch_ingest.listening.matching import Decision, Same, Sound, Version, decide
from tonetouch_ingest.upload import Upload
from tonetouch_runtime import Floor

MODEL = "bit-error-rate@2"
MOST_NEIGHBOURS = 20
"""Of each way of looking. Comparing one takes milliseconds; a popular song may have that many versions."""


async def dedupe(attempt: Attempt, floor: Floor) -> Sequence[Event]:
    """Hold the recording against every earlier one."""
    owner = await _claim(attempt.audio.sha256, attempt.track_id, floor)
    if owner != attempt.track_id:
        return (DuplicateDetected(track_id=attempt.track_id, of=await _original(owner, floor), by="bytes"),)
    mine, before = await _own_sound(attempt, floor)
    matches = await floor.ask(
        FindSounds(
            track_id=attempt.track_id,
            vector=mine.vector,
            duration_seconds=mine.duration_seconds,
            before=before,
            progression=mine.progression,
            limit=MOST_NEIGHBOURS,
        )
    )
    sounds = await asyncio.gather(*(_sound_of(match, floor) for match in matches.value.items))
    candidates = {sound.track_id: (sound, sha256) for sound, sha256 in filter(None, sounds)}
    decided = await _decide(attempt, mine, candidates)
    while isinstance(decided, Same):
        original, sha256 = candidates.pop(decided.of)
        # Its bytes are claimed for it: if they are another's by now it becomes a duplicate itself, and is nobody's
        # original. Without this, two with the same bytes could each end as the other's duplicate.
        if await _claim(sha256, TrackId(decided.of), floor) == decided.of:
            return (_duplicate(attempt.track_id, decided, original),)
        decided = await _decide(attempt, mine, candidates)
    version = decided if isinstance(decided, Version) else None
    return (
        AudioCompared(
            track_id=attempt.track_id,
            candidates=len(candidates),
            version_of=TrackId(version.of) if version else None,
            bit_error_rate=version.bit_error_rate if version else None,
            offset_seconds=version.offset_seconds if version else None,
            cosine=candidates[version.of][0].cosine if version else None,
        ),
    )


async def _decide(
    attempt: Attempt, mine: AudioFingerprinted, candidates: Mapping[str, tuple[Sound, ContentHash]]
) -> Decision:
    others = [sound for sound, _ in candidates.values()]
    return await asyncio.to_thread(decide, _sound(attempt.track_id, mine), others)


def _duplicate(track_id: TrackId, same: Same, original: Sound) -> DuplicateDetected:
    return DuplicateDetected(
        track_id=track_id,
        of=TrackId(same.of),
        by="sound",
        bit_error_rate=same.bit_error_rate,
        offset_seconds=same.offset_seconds,
        cosine=original.cosine,
    )


async def _claim(sha256: ContentHash, track_id: TrackId, floor: Floor) -> TrackId:
    """Claim the bytes, and return whose they are. A claim of an upload that came to nothing can be taken over."""
    held = (await floor.log.load("INGEST", sha256, Content())).state.claimed_by
    forsaken = held is not None and held != track_id and await _came_to_nothing(held, floor)

    def claim(content: Content) -> Sequence[Event]:
        free = content.claimed_by is None or (forsaken and content.claimed_by == held)
        return (ContentClaimed(sha256=sha256, track_id=track_id),) if free else ()

    outcome = await floor.log.transact("INGEST", sha256, Content(), claim)
    assert outcome.state.claimed_by is not None, "the bytes were claimed just now"
    return outcome.state.claimed_by


async def _came_to_nothing(track_id: TrackId, floor: Floor) -> bool:
    return (await floor.log.load("INGEST", track_id, Upload())).state.failed is not None


async def _original(track_id: TrackId, floor: Floor) -> TrackId:
    """The track itself, or the one it is a duplicate of."""
    return (await floor.log.load("INGEST", track_id, Upload())).state.duplicate_of or track_id


async def _own_sound(attempt: Attempt, floor: Floor) -> tuple[AudioFingerprinted, int]:
    """This upload's fingerprint, and where it stands on INGEST: what stands before it is earlier."""
    for recorded in await floor.log.history("INGEST", attempt.track_id):
        if isinstance(recorded.event, AudioFingerprinted):
            return recorded.event, recorded.sequence
    raise AssertionError("dedupe waits for fingerprint")


async def _sound_of(match: SoundMatch, floor: Floor) -> tuple[Sound, ContentHash] | None:
    """An earlier track's sound and bytes; None for one that is a duplicate itself or came to nothing."""
    upload = (await floor.log.load("INGEST", match.track_id, Upload())).state
    if upload.staged is None or upload.fingerprinted is None or upload.duplicate_of or upload.failed:
        return None
    return _sound(match.track_id, upload.fingerprinted, match.cosine), upload.staged.audio.sha256


def _sound(track_id: str, taken: AudioFingerprinted, cosine: float | None = None) -> Sound:
    return Sound(
        track_id=track_id,
        items=decode_compressed(taken.fingerprint),
        duration_seconds=taken.duration_seconds,
        cosine=cosine,
    )
