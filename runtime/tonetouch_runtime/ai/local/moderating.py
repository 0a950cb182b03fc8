"""Whether a text may be shown: phrases by category, looked for under several spellings, and numbers that are private.

What it cannot see: meaning. Irony, quotation, reporting, fiction and slang look the same to it as a threat; a hazard
in other words than its few phrases, in another language than English, spread over several texts or in an image, a
sound or a link passes. Whether a claim is false (S5, S13) or a work is somebody's (S8) cannot be read off a text.
So `safe` means that nothing was found, never that nothing is there.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from tonetouch_runtime.ai.local.errors import TextRefused
from tonetouch_runtime.ai.local.unmasking import readings, shrunk

RULES = "moderation.toml"
MAX_CHARACTERS = 100_000
MAX_REASONS = 20
MAX_SHOWN = 80

_LETTER = re.compile("[a-z]")
_CARD = re.compile(r"(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.])")
_SOCIAL_SECURITY = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")


@dataclass(frozen=True, slots=True)
class Moderated:
    """Whether nothing was found, else the categories in their order and a reason for every finding."""

    safe: bool
    categories: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a category means and its phrases, any of them, as one expression over the words of a reading.

    `stretched` finds them where every letter may stand twice.
    """

    meaning: str
    phrases: re.Pattern[str]
    stretched: re.Pattern[str]


def moderate(text: str) -> Moderated:
    """Look for hazards `S1` to `S14` (MLCommons AI Safety taxonomy). An empty text is safe.

    Reasons quote what was found, but for private numbers, and say when it was disguised. Raises `TextRefused` for more
    than 100,000 characters: a part that nobody read must not pass for safe.
    """
    if len(text) > MAX_CHARACTERS:
        raise TextRefused(f"The text has {len(text)} characters; at most {MAX_CHARACTERS} are moderated at once.")
    found = dict.fromkeys([*_spoken(readings(text)), *_private(text)])
    categories = sorted({category for category, _ in found}, key=lambda category: int(category[1:]))
    reasons = [f"{category} ({rules()[category].meaning}): {reason}" for category, reason in found]
    return Moderated(safe=not found, categories=tuple(categories), reasons=tuple(reasons[:MAX_REASONS]))


@cache
def rules() -> Mapping[str, Rule]:
    """The categories by their code, as they stand in the packaged `moderation.toml`."""
    told = tomllib.loads(resources.files(__package__).joinpath(RULES).read_text("utf-8"))
    return {
        code: Rule(rule["meaning"], _any_of(rule["phrases"], "{0}"), _any_of(rule["phrases"], "{0}{{1,2}}"))
        for code, rule in told.items()
    }


def _any_of(phrases: list[str], letter: str) -> re.Pattern[str]:
    expressions = (_expression(_LETTER.sub(lambda one: letter.format(one[0]), phrase)) for phrase in phrases)
    return re.compile(rf"(?<!\S)(?:{'|'.join(expressions)})(?!\S)")


def _expression(phrase: str) -> str:
    """A phrase in the notation of `moderation.toml` as a regular expression."""
    gaps = phrase.replace("(", "(?:").replace("*", r"\S*").split(" ... ")
    return r" (?:\S+ ){0,3}".join(part.replace(" ", " ?") for part in gaps)


def _spoken(read: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Categories and what was said; of a phrase in several readings only the plainest."""
    for code, rule in rules().items():
        known = 0
        short = shrunk(read[-1])
        looks = [(rule.phrases, reading) for reading in read] + ([(rule.stretched, short)] if short else [])
        for number, (phrases, reading) in enumerate(looks):
            said = list(dict.fromkeys(match[0][:MAX_SHOWN] for match in phrases.finditer(reading)))
            if len(said) > known:
                disguise = ", in disguise" if number else ""
                yield from ((code, f"says “{words}”{disguise}") for words in said[known:])
                known = len(said)


def _private(text: str) -> Iterator[tuple[str, str]]:
    if any(_passes_luhn(card[0]) for card in _CARD.finditer(text)):
        yield "S7", "holds what looks like the number of a payment card"
    if _SOCIAL_SECURITY.search(text):
        yield "S7", "holds what looks like a social security number"


def _passes_luhn(number: str) -> bool:
    """The check digit of ISO/IEC 7812 is right, and the number is not one digit over and over."""
    digits = [int(digit) for digit in number if digit.isdigit()]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1
