"""Searching: published tracks by the meaning of a sentence. Answers `SearchTracks`.

A sentence is compared with every description and every passage of lyrics, and a track scores as its nearest text: both
are cosines of one model, so they can be held against each other. Names come first: somebody who types a title or an
artist means just that, and a vector cannot know. They are compared whole or by their beginning, without case and
accents, and count as 1.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Boolean,
    CompoundSelect,
    Connection,
    LargeBinary,
    Select,
    String,
    Table,
    bindparam,
    not_,
    or_,
    select,
    union,
)

from tonetouch_contracts.finding import Found, SearchTracks
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Page
from tonetouch_recommend.indexes import EMBEDDED_FOR, on_offer, passage_of
from tonetouch_recommend.indexing import Indexes
from tonetouch_recommend.learning import EmbeddingRow, ShelfRow, name_key
from tonetouch_recommend.vectors.collection import LARGEST_LIMIT, Hit, Vector
from tonetouch_runtime import Floor, Refused, Router, Unavailable, decode_cursor, encode_cursor, page_size
from tonetouch_runtime.ai import AIInputRefused, TextToEmbed, Whose

router = Router()

FEATURE: Final = "search"
MOST_CHARACTERS: Final = 500
MARGIN: Final = 10
"""How much further than its end a page looks: what lies deeper ranks behind it, but for a passage that very many
passages of a few songs crowd out."""
MOST_NAMED: Final = 50
_NAMES: Final = ("title_key", "artist_key")
SHORTEST_BEGINNING: Final = 3
"""Bytes of a name before its beginning is enough: with one letter everybody would be meant."""


@router.answers(SearchTracks)
async def search_tracks(command: SearchTracks, floor: Floor) -> Page[Found]:
    """A page of the ranking. Raises Refused for an empty or overlong sentence."""
    text = " ".join(command.query.split())
    if not text:
        raise Refused(
            "invalid", "There is nothing to search for.", "Say a title, an artist, or what it should sound like."
        )
    if len(text) > MOST_CHARACTERS:
        raise Refused(
            "invalid", f"A search is at most {MOST_CHARACTERS} characters, not {len(text)}.", "Say it shorter."
        )
    depth(command.limit, command.cursor)  # what is no page is refused before a model is asked
    await floor.get(Indexes).settled("track")
    return await find(msgspec.structs.replace(command, query=text), await _meaning(text, floor), floor)


async def find(command: SearchTracks, vector: Vector, floor: Floor) -> Page[Found]:
    """The page for a sentence whose vector is known."""
    indexes, where = floor.get(Indexes), on_offer(command.region, command.explicit_allowed)
    engine, collections = indexes.engine, indexes.collections
    deep = depth(command.limit, command.cursor)
    described = await engine.query(collections.tracks, vector, limit=deep, where=where, with_payload=False)
    sung = await engine.query(collections.lyrics, vector, limit=deep, where=where, with_payload=False)

    def look_up(connection: Connection) -> Page[Found]:
        shown = page_of(ranked(_named(command, floor, connection), described, sung), command.limit, command.cursor)
        return shown.found(_passages(shown.ranked, floor, connection))

    return await floor.read.glance(look_up)


def depth(limit: int, cursor: str | None) -> int:
    """How many of the nearest a page has to know. Raises Refused for a limit or cursor that is none."""
    return min(_start(cursor) + page_size(limit) + MARGIN, LARGEST_LIMIT)


class Ranked(msgspec.Struct, frozen=True):
    """A track with its score, where it was found, and the number of the passage if that was in its lyrics."""

    track_id: str
    score: float
    where: str
    passage: int | None = None


def ranked(named: Sequence[Ranked], described: Iterable[Hit], sung: Iterable[Hit]) -> list[Ranked]:
    """Names first in their order, then every other track by its nearest text; equal ones by id."""
    best: dict[str, Ranked] = {hit.id: Ranked(hit.id, hit.score, "description") for hit in described}
    for hit in sung:
        track_id, passage = passage_of(hit.id)
        if track_id not in best or hit.score > best[track_id].score:
            best[track_id] = Ranked(track_id, hit.score, "lyrics", passage)
    first = {one.track_id: one for one in named}
    others = [one for one in best.values() if one.track_id not in first]
    return [*first.values(), *sorted(others, key=lambda one: (-one.score, one.track_id))]


class Shown(msgspec.Struct, frozen=True):
    """One page of a ranking, before the words of its passages are known."""

    ranked: tuple[Ranked, ...]
    next_cursor: str | None

    def found(self, passages: Mapping[str, str]) -> Page[Found]:
        """The page as it is answered; `passages` are the words of those found by their lyrics, by track id."""
        items = tuple(
            Found(track_id=TrackId(one.track_id), score=one.score, where=one.where, passage=passages.get(one.track_id))
            for one in self.ranked
        )
        return Page(items=items, next_cursor=self.next_cursor)


def page_of(ranking: Sequence[Ranked], limit: int, cursor: str | None) -> Shown:
    """One page of a ranking; the cursor is where the next one begins. Raises Refused for one that is not ours."""
    size, start = page_size(limit), _start(cursor)
    more = start + size < len(ranking)
    return Shown(tuple(ranking[start : start + size]), encode_cursor(start + size) if more else None)


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    (start,) = (int(part) for part in decode_cursor(cursor, int))
    if start < 0:
        raise Refused("invalid", "The cursor is not one of ours.", "Start again without a cursor.")
    return start


async def _meaning(text: str, floor: Floor) -> Vector:
    # What a person types is theirs: the answer is shared with nobody and the text is kept nowhere.
    whose = Whose(feature=FEATURE, subject="search", share=False, keep_input=False)
    try:
        [answer] = await floor.ai.embed([TextToEmbed(text=text, subject="search")], whose)
    except AIInputRefused as error:
        raise Refused("invalid", str(error)) from None
    tracks = floor.get(Indexes).collections.tracks
    if (answer.model, answer.dimension) != (tracks.model, tracks.dimension):
        raise Unavailable(
            f"A search was embedded by {answer.model} in {answer.dimension} numbers, and the tracks by {tracks.model} "
            f"in {tracks.dimension}: the routing table (TONETOUCH_AI_ROUTES) has to give the features {FEATURE} and "
            f"{EMBEDDED_FOR} one and the same embedding model."
        )
    return answer.vector


def _named(command: SearchTracks, floor: Floor, connection: Connection) -> list[Ranked]:
    """Tracks that are called so, or whose artist is: whole names before beginnings, titles before artists."""
    key = name_key(command.query)
    if not key:
        return []
    called = _called(floor.tables.live(ShelfRow))
    # 0xFF is in no UTF-8 text: what begins with the key lies between the two.
    bounds = {"low": key, "high": key + b"\xff" if len(key) >= SHORTEST_BEGINNING else key}
    wanted = {"region": command.region, "any_region": command.region is None, "clean": not command.explicit_allowed}
    rows = connection.execute(called, {**bounds, **wanted}).all()
    ordered = sorted(rows, key=lambda row: (_nearness(row, key), row.title_key, row.track_id))[:MOST_NAMED]
    return [Ranked(row.track_id, 1.0, "title" if row.title_key.startswith(key) else "artist") for row in ordered]


@functools.cache
def _called(shelf: Table) -> CompoundSelect[Any]:
    """The first tracks whose title or artist lies between two keys; built once, for it takes longer than asking.

    One look at each name's index: asked for either of them at once, a database reads the whole shelf.
    """
    return union(*(_first_called(shelf, column) for column in _NAMES))


def _first_called(shelf: Table, column: str) -> Select[Any]:
    names = (
        select(shelf.c.track_id, shelf.c.title_key, shelf.c.artist_key)
        .where(shelf.c[column].between(bindparam("low", type_=LargeBinary), bindparam("high", type_=LargeBinary)))
        .where(or_(bindparam("any_region", type_=Boolean), shelf.c.region == bindparam("region", type_=String)))
        .where(or_(not_(bindparam("clean", type_=Boolean)), shelf.c.explicit == 0))
    )
    return select(names.order_by(shelf.c[column], shelf.c.track_id).limit(MOST_NAMED).subquery())


def _nearness(row: Any, key: bytes) -> int:
    wanted = (row.title_key == key, row.artist_key == key, row.title_key.startswith(key), True)
    return wanted.index(True)


def _passages(shown: Sequence[Ranked], floor: Floor, connection: Connection) -> Mapping[str, str]:
    wanted = {one.track_id: one.passage for one in shown if one.passage is not None}
    if not wanted:
        return {}
    rows = connection.execute(_sung(floor.tables.live(EmbeddingRow)), {"tracks": list(wanted)})
    return {row.track_id: row.text for row in rows if wanted[row.track_id] == row.passage}


@functools.cache
def _sung(embeddings: Table) -> Select[Any]:
    tracks = bindparam("tracks", type_=String, expanding=True)
    return (
        select(embeddings.c.track_id, embeddings.c.passage, embeddings.c.text)
        .where(embeddings.c.kind == "lyrics")
        .where(embeddings.c.track_id.in_(tracks))
    )
