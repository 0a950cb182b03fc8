"""Occurring: which words occur in which names, and lines in which passages, looked up in their tables.

Each look-up is a few ranges of a key in one statement, which is put together once for each number of words.
"""

import functools
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    bindparam,
    literal_column,
    or_,
    select,
    union_all,
)

from tonetouch_recommend.learning import EmbeddingRow, ShelfRow
from tonetouch_recommend.search.lexical import SHORTEST_BEGINNING
from tonetouch_recommend.search.naming import Kind, LineRow, NameRow, SpellingRow, WordRow
from tonetouch_runtime import Floor

MOST_NAMES: Final = 32
"""Names of one word that are looked at; a word that stands in more is common."""
MOST_LINES: Final = 64
MOST_QUOTED: Final = 32
"""Passages that are compared with the question."""
MOST_SPELLINGS: Final = 256
MOST_OF_BOTH: Final = 500
"""Names with one common word of which it is looked whether another stands in them too: a microsecond each."""
_AFTER: Final = b"\xff"
"""In no UTF-8 text: what begins with a key lies between it and the key with this behind it."""

Place = tuple[str, int]
"""A track and the number of a passage of its lyrics."""
Name = Mapping[str, Any]


class Occurrences(msgspec.Struct, frozen=True):
    """The names each word stands in, `MOST_NAMES` at most.

    `begun` are those with a word that goes on from the last one, `whole` those that begin with all of it or are the
    same but for spaces.
    """

    lists: Mapping[str, Sequence[str]]
    begun: Sequence[str] = ()
    whole: Sequence[str] = ()
    common: frozenset[str] = frozenset()

    def is_common(self, word: str) -> bool:
        """Whether it stands in more names than were looked at."""
        return word in self.common or len(self.lists.get(word, ())) >= MOST_NAMES

    def is_known(self, word: str) -> bool:
        """Whether it stands in any name."""
        return word in self.common or word in self.lists

    def with_others(self, lists: Mapping[str, Sequence[str]]) -> "Occurrences":
        """The same with more words."""
        return msgspec.structs.replace(self, lists={**self.lists, **lists})


class CommonWords:
    """Words that are known to be common. No word is ever taken out of a name again, so none ceases to be."""

    def __init__(self) -> None:
        self._of: dict[Kind, set[str]] = {}

    def among(self, words: Iterable[str], kind: Kind) -> frozenset[str]:
        """Those of the words that are common in names of this kind, as far as is known."""
        return frozenset(self._of.setdefault(kind, set()).intersection(words))

    def add(self, words: Iterable[str], kind: Kind) -> None:
        """Remember that these are."""
        self._of.setdefault(kind, set()).update(words)


@asynccontextmanager
async def knowing_common_words(_: Floor) -> AsyncIterator[CommonWords]:
    """What has been learned of words, for as long as the process lives."""
    yield CommonWords()


async def occurrences_of(
    words: Sequence[str], key: bytes, together: str, kind: Kind, floor: Floor, *, rare_alone: bool
) -> Occurrences:
    """In which names of this kind these words occur, the last also as a beginning, and which begin with the key.

    With `rare_alone` the names of common words are not told, and not read where the words are known to be common.
    """
    common = floor.get(CommonWords).among(words, kind) if rare_alone else frozenset[str]()
    looked = [word for word in words if word not in common]
    exact, last = [*looked, together], words[-1].encode()  # no word is empty: without it that slot finds nothing
    values = _words(exact) | {"kind": kind, "low": last, "high": _after(last), "key": key, "after": _after(key)}
    statement = _named(floor.tables.live(WordRow), floor.tables.live(NameRow), len(exact))
    slots = dict[int, list[str]]()
    for slot, name in await floor.read.look(statement, values):
        slots.setdefault(slot, []).append(name)
    count, lists = len(looked), {word: slots[place] for place, word in enumerate(looked) if place in slots}
    if rare_alone and (found := [word for word, names in lists.items() if len(names) >= MOST_NAMES]):
        floor.get(CommonWords).add(found, kind)
        common |= {*found}
    return Occurrences(
        lists={word: names for word, names in lists.items() if word not in common},
        begun=slots.get(count + 1, ()),
        whole=[*slots.get(count + 2, ()), *slots.get(count, ())],
        common=common,
    )


async def others_occurring(words: Sequence[str], kind: Kind, floor: Floor) -> dict[str, list[str]]:
    """In which names of this kind these words occur, and nothing else."""
    found: dict[str, list[str]] = {word: [] for word in words}
    statement = _occurring(floor.tables.live(WordRow), len(words))
    for slot, name in await floor.read.look(statement, {**_words(words), "kind": kind}):
        found[words[slot]].append(name)
    return found


async def of_both(first: str, second: str, kind: Kind, floor: Floor) -> list[str]:
    """Names of this kind that two common words occur in."""
    both = _both(floor.tables.live(WordRow))
    rows = await floor.read.look(both, {"first": first.encode(), "second": second.encode(), "kind": kind})
    return [name for (name,) in rows]


async def spelled(keys: Iterable[str], floor: Floor) -> set[str]:
    """Words that have one of these deletion keys."""
    asked = _spelled(floor.tables.live(SpellingRow))
    return {bytes(word).decode() for (word,) in await floor.read.look(asked, {"keys": [key.encode() for key in keys]})}


class Sung(msgspec.Struct, frozen=True):
    """A passage of a track that is on a shelf: its number and words, and where the track may be shown."""

    track_id: str
    passage: int
    text: str
    region: str
    explicit: int


async def sung(prints: Iterable[int], floor: Floor) -> list[Sung]:
    """Passages with these prints: `MOST_QUOTED` at most, first those with most of the prints."""
    live, counts = floor.tables.live, Counter[Place]()
    counts.update(await floor.read.look(_printed(live(LineRow)), {"prints": list(prints)}))
    most = sorted(counts, key=lambda place: (-counts[place], place))[:MOST_QUOTED]
    if not most:
        return []
    tracks = list(dict.fromkeys(track_id for track_id, _ in most))
    rows = await floor.read.look(_quoted(live(EmbeddingRow), live(ShelfRow)), {"tracks": tracks})
    quoted = {(row[0], row[1]): Sung(*row) for row in rows}
    return [quoted[place] for place in most if place in quoted]


async def names_of(subjects: Sequence[str], floor: Floor) -> dict[str, Name]:
    """The rows of these names, in their order; of tracks that are on offer also `region` and `explicit`."""
    if not subjects:
        return {}
    named = _rows_named(floor.tables.live(NameRow), floor.tables.live(ShelfRow))
    columns = [column.name for column in named.selected_columns]
    rows = await floor.read.look(named, {"subjects": list(subjects)})
    found = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    return {one: found[one] for one in subjects if one in found}


async def with_tracks(
    column: Literal["artist_id", "album_id"],
    ids: Sequence[str],
    region: str | None,
    explicit_allowed: bool,
    floor: Floor,
) -> set[str]:
    """Those of the artists or albums of which a track is on offer to somebody here."""
    if not ids:
        return set()
    tracks = _tracks_of(floor.tables.live(NameRow), floor.tables.live(ShelfRow), column)
    values = {"ids": list(ids), "region": region or "", "anywhere": region is None, "explicit": int(explicit_allowed)}
    return {own for (own,) in await floor.read.look(tracks, values)}


async def passages_of(places: Iterable[Place], floor: Floor) -> dict[Place, str]:
    """The words of these passages."""
    wanted = set(places)
    tracks = sorted({track_id for track_id, _ in wanted})
    if not tracks:
        return {}
    rows = await floor.read.look(_passages(floor.tables.live(EmbeddingRow)), {"tracks": tracks})
    return {(track_id, passage): text for track_id, passage, text in rows if (track_id, passage) in wanted}


async def described_by(track_ids: Sequence[str], model: str, floor: Floor) -> dict[str, Mapping[str, Any]]:
    """The descriptions of these tracks, as this model embedded them: `text`, `model` and `vector`."""
    if not track_ids:
        return {}
    described = _described(floor.tables.live(EmbeddingRow))
    rows = await floor.read.look(described, {"tracks": list(track_ids)})
    found = (dict(zip(("track_id", "text", "model", "vector"), row, strict=True)) for row in rows)
    # Asked for the model too, SQLite would read every row of that model instead of these tracks' few.
    return {row["track_id"]: row for row in found if row["model"] == model}


def _after(beginning: bytes) -> bytes:
    return beginning + _AFTER if len(beginning) >= SHORTEST_BEGINNING else beginning


def _words(words: Sequence[str]) -> dict[str, bytes]:
    return {f"word{place}": word.encode() for place, word in enumerate(words)}


def _bytes(name: str, *, expanding: bool = False) -> BindParameter[Any]:
    return bindparam(name, type_=LargeBinary(), expanding=expanding)


@functools.cache
def _named(words: Table, names: Table, count: int) -> CompoundSelect[Any]:
    longer = words.c.word > _bytes("low"), words.c.word < _bytes("high"), _of_kind(words)
    begun = select(words.c.subject).where(*longer).order_by(words.c.word)
    called = names.c.key.between(_bytes("key"), _bytes("after"))
    whole = select(names.c.subject).where(called, _of_kind(names)).order_by(names.c.key, names.c.subject)
    exact = [_of_word(words, f"word{place}") for place in range(count)]
    return union_all(*(_slot(place, part) for place, part in enumerate((*exact, begun, whole))))


@functools.cache
def _occurring(words: Table, count: int) -> CompoundSelect[Any]:
    return union_all(*(_slot(place, _of_word(words, f"word{place}")) for place in range(count)))


def _of_word(words: Table, name: str) -> Select[Any]:
    return select(words.c.subject).where(words.c.word == _bytes(name), _of_kind(words)).order_by(words.c.subject)


def _of_kind(table: FromClause) -> ColumnElement[bool]:
    return table.c.kind == bindparam("kind", type_=String())


def _slot(place: int, part: Select[Any]) -> Select[Any]:
    found = part.limit(MOST_NAMES).subquery()
    return select(literal_column(str(place)), found.c.subject)


@functools.cache
def _both(words: Table) -> Select[Any]:
    some, second = _of_word(words, "first").limit(MOST_OF_BOTH).subquery(), words.alias("second")
    same = (second.c.word == _bytes("second")) & _of_kind(second) & (second.c.subject == some.c.subject)
    return select(some.c.subject).join(second, same).order_by(some.c.subject).limit(MOST_NAMES)


@functools.cache
def _spelled(spellings: Table) -> Select[Any]:
    wanted = spellings.c.deletion.in_(_bytes("keys", expanding=True))
    return select(spellings.c.word).where(wanted).limit(MOST_SPELLINGS)


@functools.cache
def _printed(lines: Table) -> Select[Any]:
    wanted = lines.c.print.in_(bindparam("prints", type_=BigInteger(), expanding=True))
    found = select(lines.c.track_id, lines.c.passage).where(wanted)
    return found.order_by(lines.c.print, lines.c.track_id).limit(MOST_LINES)


@functools.cache
def _quoted(embeddings: Table, shelf: Table) -> Select[Any]:
    columns = embeddings.c.track_id, embeddings.c.passage, embeddings.c.text, shelf.c.region, shelf.c.explicit
    quoted = select(*columns).join(shelf, shelf.c.track_id == embeddings.c.track_id)
    return quoted.where(*_texts(embeddings, "lyrics"))


@functools.cache
def _rows_named(names: Table, shelf: Table) -> Select[Any]:
    on_offer = names.outerjoin(shelf, shelf.c.track_id == names.c.track_id)
    wanted = names.c.subject.in_(bindparam("subjects", type_=String(), expanding=True))
    return select(*names.columns, shelf.c.region, shelf.c.explicit).select_from(on_offer).where(wanted)


@functools.cache
def _tracks_of(names: Table, shelf: Table, column: str) -> Select[Any]:
    own = names.c[column]
    here = or_(bindparam("anywhere", type_=Boolean()), shelf.c.region == bindparam("region", type_=String()))
    of_them = own.in_(bindparam("ids", type_=String(), expanding=True))
    clean = shelf.c.explicit <= bindparam("explicit", type_=Integer())
    return select(own).join(shelf, shelf.c.track_id == names.c.track_id).where(of_them, here, clean).distinct()


@functools.cache
def _passages(embeddings: Table) -> Select[Any]:
    sung = _texts(embeddings, "lyrics")
    return select(embeddings.c.track_id, embeddings.c.passage, embeddings.c.text).where(*sung)


@functools.cache
def _described(embeddings: Table) -> Select[Any]:
    described = _texts(embeddings, "description")
    columns = (embeddings.c.track_id, embeddings.c.text, embeddings.c.model, embeddings.c.vector)
    return select(*columns).where(*described)


def _texts(embeddings: Table, kind: str) -> tuple[Any, Any]:
    tracks = bindparam("tracks", type_=String(), expanding=True)
    return embeddings.c.track_id.in_(tracks), embeddings.c.kind == kind
