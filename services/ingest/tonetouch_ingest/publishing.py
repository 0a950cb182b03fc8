"""Publish: tell catalog what became of the upload.

Asks `PublishTrack` or `MarkDuplicate`; finds `IngestCompleted`. Asking catalog twice changes nothing.
"""

from collections.abc import Sequence

import msgspec

from tonetouch_contracts.message import Event
from tonetouch_contracts.track import MarkDuplicate, PublishTrack
from tonetouch_contracts.upload import DuplicateDetected, IngestCompleted
from tonetouch_ingest.attempt import Attempt
from tonetouch_ingest.content import Content
from tonetouch_ingest.shelving import discard, shelve, tidy
from tonetouch_runtime import Floor


async def publish(attempt: Attempt, floor: Floor) -> Sequence[Event]:
    """Put the track on the shelf, or say whose duplicate it is; then tidy up what the upload brought."""
    overtaken = None if attempt.upload.duplicate else await _overtaken(attempt, floor)
    duplicate = attempt.upload.duplicate or overtaken
    if duplicate is not None:
        reason = "the same file" if duplicate.by == "bytes" else "the same recording"
        await floor.ask(MarkDuplicate(track_id=attempt.track_id, of=duplicate.of, reason=reason, by=duplicate.by))
    else:
        await shelve(attempt.upload, floor)
        await floor.ask(_complete(attempt, floor.settings.default_region))
    if duplicate is not None and duplicate.by == "sound":
        # A person may say that it is another recording after all.
        await tidy(attempt.upload, floor)
    else:
        await discard(attempt.upload, floor, audio=duplicate is not None)
    completed = IngestCompleted(track_id=attempt.track_id, outcome="duplicate" if duplicate else "published")
    return (overtaken, completed) if overtaken else (completed,)


async def _overtaken(attempt: Attempt, floor: Floor) -> DuplicateDetected | None:
    """While this upload had failed, somebody may have uploaded the same bytes again and taken its claim over."""
    if attempt.upload.ruled is not None:
        return None
    owner = (await floor.log.load("INGEST", attempt.audio.sha256, Content())).state.claimed_by
    if owner is None or owner == attempt.track_id:
        return None
    return DuplicateDetected(track_id=attempt.track_id, of=owner, by="bytes")


def _complete(attempt: Attempt, default_region: str) -> PublishTrack:
    """Everything the steps before have found, as catalog wants to know it."""
    staged, analysed, described = attempt.staged, attempt.upload.analysed, attempt.upload.described
    assert analysed is not None, "publish waits for analyse"
    cover = staged.cover
    if cover is not None and described is not None:
        cover = msgspec.structs.replace(cover, alt=described.alt)
    version_of = attempt.upload.compared.version_of if attempt.upload.compared else None
    guessed = (*staged.guessed, *_guessed(attempt))
    return PublishTrack(
        track_id=attempt.track_id,
        title=staged.title,
        artist=staged.artist,
        album=staged.album,
        genres=staged.genres,
        moods=analysed.moods,
        duration_seconds=analysed.duration_seconds,
        bpm=analysed.bpm,
        bpm_candidates=analysed.bpm_candidates,
        key=analysed.key,
        key_strength=analysed.key_strength,
        energy=analysed.energy,
        loudness_lufs=analysed.loudness_lufs,
        explicit=staged.explicit,
        region=staged.region or default_region,
        audio=staged.audio,
        cover=cover,
        cover_size_bytes=staged.cover_size_bytes,
        lyrics=staged.lyrics,
        lyrics_sha256=staged.lyrics_sha256,
        lyrics_synced=staged.lyrics_synced,
        year=staged.year,
        track_number=staged.track_number,
        language=staged.language,
        version_of=version_of,
        guessed=guessed,
    )


def _guessed(attempt: Attempt) -> Sequence[str]:
    """What a machine heard or wrote rather than a person said, of what is known at all."""
    analysed, described = attempt.upload.analysed, attempt.upload.described
    heard = ("moods", "bpm", "key", "energy")
    known = [name for name in heard if getattr(analysed, name, None)]
    return [*known, "cover_alt"] if described else known
