"""What a text says to a reader who is not fooled by its spelling: the same words without what hides them.

Look-alike letters of other scripts, digits and signs in the place of letters, letters set apart, letters repeated.
"""

import re

from tonetouch_runtime.ai.local.cleaning import cleaned
from tonetouch_runtime.ai.local.ngrams import folded

# Letters of other scripts that look like Latin ones once they are folded: a choice from the confusables of UTS 39.
_LOOKALIKES = str.maketrans(
    dict(zip("аеорсухкіјѕԁһԛԝ", "aeopcyxkijsdhqw", strict=True))
    | dict(zip("αερτυνοικη", "aeptuvoikn", strict=True))
    | dict(zip("ɡıłøđ", "gilod", strict=True))
)
_SIGNS = str.maketrans("013457@$!|€", "oieastasiie")
_WITH_SIGNS = re.compile(r"[a-z0-9@$!|€]+")
_LETTERS_APART = re.compile(r"(?<![^\W_])(?:(?:[^\W_]|[@$!|€])[ .\-_*~·•/]{1,3}){2,40}(?:[^\W_]|[@$!|€])(?![^\W_])")
_NOT_LETTERS = re.compile(r"[\W_]+")
_THRICE = re.compile(r"(.)\1{2,}")
_APOSTROPHE = "['’ʼ`´]"
_SHORT_FORMS = (
    (re.compile(rf"\bi{_APOSTROPHE}?m\b"), "i am"),
    (re.compile(rf"\b(i|we|you|he|she|they){_APOSTROPHE}ll\b"), r"\1 will"),
    (re.compile(rf"\b(we|you|they){_APOSTROPHE}re\b"), r"\1 are"),
    (re.compile(rf"\b(that|here|it|he|she){_APOSTROPHE}s\b"), r"\1 is"),
    (re.compile(_APOSTROPHE), ""),
)


def readings(text: str) -> tuple[str, ...]:
    """The ways to read `text`, the plain one first: lower-case words with one space between, no punctuation.

    Every later reading takes one more disguise off; those that show nothing new are left out.
    """
    visible = folded(cleaned(text, limit=len(text)))
    latin = visible.translate(_LOOKALIKES)
    joined = _LETTERS_APART.sub(lambda apart: _NOT_LETTERS.sub("", apart[0]), latin)
    unsigned = _WITH_SIGNS.sub(_unsigned, joined)
    again = _LETTERS_APART.sub(lambda apart: _NOT_LETTERS.sub("", apart[0]), unsigned)
    found = [_words(form) for form in (visible, latin, joined, unsigned, again)]
    return tuple(dict.fromkeys(found))


def shrunk(reading: str) -> str | None:
    """The reading with no letter more than twice in a row; null where none was. Each may stand for one or for two."""
    twice = _THRICE.sub(r"\1\1", reading)
    return twice if twice != reading else None


def _unsigned(word: re.Match[str]) -> str:
    """Signs as letters, where there are letters beside them: a number stays a number."""
    return word[0].rstrip("!|").translate(_SIGNS) if any("a" <= sign <= "z" for sign in word[0]) else word[0]


def _words(text: str) -> str:
    for short, full in _SHORT_FORMS:
        text = short.sub(full, text)
    return _NOT_LETTERS.sub(" ", text).strip()
