"""The little English a sentence pattern needs: the indefinite article and lists."""

import re
from collections.abc import Sequence

# Sounds differ from letters in these; by the beginning of the word.
_VOWEL_SOUND = re.compile(r"(hour|honest|honou?r|heir)")
_CONSONANT_SOUND = re.compile(r"(eu|ewe|once\b|one\b|one-|uni(?!n|m|de)|us[ae]|usu|ut[eio]|ufo\b|uku)")
_SPELLED_WITH_VOWEL = frozenset("AEFHILMNORSX")


def article(phrase: str) -> str:
    """`a` or `an`, by how the first word of `phrase` is spoken: an hour, a union, an MP3, an 8-bit, an 1856."""
    first = re.match(r"[^\w]*([\w'’.,-]*)", phrase)
    word = first[1] if first else ""
    if word[:1].isdigit():
        return "an" if _number_begins_with_vowel(word) else "a"
    letters = re.match(r"[^\W\d_]*", word)
    if letters and _is_spelled(letters[0]):
        return "an" if letters[0][0] in _SPELLED_WITH_VOWEL else "a"
    lowered = word.lower()
    if _VOWEL_SOUND.match(lowered):
        return "an"
    if _CONSONANT_SOUND.match(lowered):
        return "a"
    return "an" if lowered[:1] in tuple("aeiouàáâäãåèéêëìíîïòóôöõøùúûüæœ") else "a"


def listed(values: Sequence[str]) -> str:
    """`one`, `one and two`, `one, two and three`."""
    if len(values) < 2:
        return "".join(values)
    return f"{', '.join(values[:-1])} and {values[-1]}"


def capitalised(sentence: str) -> str:
    """`sentence` with its first letter in upper case and everything after it untouched."""
    return sentence[:1].upper() + sentence[1:]


def _is_spelled(word: str) -> bool:
    """Capitals read letter by letter: one letter, or up to three, or any number without a vowel."""
    return word.isupper() and (len(word) <= 3 or not set(word) & set("AEIOU"))


def _number_begins_with_vowel(word: str) -> bool:
    digits = re.match(r"\d{1,3}(?:,\d{3})+|\d+", word)
    whole = digits[0] if digits else ""
    plain = whole.replace(",", "")
    if plain.startswith("8"):
        return True
    # Eleven and eighteen: alone, as thousands or millions, and as the century of a year.
    return plain[:2] in ("11", "18") and (len(plain) % 3 == 2 or (len(plain) == 4 and "," not in whole))
