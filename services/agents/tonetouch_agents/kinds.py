"""The kinds of text there are: which prompt asks a model for one, and the patterns the embedded writer tells it in.

Data. Every pattern says only what its facts say; the engine leaves out what it has no facts for.
"""

import re
from collections.abc import Iterator, Sequence

from tonetouch_contracts.copy import CitedFact, CopyKind
from tonetouch_runtime.ai.local import Pattern, Template

PROMPTS: dict[CopyKind, str] = {
    "artist_bio": "artist-bio",
    "album_review": "album-review",
    "track_notes": "track-notes",
    "about_track": "about-track",
}
"""The prompt of each kind."""

ABOUT_TRACK: Template = (
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

ARTIST_BIO: Template = (
    (
        Pattern("{artist} is here with {tracks} from {albums}.", needs=("artist", "tracks", "albums")),
        Pattern("This catalogue holds {tracks} by {artist}, from {albums}.", needs=("artist", "tracks", "albums")),
        Pattern("{artist} is here with {tracks}.", needs=("artist", "tracks")),
    ),
    (Pattern("{album:The album is/The albums are} {album}.", needs=("album",)),),
    (
        Pattern("The music is filed under {genre}.", needs=("genre",)),
        Pattern("Those who tagged it called it {genre}.", needs=("genre",)),
    ),
    (
        Pattern("The recordings date from {first_year} to {last_year}.", needs=("first_year", "last_year")),
        Pattern("The recordings date from {year}.", needs=("year",)),
    ),
    (Pattern("To our ears much of it feels {mood}.", needs=("mood",)),),
)

ALBUM_REVIEW: Template = (
    (
        Pattern("{album} is {main_genre:a} album by {artist}.", needs=("album", "main_genre", "artist")),
        Pattern("{album} is an album by {artist}.", needs=("album", "artist")),
    ),
    (
        Pattern("It holds {tracks} and lasts {length}.", needs=("tracks", "length")),
        Pattern("There are {tracks} on it, and it lasts {length}.", needs=("tracks", "length")),
    ),
    (
        Pattern("Its recordings date from {first_year} to {last_year}.", needs=("first_year", "last_year")),
        Pattern("It dates from {year}.", needs=("year",)),
    ),
    (Pattern("It opens with {opening} and closes with {closing}.", needs=("opening", "closing")),),
    (
        Pattern(
            "The slowest piece is {slowest}, at about {slowest_tempo} beats per minute; "
            "the fastest is {fastest}, at about {fastest_tempo}.",
            needs=("slowest", "slowest_tempo", "fastest", "fastest_tempo"),
        ),
    ),
    (Pattern("To our ears much of it feels {mood}.", needs=("mood",)),),
)

_TITLE = re.compile(r"(track_[0-9]+_)title")


def template_of(kind: CopyKind, facts: Sequence[CitedFact]) -> Template:
    """The patterns of a kind; of notes there are as many as there are tracks."""
    match kind:
        case "artist_bio":
            return ARTIST_BIO
        case "album_review":
            return ALBUM_REVIEW
        case "about_track":
            return ABOUT_TRACK
        case "track_notes":
            return tuple(_notes(facts))


def _notes(facts: Sequence[CitedFact]) -> Iterator[Sequence[Pattern]]:
    for fact in facts:
        if found := _TITLE.fullmatch(fact.name):
            yield tuple(_note(found[1]))


def _note(prefix: str) -> Iterator[Pattern]:
    """What is said of one track, from the fullest to the barest."""
    sayings = (
        ("{title} lasts {length}, stands in {key} and moves at about {tempo} beats per minute.", ("key", "tempo")),
        ("{title} lasts {length} and moves at about {tempo} beats per minute.", ("tempo",)),
        ("{title} lasts {length} and stands in {key}.", ("key",)),
        ("{title} lasts {length}.", ()),
    )
    for text, more in sayings:
        needs = ("title", "length", *more)
        for name in needs:
            text = text.replace(f"{{{name}}}", f"{{{prefix}{name}}}")
        yield Pattern(text, needs=tuple(f"{prefix}{name}" for name in needs))
