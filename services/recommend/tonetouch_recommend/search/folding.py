"""Names and words in the form they are compared in: what people cannot or do not type is folded away. Pure.

Case, accents and letters that are no accented ones (Ø, æ, ß, ł, đ, þ) go, in Latin and Greek; the letters of other
scripts stay what they are, й and が included. Only what nobody types goes there too: vowel points of Arabic and Hebrew,
stress marks of Russian.
"""

import functools
import re
import unicodedata
from typing import Final

NAME_BYTES: Final = 200
"""How much of a name is compared: a tag may be a megabyte long, an index entry may not."""

MOST_WORDS: Final = 24
"""Words of a name that are kept."""

WORD_LETTERS: Final = 40
"""Letters of a word that are compared."""

_LETTERS: Final = str.maketrans(
    {
        "ø": "o",
        "æ": "ae",
        "œ": "oe",
        "ß": "ss",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "ŋ": "n",
        "ŧ": "t",
        "ı": "i",
        # Arabic letters that other languages write differently, and people at will.
        "ى": "ي",
        "ی": "ي",
        "ک": "ك",
        "ة": "ه",
        "ـ": None,
    }
)
# The short и, the short у and the ї are letters of their own, not accented ones.
_MARKS: Final = re.compile(
    "([иу]\u0306|і\u0308)|[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]"
)
_UNSPACED: Final = "\u0e00-\u109f\u2e80-\ufaff\U00020000-\U00031fff"
"""Thai to Myanmar, and the CJK scripts: words are not set apart by spaces there."""
_RUNS: Final = re.compile(f"([{_UNSPACED}]+)|[^\\s{_UNSPACED}]+")
_INSIDE: Final = re.compile(r"(?<=\w)[$!](?=\w)")
_APOSTROPHES: Final = str.maketrans(dict.fromkeys("'’ʼ`´ʻ", None))
_SPELLED: Final = {"$": "s", "!": "i"}


class _Signs(dict[int, int]):
    """A translation table filled as characters are met: punctuation, symbols and separators become spaces."""

    def __missing__(self, code: int) -> int:
        kept = 0x20 if unicodedata.category(chr(code))[0] in "PZSC" else code
        if len(self) < 20_000:  # texts that try all 1.1 million characters must not fill the memory
            self[code] = kept
        return kept


_SIGNS = _Signs()
_ASCII: Final = {code: _SIGNS[code] for code in range(128)} | {ord("&"): " and "} | _APOSTROPHES
"""The same of ASCII in one pass, which most texts are."""


def folded(text: str) -> str:
    """The text without case, accents and letters few people type.

    >>> folded("Ænima ÅSA Straße Łódź İstanbul Þórr Ёлка йод")
    'aenima asa strasse lodz istanbul thorr елка йод'
    """
    plain = text.casefold()
    if plain.isascii():
        return plain
    bare = _MARKS.sub(lambda found: found[1] or "", unicodedata.normalize("NFKD", plain))
    return unicodedata.normalize("NFKC", bare.translate(_LETTERS)).casefold()


def name_key(name: str) -> bytes:
    """A name as it is compared whole: folded, without extra spaces; in bytes, whose order is the same everywhere.

    >>> name_key("  Björk ") == name_key("bjork")
    True
    """
    return " ".join(folded(name[: 4 * NAME_BYTES]).split()).encode("utf-8", "replace")[:NAME_BYTES]


def words(text: str) -> list[str]:
    """The folded words of a text, in their order; where words are not set apart, every two neighbouring letters.

    >>> words("Don't P!nk A$AP AC/DC 音楽の海")
    ['dont', 'pink', 'asap', 'ac', 'dc', '音楽', '楽の', 'の海']
    """
    spelled = folded(text)
    if "$" in spelled or "!" in spelled:
        spelled = _INSIDE.sub(lambda found: _SPELLED[found[0]], spelled)
    if spelled.isascii():
        return [word[:WORD_LETTERS] for word in spelled.translate(_ASCII).split()]
    plain = spelled.translate(_APOSTROPHES).replace("&", " and ").translate(_SIGNS)
    if plain.isascii():
        return [word[:WORD_LETTERS] for word in plain.split()]
    return [word[:WORD_LETTERS] for run in _RUNS.finditer(plain) for word in _parted(run[0], unspaced=bool(run[1]))]


def _parted(run: str, *, unspaced: bool) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] if unspaced and len(run) > 1 else [run]


@functools.lru_cache(maxsize=8192)
def words_of_name(name: str) -> tuple[str, ...]:
    """The words a name is found by. One that is made of signs only is one word: `!!!` and `÷` are names."""
    if found := words(name[: 4 * NAME_BYTES])[:MOST_WORDS]:
        return tuple(found)
    signs = name_key(name).decode("utf-8", "ignore")
    return (signs[:WORD_LETTERS],) if signs else ()
