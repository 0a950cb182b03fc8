"""Searching: what is on offer under some words, by names, by lines, and by meaning. Answers `SearchTracks`.

What is found by letters (`spotting`) and what lies near by its vector become one ranking (`fusing`), whose top a model
may read again (`reranking`). Descriptions and
passages are compared with the question as they are, and a track scores as its nearest text: both are cosines of one
model, so they can be held against each other.
"""

import contextlib
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final, cast

import msgspec
import structlog

from tonetouch_contracts.finding import Found, FoundKind, Results, SearchTracks
from tonetouch_contracts.identity import TrackId
from tonetouch_contracts.message import Page
from tonetouch_recommend.indexes.index import cut, fits, halves, on_offer, passage_of
from tonetouch_recommend.indexes.indexing import Indexes
from tonetouch_recommend.search.fusing import Ranked, fused
from tonetouch_recommend.search.lexical import sung_at
from tonetouch_recommend.search.naming import subject
from tonetouch_recommend.search.occurring import Name, described_by, names_of, passages_of
from tonetouch_recommend.search.reranking import is_worth_asking, reranked, texts_of
from tonetouch_recommend.search.spotting import Quote, Spotted, spotted
from tonetouch_recommend.vectors.collection import LARGEST_LIMIT, Collection, Hit, Is, Term, UnfitPointError, Vector
from tonetouch_runtime import Floor, NotNow, Refused, Router, decode_cursor, encode_cursor, page_size
from tonetouch_runtime.ai import AIInputRefused, AIUnavailable, TextToEmbed, Whose

log = structlog.get_logger()
router = Router()

FEATURE: Final = "search"
MOST_CHARACTERS: Final = 500
MARGIN: Final = 10
"""How much further than its end a page looks among passages, several of which may be of one song: what lies deeper
ranks behind it, but for a passage that very many passages of a few songs crowd out."""
BY_LETTERS_ALONE: Final = (
    "Only names and lines were looked through: the model that the indexes are of cannot be asked now. "
    "`tonetouch indexes` says which setting is missing, and how far the change to another model is."
)
_MEANT: Final = frozenset(("tracks", "lyrics", "playlists"))
"""What has vectors; artists and albums have names."""


@router.answers(SearchTracks)
async def search_tracks(command: SearchTracks, floor: Floor) -> Results:
    """A page of the ranking. Raises Refused for an empty or overlong question, and for one that asks for nothing."""
    text = " ".join(command.query.split())
    if not text:
        raise Refused(
            "invalid", "There is nothing to search for.", "Say a title, an artist, or what it should sound like."
        )
    if len(text) > MOST_CHARACTERS:
        raise Refused(
            "invalid", f"A search is at most {MOST_CHARACTERS} characters, not {len(text)}.", "Say it shorter."
        )
    if not command.kinds:
        raise Refused("invalid", "A search looks for something.", "Name tracks, lyrics, artists, albums or playlists.")
    depth(command.limit, command.cursor)  # what is no page is refused before a model is asked
    await floor.get(Indexes).settled("track")
    asked = msgspec.structs.replace(command, query=text)
    means = _MEANT & set(command.kinds) and _says_something(text)
    vector = await meaning(text, floor) if means else None
    found = await find(asked, vector, floor)
    if vector is None:
        return msgspec.structs.replace(found, reason=BY_LETTERS_ALONE) if means else found
    return await _in_better_order(asked, found, floor)


async def find(command: SearchTracks, vector: Vector | None, floor: Floor) -> Results:
    """The page for a question whose vector is known; without one by letters alone."""
    if vector is not None:
        vector = floor.get(Indexes).collections.tracks.unit(vector)
    near = [] if vector is None else await nearest(command, vector, floor)
    lettered = await spotted(command, floor)
    ranked = [by_letters(one) for one in lettered]
    cosines = {} if vector is None else await _cosines(ranked, near, vector, floor)
    most = _start(command.cursor) + page_size(command.limit) + 1
    shown = page_of(fused(ranked, near, cosines, most), command.limit, command.cursor)
    quotes = {one.id: spot.quote for one, spot in zip(ranked, lettered, strict=True) if spot.quote}
    passages = await _passages(shown.ranked, quotes, floor)
    names = await _names(shown.ranked, lettered, floor)
    items = tuple(_found(one, names, passages.get(one.id)) for one in shown.ranked)
    return Results(items=items, next_cursor=shown.next_cursor, reason=None if items else _why_nothing(command))


async def _in_better_order(command: SearchTracks, found: Results, floor: Floor) -> Results:
    model = floor.get(Indexes).collections.tracks.model
    if not is_worth_asking(command, found, model):
        return found
    return await reranked(command, found, await to_read(found, model, floor), floor)


async def to_read(found: Results, model: str, floor: Floor) -> list[str]:
    """What a reranker reads of the first of these."""
    rows = await described_by([one.track_id for one in found.items if one.kind == "track"], model, floor)
    return texts_of(found.items, {track_id: row["text"] for track_id, row in rows.items()})


async def nearest(command: SearchTracks, vector: Vector, floor: Floor) -> list[Ranked]:
    """What lies near and is wanted, each list as deep as the page needs it; scored by cosine."""
    offered, found = on_offer(command.region, command.explicit_allowed), list[Ranked]()
    collections = floor.get(Indexes).collections

    async def hits(collection: Collection, where: Sequence[Term], margin: int = 1) -> list[Hit]:
        deep = depth(command.limit, command.cursor, margin)
        engine = floor.get(Indexes).engine
        return await engine.query(collection, vector, limit=deep, where=where, with_payload=False)

    if "tracks" in command.kinds:
        found += [Ranked(hit.id, hit.score, "description") for hit in await hits(collections.tracks, offered)]
    if "lyrics" in command.kinds:
        found += [_of_passage(hit) for hit in await hits(collections.lyrics, offered, MARGIN)]
    if "playlists" in command.kinds and command.user_id:
        mine = (*offered, Is("owner", cut(command.user_id)))
        found += [
            Ranked(hit.id, hit.score, "tracks", kind="playlist") for hit in await hits(collections.playlists, mine)
        ]
    return found


def depth(limit: int, cursor: str | None, margin: int = 1) -> int:
    """How many of the nearest a page has to know: one more tells that it goes on. Raises Refused for no page at all."""
    return min(_start(cursor) + page_size(limit) + margin, LARGEST_LIMIT)


class Shown(msgspec.Struct, frozen=True):
    """One page of a ranking, before the words of its passages are known."""

    ranked: tuple[Ranked, ...]
    next_cursor: str | None

    def found(self) -> Page[Found]:
        """The page as it is answered where all of it are tracks, found by their descriptions."""
        return Page(items=tuple(_found(one, {}) for one in self.ranked), next_cursor=self.next_cursor)


class _Passage(msgspec.Struct, frozen=True):
    """The words of a passage, and the characters between which the line stands that was asked for."""

    text: str
    sung: tuple[int, int] | None = None


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


def _says_something(text: str) -> bool:
    """Whether a model can make anything of it. Of punctuation alone only a name is made, such as `!!!`."""
    return any(letter.isalnum() or unicodedata.category(letter) == "So" for letter in text)


async def meaning(text: str, floor: Floor) -> Vector | None:
    """The vector of a question in the model of the indexes; None where that model cannot be asked (any more)."""
    # What a person types is theirs: the answer is shared with nobody and the text is kept nowhere.
    whose = Whose(feature=FEATURE, subject="search", share=False, keep_input=False)
    model = floor.get(Indexes).collections.tracks.model
    try:
        [answer] = await floor.ai.embed([TextToEmbed(text=text, subject="search")], whose, model=model)
    except AIInputRefused as error:
        raise Refused("invalid", str(error)) from None
    except AIUnavailable as error:
        log.warning("questions_by_letters_alone", model=model, error=str(error))
        return None
    if floor.get(Indexes).collections.tracks.model != model:
        raise NotNow(1.0, "the indexes have just changed to another embedding model")
    return answer.vector


async def _cosines(
    lettered: Sequence[Ranked], near: Sequence[Ranked], vector: Vector, floor: Floor
) -> dict[str, float]:
    """How near the descriptions of these tracks lie: exactly, however deep they lie in the index."""
    tracks, ids = floor.get(Indexes).collections.tracks, {one.id for one in lettered if one.kind == "track"}
    found = {one.id: one.score for one in near if one.where == "description" and one.id in ids}
    rows, asked = await described_by(sorted(ids - found.keys()), tracks.model, floor), tracks.unit(vector)
    for track_id, row in rows.items():
        if fits(row, tracks):
            with contextlib.suppress(UnfitPointError):  # it was refused and reported when its point was to be made
                found[track_id] = float(asked @ tracks.unit(halves(row["vector"])))
    return found


async def _names(shown: Sequence[Ranked], lettered: Sequence[Spotted], floor: Floor) -> dict[str, Name]:
    """The names of what is no track, by what they are the names of."""
    known = {one.subject: one.name for one in lettered}
    others = [subject(one.kind, one.id) for one in shown if one.kind != "track"]
    return known | await names_of([of for of in others if of not in known], floor)


def by_letters(one: Spotted) -> Ranked:
    """What was spotted as it is ranked."""
    kind, _, own = one.subject.partition(":")
    return Ranked(own, one.score, one.where, one.quote.passage if one.quote else None, cast(FoundKind, kind))


def _of_passage(hit: Hit) -> Ranked:
    track_id, passage = passage_of(hit.id)
    return Ranked(track_id, hit.score, "lyrics", passage)


async def _passages(shown: Sequence[Ranked], quotes: Mapping[str, Quote], floor: Floor) -> dict[str, _Passage]:
    """The passages that are shown, by their tracks, with the place of the line where one was asked for."""
    places = [(one.id, one.passage) for one in shown if one.passage is not None]
    quoted = [(of, quotes[of]) for of, passage in places if of in quotes and quotes[of].passage == passage]
    found = {of: _Passage(quote.text, sung_at(quote.text, quote.first, quote.last)) for of, quote in quoted}
    texts = await passages_of([place for place in places if place[0] not in found], floor)
    return found | {of: _Passage(text) for (of, _), text in texts.items()}


def _found(one: Ranked, names: Mapping[str, Name], passage: _Passage | None = None) -> Found:
    name = {} if one.kind == "track" else names.get(subject(one.kind, one.id), {})
    return Found(
        track_id=TrackId(one.id if one.kind == "track" else ""),
        score=one.score,
        where=one.where,
        passage=passage.text if passage else None,
        kind=one.kind,
        id=one.id,
        name=name.get("name"),
        by=name.get("by"),
        sung=passage.sung if passage else None,
    )


def _why_nothing(command: SearchTracks) -> str:
    if command.cursor is not None:
        return "The list ends here."
    if not _says_something(command.query):
        return "There is no word in it, and nothing is named by these signs."
    if not _MEANT & set(command.kinds):
        return f"None of the {' and '.join(command.kinds)} on offer is called that, or nearly so."
    return "Nothing that is on offer here answers this: nothing is published yet, or the filters leave nothing."
