"""'About this track': which facts there are, and the patterns they are told in. Data; the engine does the rest.

Prompt ``about-track@1``. Every sentence stands on facts alone, and cites them.
"""

from collections.abc import Iterator

from tonetouch_contracts.upload import AudioAnalysed, AudioStaged
from tonetouch_runtime.ai.local import Fact, Pattern, Template

PROMPT = "about-track@1"

TEMPLATE: Template = (
    (
        Pattern("{title} is {genre:a} piece by {artist}, from {album}.", needs=("title", "genre", "artist", "album")),
        Pattern("{title} by {artist} is {genre:a} recording.", needs=("title", "artist", "genre")),
        Pattern("{title} is a recording by {artist}, from {album}.", needs=("title", "artist", "album")),
        Pattern("{title} is a recording by {artist}.", needs=("title", "artist")),
    ),
    (
        Pattern("It dates from {year}.", needs=("year",)),
        Pattern("The file gives {year} as its year.", needs=("year",)),
    ),
    (
        Pattern("It lasts {length} and moves at about {tempo} beats per minute.", needs=("length", "tempo")),
        Pattern("It lasts {length}.", needs=("length",)),
    ),
    (
        Pattern("To our ears it stands in {key} and feels {mood}.", needs=("key", "mood")),
        Pattern("It feels {mood}.", needs=("mood",)),
        Pattern("To our ears it stands in {key}.", needs=("key",)),
    ),
    (Pattern("Its loudness is {loudness} LUFS.", needs=("loudness",)),),
    (Pattern("Lyrics come with it.", needs=("lyrics",)),),
)


def facts_of(staged: AudioStaged, analysed: AudioAnalysed) -> list[Fact]:
    """What is known of the track, numbered in a fixed order. Unknown things are not facts."""
    return [
        Fact(id=f"F{number}", name=name, value=value)
        for number, (name, value) in enumerate(_known(staged, analysed), 1)
    ]


def _known(staged: AudioStaged, analysed: AudioAnalysed) -> Iterator[tuple[str, str]]:
    yield "title", staged.title
    if "artist" not in staged.guessed:
        yield "artist", staged.artist
    if staged.album:
        yield "album", staged.album
    yield from (("genre", genre) for genre in staged.genres[:1])
    if staged.year:
        yield "year", str(staged.year)
    minutes, seconds = divmod(round(analysed.duration_seconds), 60)
    yield "length", f"{minutes}:{seconds:02}"
    if analysed.bpm:
        yield "tempo", f"{analysed.bpm:.0f}"
    if analysed.key:
        yield "key", analysed.key
    yield from (("mood", mood) for mood in analysed.moods[:3])
    if analysed.loudness_lufs is not None:
        yield "loudness", f"{analysed.loudness_lufs:.0f}"
    if staged.lyrics:
        yield "lyrics", "synced" if staged.lyrics_synced else "plain"
