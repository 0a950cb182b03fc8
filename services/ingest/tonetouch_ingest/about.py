"""'About this track': what an upload knows to write of. Pure; the words are somebody else's business."""

from collections.abc import Iterator

from tonetouch_contracts.copy import Known
from tonetouch_contracts.upload import AudioAnalysed, AudioStaged


def known_of(staged: AudioStaged, analysed: AudioAnalysed) -> tuple[Known, ...]:
    """What is known of the track, in a fixed order. Unknown things are not facts, and a guessed artist is unknown."""
    return (
        *(Known(name=name, value=value, source=f"audio.staged.{staged.track_id}") for name, value in _said(staged)),
        *(
            Known(name=name, value=value, source=f"audio.analysed.{staged.track_id}")
            for name, value in _heard(analysed)
        ),
    )


def _said(staged: AudioStaged) -> Iterator[tuple[str, str]]:
    yield "title", staged.title
    if "artist" not in staged.guessed:
        yield "artist", staged.artist
    if staged.album:
        yield "album", staged.album
    yield from (("genre", genre) for genre in staged.genres[:1])
    if staged.year:
        yield "year", str(staged.year)
    if staged.lyrics:
        yield "lyrics", "synced" if staged.lyrics_synced else "plain"


def _heard(analysed: AudioAnalysed) -> Iterator[tuple[str, str]]:
    minutes, seconds = divmod(round(analysed.duration_seconds), 60)
    yield "length", f"{minutes}:{seconds:02}"
    if analysed.bpm:
        yield "tempo", f"{analysed.bpm:.0f}"
    if analysed.key:
        yield "key", analysed.key
    yield from (("mood", mood) for mood in analysed.moods[:3])
    if analysed.loudness_lufs is not None:
        yield "loudness", f"{analysed.loudness_lufs:.0f}"
