"""What there is to be found by its name or by a line that is sung, as tables that need no extension of a database.

Keeps `NameRow`, `WordRow` and `SpellingRow` from CATALOG (tracks, artists, albums) and LIBRARY (playlists), `LineRow`
from INGEST. Every look-up is a range of a primary key. The words, spellings and lines only lead to names and passages,
which are compared themselves: of a name that was changed its old words may stay.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from tonetouch_contracts.playlist import PlaylistCreated, PlaylistDeleted, PlaylistRenamed
from tonetouch_contracts.track import TrackPublished
from tonetouch_contracts.upload import EmbeddingDone
from tonetouch_recommend.search.folding import WORD_LETTERS, name_key, words, words_of_name
from tonetouch_recommend.search.lexical import deletions, may_be_misspelt, prints
from tonetouch_runtime import Recorded, Router, Writer

router = Router()

Kind = Literal["track", "artist", "album", "playlist"]

NAME_LETTERS = 300
SQUEEZED_WORDS = range(2, 5)
"""Of how many words a name is that is also found without its spaces."""
LINE_WORDS = 2_000
"""Words of a passage that are looked at."""
_WITHOUT_ROWID = {"sqlite_with_rowid": False}
"""The table is its primary key, in SQLite too."""


class NameRow(SQLModel, table=True):
    """Something with a name. `subject` is its kind and id. `key` is the name as it is compared.

    Of a track: `by` its artist, `of` its album, and the ids of all three. Of an album `by` is its artist, of a playlist
    `owner` who made it.
    """

    __tablename__ = "recommend_names"

    subject: str = Field(primary_key=True)
    kind: str | None = None
    name: str | None = None
    key: bytes | None = Field(default=None, index=True)
    by: str | None = None
    of: str | None = None
    track_id: str | None = None
    artist_id: str | None = Field(default=None, index=True)
    album_id: str | None = Field(default=None, index=True)
    owner: str | None = None


class WordRow(SQLModel, table=True):
    """A word that stands in a name, or in the names of a track's artist and album."""

    __tablename__ = "recommend_words"
    __table_args__: ClassVar[dict[str, bool]] = _WITHOUT_ROWID

    word: bytes = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)


class SpellingRow(SQLModel, table=True):
    """A word of a name under each of its deletion keys."""

    __tablename__ = "recommend_spellings"
    __table_args__: ClassVar[dict[str, bool]] = _WITHOUT_ROWID

    deletion: bytes = Field(primary_key=True)
    word: bytes = Field(primary_key=True)


class LineRow(SQLModel, table=True):
    """Three words in a row that are sung in a track, as a number, and the first passage they stand in."""

    __tablename__ = "recommend_lines"
    __table_args__: ClassVar[dict[str, bool]] = _WITHOUT_ROWID

    print: int = Field(primary_key=True, sa_type=BigInteger)
    track_id: str = Field(primary_key=True)
    passage: int | None = None


@router.keeps(NameRow, WordRow, SpellingRow, hears=(TrackPublished, PlaylistCreated, PlaylistRenamed, PlaylistDeleted))
def keep_names(facts: Sequence[Recorded[Any]], names: Writer, occurring: Writer, spellings: Writer) -> None:
    """Each name with the words it is found by, also those it had before: the same rows however events come together."""
    now, ever = dict[str, dict[str, Any]](), list[dict[str, Any]]()
    for fact in facts:
        if isinstance(fact.event, PlaylistDeleted):
            now.pop(gone := subject("playlist", fact.event.playlist_id), None)
            names.delete([gone])
            continue
        rows = _rows_of(fact.event)
        ever += rows
        now |= {row["subject"]: row for row in rows}
    names.upsert(list(now.values()))
    pairs = dict.fromkeys(
        (word, row["kind"], row["subject"]) for row in ever for word in (*words_of(row), *together_in(row))
    )
    occurring.insert_new(
        [{"word": word.encode("utf-8", "replace"), "kind": kind, "subject": of} for word, kind, of in pairs]
    )
    spellings.insert_new(list(_spellings(word for row in ever for word in words_of(row))))


@router.keeps(LineRow, hears=(EmbeddingDone,))
def keep_lines(facts: Sequence[Recorded[EmbeddingDone]], lines: Writer) -> None:
    """Of what is sung twice the first passage stays."""
    sung = (fact.event for fact in facts if fact.event.kind == "lyrics")
    first = dict[tuple[int, str], int]()
    for event in sung:
        for one in prints(words(event.text)[:LINE_WORDS]):
            first.setdefault((one, event.track_id), event.passage)
    lines.insert_new(
        [{"print": one, "track_id": track_id, "passage": passage} for (one, track_id), passage in first.items()]
    )


def subject(kind: Kind, id: str) -> str:  # noqa: A002 (it is one)
    """What a name is the name of."""
    return f"{kind}:{id}"


def words_of(row: Any) -> list[str]:
    """The words a row of `NameRow` is found by: of its own name, and of those beside it."""
    return [word for name in (row["name"], row["by"], row["of"]) for word in words_of_name(name or "")]


def together_in(row: Any) -> list[str]:
    """Its own name and the one of its artist without their spaces."""
    return [word for name in (row["name"], row["by"]) if (word := squeezed(words_of_name(name or "")))]


def squeezed(own: Sequence[str]) -> str:
    """Some words written together; nothing where that is no other word, or where nobody would."""
    return "".join(own)[:WORD_LETTERS] if len(own) in SQUEEZED_WORDS else ""


def _rows_of(event: TrackPublished | PlaylistCreated | PlaylistRenamed) -> list[dict[str, Any]]:
    if isinstance(event, TrackPublished):
        return _of_track(event)
    return [_row("playlist", event.playlist_id, event.name) | {"owner": event.user_id}]


def _of_track(track: TrackPublished) -> list[dict[str, Any]]:
    title = _row("track", track.track_id, track.title)
    title |= {"by": _cut(track.artist), "of": _cut(track.album)}
    title |= {name: getattr(track, name) for name in ("track_id", "artist_id", "album_id")}
    rows = [title, _row("artist", track.artist_id, track.artist)]
    if track.album and track.album_id:
        rows.append(_row("album", track.album_id, track.album) | {"by": _cut(track.artist)})
    return [row for row in rows if row["name"]]


def _row(kind: Kind, id: str, name: str) -> dict[str, Any]:  # noqa: A002 (it is one)
    blank = dict.fromkeys(("by", "of", "track_id", "artist_id", "album_id", "owner"))
    return {"subject": subject(kind, id), "kind": kind, "name": _cut(name), "key": name_key(name), **blank}


def _cut(name: str | None) -> str | None:
    return None if name is None else name[:NAME_LETTERS]


def _spellings(found: Iterable[str]) -> Iterable[dict[str, bytes]]:
    for word in dict.fromkeys(found):
        if may_be_misspelt(word):
            for deletion in deletions(word):
                yield {"deletion": deletion.encode(), "word": word.encode()}
