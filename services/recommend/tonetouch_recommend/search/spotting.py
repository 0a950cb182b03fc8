"""Spotting: what a question names or quotes, found by its letters.

First what is cheap: each word as it is, the last one also as a beginning, the whole as the beginning of a name. Words
that stand in no name may be misspelt, and their spellings are looked up, of a few words only: nobody types a name of
five words with every one of them wrong, and a sentence about a mood is no name.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from tonetouch_contracts.finding import SearchTracks
from tonetouch_recommend.search.folding import name_key, words, words_of_name
from tonetouch_recommend.search.lexical import (
    BEGUN,
    STEEPNESS,
    Asked,
    Named,
    deletions,
    likeness,
    may_be_misspelt,
    prints,
    similarity,
    sung_share,
    weight,
)
from tonetouch_recommend.search.naming import Kind, squeezed, subject
from tonetouch_recommend.search.occurring import (
    Name,
    Occurrences,
    names_of,
    occurrences_of,
    of_both,
    others_occurring,
    spelled,
    sung,
    with_tracks,
)
from tonetouch_runtime import Floor

MOST_WORDS: Final = 10
"""Words of a question that are looked up in names."""
MOST_MISSPELT: Final = 3
MOST_MEANT: Final = 6
"""Words that a misspelt one may mean."""
NAME_WORDS: Final = 4
"""Words of a question that may all be common and a name all the same; more of them are a sentence."""
MOST_READ: Final = 32
"""Names that are compared with the question."""
LEAST: Final = 0.2
"""Below it a name has next to nothing of what was asked."""
LINE: Final = 0.95
"""What a line is worth that is sung just so: a little less than a name that is the same."""


_KINDS: Final[tuple[Kind, ...]] = ("track", "artist", "album", "playlist")
_HAVE_TRACKS: Final[Mapping[str, Literal["artist_id", "album_id"]]] = {"artist": "artist_id", "album": "album_id"}


class Spotted(msgspec.Struct, frozen=True):
    """Something found by its letters, 0 to 1, and the field it was found in."""

    subject: str
    score: float
    where: str
    name: Name
    quote: "Quote | None" = None


class Quote(msgspec.Struct, frozen=True):
    """A line that stands in a passage: the passage's number and text, the places of the first word and of the last."""

    passage: int
    text: str
    first: int
    last: int


async def spotted(command: SearchTracks, floor: Floor) -> list[Spotted]:
    """What the question names or quotes and its asker may be shown, the likeliest first; equal ones by id."""
    found = list[Spotted]()
    for kind in (kind for kind in _KINDS if f"{kind}s" in command.kinds):
        found += await _names(command.query, kind, floor)
    if "lyrics" in command.kinds:
        found += await _lines(command.query, floor)
    wanted = [one for one in found if _is_wanted(one, command)]
    empty = await _without_tracks([one.subject for one in wanted], command, floor)
    kept = [one for one in wanted if one.subject not in empty]
    return sorted(kept, key=lambda one: (-one.score, one.subject, one.where))


def _is_wanted(one: Spotted, command: SearchTracks) -> bool:
    """Whether this was asked for and is on offer; a playlist is shown to who made it."""
    kind, name = one.subject.partition(":")[0], one.name
    if kind == "track":
        on_offer = name["region"] is not None and command.region in (None, name["region"])
        clean = command.explicit_allowed or not name["explicit"]
        return on_offer and clean and ("tracks" in command.kinds or one.where == "lyrics")
    if kind == "playlist":
        return "playlists" in command.kinds and command.user_id is not None and name["owner"] == command.user_id
    return f"{kind}s" in command.kinds


async def _without_tracks(subjects: Sequence[str], command: SearchTracks, floor: Floor) -> set[str]:
    """Artists and albums of which nothing is on offer."""
    gone = set[str]()
    for kind, column in _HAVE_TRACKS.items():
        own = [of for of in subjects if of.startswith(f"{kind}:")]
        ids = [of.partition(":")[2] for of in own]
        there = await with_tracks(column, ids, command.region, command.explicit_allowed, floor)
        gone.update(of for of in own if of.partition(":")[2] not in there)
    return gone


async def _names(text: str, kind: Kind, floor: Floor) -> list[Spotted]:
    typed = list(dict.fromkeys(words_of_name(text)[:MOST_WORDS]))
    if not typed:
        return []
    key, together = name_key(text), squeezed(typed)
    is_sentence = len(typed) > NAME_WORDS
    occurring = await occurrences_of(typed, key, together, kind, floor, rare_alone=is_sentence)
    meant = await _meant([word for word in typed if not occurring.is_known(word)], occurring, floor)
    if others := list(dict.fromkeys(other for found in meant.values() for other in found)):
        occurring = occurring.with_others(await others_occurring(others, kind, floor))
    asked = Asked(
        key=key,
        together=together,
        weights={word: weight(word, common=occurring.is_common(word)) for word in typed},
        meant={word: {word: 1.0, **meant.get(word, {})} for word in typed},
        begun=typed[-1],
    )
    likely = await _likely(asked, occurring, kind, floor)
    found = ((name, likeness(asked, _named(name))) for name in (await names_of(likely, floor)).values())
    return [Spotted(name["subject"], how.score, how.field, name) for name, how in found if how.score >= LEAST]


async def _meant(unknown: Sequence[str], occurring: Occurrences, floor: Floor) -> dict[str, dict[str, float]]:
    """For words that stand in no name those they may mean. Of many unknown words none is looked up."""
    odd = [word for word in unknown if may_be_misspelt(word)]
    if occurring.whole or not 0 < len(odd) <= MOST_MISSPELT:
        return {}
    known = await spelled({key for word in odd for key in deletions(word)}, floor)
    meant = dict[str, dict[str, float]]()
    for word in odd if known else ():
        sure = {other: sureness for other in known if (sureness := similarity(word, other))}
        if best := sorted(sure, key=lambda other: (-sure[other], other))[:MOST_MEANT]:
            meant[word] = {other: sure[other] for other in best}
    return meant


async def _likely(asked: Asked, occurring: Occurrences, kind: Kind, floor: Floor) -> list[str]:
    """The names that may have enough of the question, first those that have most of it."""
    total, common = sum(asked.weights.values()), dict[str, float]()
    has, complete = dict.fromkeys(occurring.whole, 2 * total), set(occurring.whole)
    for word, weighs in asked.weights.items():
        sure = dict.fromkeys(occurring.begun if word == asked.begun else (), BEGUN)
        for other, sureness in asked.meant[word].items():
            sure |= dict.fromkeys(occurring.lists.get(other, ()), sureness)
        for name, sureness in sure.items():
            has[name] = has.get(name, 0.0) + weighs * sureness
        if full := [other for other in asked.meant[word] if occurring.is_common(other)]:
            common[full[0]] = weighs * asked.meant[word][full[0]]
        else:
            complete.update(sure)
    if len(common) > 1 and len(asked.weights) <= NAME_WORDS:
        first, second = sorted(common, key=len)[-2:]
        for name in await of_both(first, second, kind, floor):
            has[name] = max(has.get(name, 0.0), common[first] + common[second])
            complete.add(name)
    # A common word may occur in a name that was found by another one, and not be seen among the names looked at.
    unseen, enough = sum(common.values()), total * LEAST ** (1 / STEEPNESS)
    likely = [name for name, weighs in has.items() if weighs + (unseen if name in complete else 0.0) >= enough]
    return sorted(likely, key=lambda name: (-has[name], name))[:MOST_READ]


def _named(name: Name) -> Named:
    fields = {"title": name["name"], "artist": name["by"], "album": name["of"]}
    found = {field: words_of_name(text) for field, text in fields.items() if text}
    return Named(title_key=name["key"], artist_key=name_key(name["by"] or ""), words=found)


async def _lines(text: str, floor: Floor) -> list[Spotted]:
    asked = words(text)
    if len(asked) < 2:
        return []
    found = dict[tuple[str, int], Spotted]()
    for one in await sung(dict.fromkeys(prints(asked)), floor):
        share, (first, last) = sung_share(asked, words(one.text))
        if (score := LINE * share**2) >= LEAST:
            quote = Quote(one.passage, one.text, first, last)
            shown = {"region": one.region, "explicit": one.explicit}
            found[one.track_id, one.passage] = Spotted(subject("track", one.track_id), score, "lyrics", shown, quote)
    return list(found.values())
