"""Where the objects of an upload lie, and what becomes of them at its end.

What came with one upload lies under ``incoming/<id>`` and goes with it. Under ``image/`` and ``lyrics/`` tracks share
what is the same; only publishing writes there, so an upload that is rejected or a duplicate has nothing to take back
that might be another's. Audio goes to ``audio/<sha256>`` before it is known whether it stays: whose bytes they are
decides there. Those of a duplicate by its sound stay, and its cover under ``incoming/``: a person may want both.
"""

from tonetouch_contracts.identity import TrackId
from tonetouch_ingest.content import Content
from tonetouch_ingest.upload import Upload
from tonetouch_runtime import Floor


def audio_key(sha256: str) -> str:
    """Where a recording's bytes stay."""
    return f"audio/{sha256}"


def image_key(sha256: str) -> str:
    """Where the cover of a published track stays."""
    return f"image/{sha256}"


def lyrics_key(sha256: str) -> str:
    """Where the lyrics of a published track stay."""
    return f"lyrics/{sha256}"


def picture_key(track_id: TrackId) -> str:
    """Where the accepted cover of an upload lies until it is published."""
    return f"incoming/{track_id}.picture"


async def shelve(upload: Upload, floor: Floor) -> None:
    """Put what a published track needs where it stays. Doing it again changes nothing. Raises ObjectMissing."""
    started, staged = upload.started, upload.staged
    assert started is not None and staged is not None, "publish waits for stage"
    await _settle(started.object_key, audio_key(started.sha256), floor)
    if staged.cover is not None:
        await _settle(picture_key(upload.track_id), image_key(staged.cover.sha256), floor)
    if staged.lyrics is not None and staged.lyrics_sha256 is not None:
        key = lyrics_key(staged.lyrics_sha256)
        await floor.objects.put(key, staged.lyrics.encode(), "text/plain; charset=utf-8")


async def tidy(upload: Upload, floor: Floor) -> None:
    """Remove what came with an upload and has been copied to where it stays, or been read."""
    if (started := upload.started) is not None:
        for key in filter(None, (started.object_key, started.cover_key, started.lyrics_key)):
            await floor.objects.delete(key)


async def discard(upload: Upload, floor: Floor, *, audio: bool) -> None:
    """Remove what came with an upload; its audio too, unless those bytes belong to another track."""
    started = upload.started
    if started is None:
        return
    await tidy(upload, floor)
    await floor.objects.delete(picture_key(upload.track_id))
    # An upload that was not staged has put no audio there: under the hash it claims may lie another's.
    if audio and upload.staged is not None and not await _is_wanted(upload, floor):
        await floor.objects.delete(audio_key(started.sha256))


async def _settle(source: str, target: str, floor: Floor) -> None:
    """Copy, unless that was done before: a killed process may have tidied up already."""
    if await floor.objects.head(target) is None:
        await floor.objects.copy(source, target)


async def _is_wanted(upload: Upload, floor: Floor) -> bool:
    """Whether the bytes belong to another upload that keeps them, or still may.

    Where that one is rejected, whoever of the two ends later removes them.
    """
    assert upload.started is not None, "only what was staged is asked for"
    holder = (await floor.log.load("INGEST", upload.started.sha256, Content())).state.claimed_by
    if holder is None or holder == upload.track_id:
        return False
    other = (await floor.log.load("INGEST", holder, Upload())).state
    return not other.is_rejected
