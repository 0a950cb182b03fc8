"""Texts as counts of hashed character n-grams: matches spelling in any script, needs no vocabulary.

The hashing trick with signed buckets after Weinberger et al. 2009 ("Feature Hashing for Large Scale Multitask
Learning"); n-grams that stop at word borders after Bojanowski et al. 2017 ("Enriching Word Vectors with Subword
Information").
"""

import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

from tonetouch_runtime.ai.local.cleaning import MAX_REMEMBERED

DIMENSION = 768
WORD_GRAMS = (3, 4, 5)
# Where words are not set apart by spaces, a word of the language is often one or two characters.
UNSPACED_GRAMS = (1, 2)

_ACCENTS = re.compile("[\u0300-\u036f]")
_SPACE = ord(" ")
# Thai to Myanmar; then from the CJK radicals on (kana, Han, Hangul) up to the end of the ideographic planes.
_UNSPACED_RANGES = ((0x0E00, 0x10A0), (0x2E80, 0xFB00), (0x20000, 0x32000))
_SEED, _PRIME = 0xCBF29CE484222325, 0x100000001B3  # FNV-1a, 64 bit
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # finaliser of splitmix64 (Steele et al. 2014)


def hashed_ngrams(text: str) -> NDArray[np.float64]:
    """A vector of shape (768,) and length 1 for a text: signed buckets of n-grams, each weighted 1 + ln(count).

    Case and accents do not matter. A text without a single n-gram gives the bucket of the empty n-gram, so that the
    vector is never zero. The same text gives the same bits on every machine and in every process.
    """
    hashes, counts = np.unique(_mixed(_hashes(_characters(text))), return_counts=True)
    vector = np.bincount(
        (hashes % np.uint64(DIMENSION)).astype(np.intp),
        weights=np.where(hashes >> np.uint64(63), 1.0, -1.0) * (1.0 + np.log(counts)),
        minlength=DIMENSION,
    )
    length = float(np.linalg.norm(vector))
    if length < 1e-9:  # nothing to hash, or every bucket cancelled out
        vector[0], length = 1.0, 1.0
    return vector / length


def folded(text: str) -> str:
    """`text` without case, compatibility forms and the combining accents of U+0300 to U+036F."""
    # Only these marks: dropping all would also turn Japanese ga into ka and lose the vowels of Indic scripts.
    return unicodedata.normalize("NFKC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold())))


def terms(text: str) -> list[str]:
    """The words of `text`, folded; where words are not set apart by spaces, every two neighbouring characters."""
    found: list[str] = []
    for word in folded(text).translate(_WORD_CHARACTERS).split():
        if len(word) > 1 and any(start <= ord(word[0]) < end for start, end in _UNSPACED_RANGES):
            found += (word[at : at + 2] for at in range(len(word) - 1))
        else:
            found.append(word)
    return found


class _WordCharacters(dict[int, int]):
    """A translation table filled as characters are met: punctuation and separators become spaces, symbols stay."""

    def __missing__(self, code: int) -> int:
        kept = _SPACE if unicodedata.category(chr(code))[0] in "PZ" else code
        if len(self) < MAX_REMEMBERED:
            self[code] = kept
        return kept


_WORD_CHARACTERS = _WordCharacters()


def _characters(text: str) -> NDArray[np.uint64]:
    """Code points of the words, a space around each; a text of nothing but punctuation keeps its punctuation."""
    plain = folded(text)
    words = plain.translate(_WORD_CHARACTERS).split() or plain.split()
    if not words:
        return np.empty(0, np.uint64)
    return np.frombuffer(f" {' '.join(words)} ".encode("utf-32-le"), "<u4").astype(np.uint64)


def _hashes(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    unspaced = np.zeros(len(codes), np.bool_)
    for start, end in _UNSPACED_RANGES:
        unspaced |= (codes >= start) & (codes < end)
    short = [_windows(codes, length, allowed=unspaced, inner=0) for length in UNSPACED_GRAMS]
    # A space may begin or end an n-gram (it marks the word border) but never stand inside one.
    long = [_windows(codes, length, allowed=codes != _SPACE, inner=1) for length in WORD_GRAMS]
    return np.concatenate(short + long)


def _windows(codes: NDArray[np.uint64], length: int, *, allowed: NDArray[np.bool_], inner: int) -> NDArray[np.uint64]:
    """FNV-1a over every run of `length` code points whose characters (but `inner` at each end) are all allowed."""
    count = len(codes) - length + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    hashes = np.full(count, _SEED + length, np.uint64)
    kept = np.ones(count, np.bool_)
    for offset in range(length):
        hashes = (hashes ^ codes[offset : offset + count]) * np.uint64(_PRIME)
        if inner <= offset < length - inner:
            kept &= allowed[offset : offset + count]
    return hashes[kept]


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(_MIX_1)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(_MIX_2)
    return hashes ^ (hashes >> np.uint64(31))
