"""How well a name answers what somebody typed: words whole, begun or misspelt; and lines by three words in a row. Pure.

Misspelt words are found by deletion keys (the idea of SymSpell, Garbe 2012: two words within one edit of each other
share a form from which a letter was left out), of the first seven letters only, and then measured: by the number of
letters to insert, delete, replace or swap with the neighbour (Damerau 1964, in the form that edits no part twice).
"""

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from tonetouch_recommend.search.folding import words

PREFIX_LETTERS: Final = 7
SHORTEST_MISSPELT: Final = 4
"""Letters: of three anything is one edit away."""
TWO_EDITS_FROM: Final = 7
IN_A_ROW: Final = 3
"""Words that make a print: two in a row stand in too many songs, four are broken by a single wrong word."""
SHORTEST_BEGINNING: Final = 3
"""Bytes of a name or word before its beginning is enough: with one letter everybody would be meant."""

BY_WORDS: Final = 0.95
"""What all the words count in whatever order: less than the name itself."""
BEGUN: Final = 0.9
"""What a word counts that is only begun."""
COMMON: Final = 0.4
"""What a word weighs that very many names share."""
STEEPNESS: Final = 3
"""The power of the share of the question's words that a name has: half of them is next to nothing."""
_FULL_LETTERS: Final = 8
_SPACED: Final = re.compile(r"\S+")
_FIELDS: Final = (("title", 1.0), ("artist", 0.97), ("album", 0.85))
"""Where a word may stand, and what it counts there: an album's name stands for many tracks."""
_COMPLETE: Final = 0.25
"""How much of the score a name gets for being nothing but what was typed."""


class Asked(msgspec.Struct, frozen=True):
    """What was typed: its words once each with their weights, and for each the words it may mean, with how surely.

    `begun` is the word that may go on: the last one. `together` are all of them without spaces, where that is a word.
    """

    key: bytes
    weights: Mapping[str, float]
    meant: Mapping[str, Mapping[str, float]]
    begun: str | None = None
    together: str = ""


class Named(msgspec.Struct, frozen=True):
    """A name with its words by field (`title`, `artist`, `album`), and the keys of the two fields that may be whole."""

    title_key: bytes
    artist_key: bytes
    words: Mapping[str, Sequence[str]]


class Likeness(msgspec.Struct, frozen=True):
    """0 to 1, and the field that speaks for it most."""

    score: float
    field: str


def weight(word: str, *, common: bool) -> float:
    """What a word of a question weighs: short ones and those that very many names share say little.

    >>> weight("of", common=True) < weight("of", common=False) < weight("lighthouse", common=False)
    True
    """
    return min(len(word), _FULL_LETTERS) / _FULL_LETTERS * (COMMON if common else 1.0)


def likeness(asked: Asked, named: Named) -> Likeness:
    """How well the name answers: whole names first, then beginnings, then by the share of the words that it has."""
    whole = _whole(asked, named)
    if whole is not None and whole.score == 1.0:
        return whole
    by_words = _by_words(asked, named)
    return whole if whole is not None and whole.score > by_words.score else by_words


def _whole(asked: Asked, named: Named) -> Likeness | None:
    key, begun, together = asked.key, len(asked.key) >= SHORTEST_BEGINNING, asked.together or asked.begun
    for score, found, field in (
        (1.0, named.title_key == key, "title"),
        (0.98, named.artist_key == key, "artist"),
        (0.93, together == "".join(named.words.get("title", ("?",))), "title"),
        (0.92, together == "".join(named.words.get("artist", ("?",))), "artist"),
        (0.9, begun and named.title_key.startswith(key), "title"),
        (0.88, begun and named.artist_key.startswith(key), "artist"),
    ):
        if found:
            return Likeness(score, field)
    return None


def _by_words(asked: Asked, named: Named) -> Likeness:
    places = dict[str, tuple[float, str]]()
    for field, counts in reversed(_FIELDS):
        places |= dict.fromkeys(named.words.get(field, ()), (counts, field))
    gained, met = {field: 0.0 for field, _ in _FIELDS}, {field: set[str]() for field, _ in _FIELDS}
    for word, weighs in asked.weights.items():
        best, field, meeting = _met(asked, word, places)
        if best:
            gained[field] += weighs * best
            met[field].add(meeting)
    total, field = sum(asked.weights.values()), max(gained, key=lambda field: gained[field])
    covered = sum(gained.values()) / total if total else 0.0
    complete = _share(met[field], named.words.get(field, ()))
    return Likeness(BY_WORDS * covered**STEEPNESS * (1 - _COMPLETE + _COMPLETE * complete), field)


def _met(asked: Asked, word: str, places: Mapping[str, tuple[float, str]]) -> tuple[float, str, str]:
    """What the word counts in these names, in which field, and the word that it met there."""
    found = [
        (sureness * places[other][0], places[other][1], other)
        for other, sureness in asked.meant[word].items()
        if other in places
    ]
    if not found and word == asked.begun and len(word.encode()) >= SHORTEST_BEGINNING:
        found = [(BEGUN * counts, field, other) for other, (counts, field) in places.items() if other.startswith(word)]
    return max(found, default=(0.0, "title", ""))


def _share(met: Iterable[str], all_words: Sequence[str]) -> float:
    letters = sum(map(len, set(all_words)))
    return sum(map(len, met)) / letters if letters else 0.0


def deletions(word: str) -> set[str]:
    """The word's first seven letters, and what is left of them without each one.

    >>> sorted(deletions("bjork"))
    ['bjok', 'bjor', 'bjork', 'bjrk', 'bork', 'jork']
    """
    head = word[:PREFIX_LETTERS]
    return {head, *(head[:at] + head[at + 1 :] for at in range(len(head)))}


def may_be_misspelt(word: str) -> bool:
    """Whether another word may have been meant: it is long enough, and made of letters."""
    return len(word) >= SHORTEST_MISSPELT and word.isalpha()


def similarity(word: str, other: str) -> float:
    """How surely the one was meant by the other, 0 to 1: 0 where more than one letter in about four is wrong.

    >>> similarity("vesterlunt", "vesterlund"), similarity("rain", "trombone")
    (0.9, 0.0)
    """
    longer = max(len(word), len(other))
    most = 2 if min(len(word), len(other)) >= TWO_EDITS_FROM else 1
    if abs(len(word) - len(other)) > most:
        return 0.0
    edits = distance(word, other)
    return 1 - edits / longer if edits <= most else 0.0


def distance(word: str, other: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour, no part edited twice.

    >>> distance("bjrok", "bjork"), distance("tchaikovsky", "chaikovski")
    (1, 2)
    """
    before, row = list[int](), list(range(len(other) + 1))
    for at, letter in enumerate(word, 1):
        older, before, row = before, row, [at]
        for to, wanted in enumerate(other, 1):
            cost = min(before[to] + 1, row[to - 1] + 1, before[to - 1] + (letter != wanted))
            if at > 1 and to > 1 and letter == other[to - 2] and word[at - 2] == wanted:
                cost = min(cost, older[to - 2] + 1)
            row.append(cost)
    return row[-1]


def prints(line: Sequence[str]) -> list[int]:
    """One number for every three words in a row, 64 bits with a sign; a shorter line is one print."""
    count = max(1, len(line) - IN_A_ROW + 1) if line else 0
    return [_print(" ".join(line[at : at + IN_A_ROW])) for at in range(count)]


def sung_share(asked: Sequence[str], passage: Sequence[str]) -> tuple[float, tuple[int, int]]:
    """How many of the words stand in the passage as part of three in a row, 0 to 1; first and last place of those.

    >>> sung_share("rain wrote your number".split(), "and rain wrote your name".split())
    (0.75, (1, 3))
    """
    row = min(IN_A_ROW, len(asked), len(passage))
    if not row:
        return 0.0, (0, 0)
    wanted = dict[tuple[str, ...], int]()
    for at, three in enumerate(_in_a_row(passage, row)):
        wanted.setdefault(three, at)
    found = {at: wanted[three] for at, three in enumerate(_in_a_row(asked, row)) if three in wanted}
    if not found:
        return 0.0, (0, 0)
    covered = {at + step for at in found for step in range(row)}
    return len(covered) / len(asked), (min(found.values()), max(found.values()) + row - 1)


def sung_at(passage: str, first: int, last: int) -> tuple[int, int] | None:
    """The characters between which the words of these places stand in a passage, the last one not included.

    >>> sung_at("The rain wrote your name", 1, 3)
    (4, 19)
    """
    before, begin = 0, None
    for found in _SPACED.finditer(passage):
        before += len(_words_in(found[0]))
        if begin is None and before > first:
            begin = found.start()
        if begin is not None and before > last:
            return begin, found.end()
    return None


def _in_a_row(words: Sequence[str], count: int) -> Iterable[tuple[str, ...]]:
    """Every so many neighbours, in their order."""
    return zip(*(words[step:] for step in range(count)), strict=False)


@functools.lru_cache(maxsize=16_384)  # the few words that most lines are made of
def _words_in(spaced: str) -> tuple[str, ...]:
    return tuple(words(spaced))


def _print(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big", signed=True)
