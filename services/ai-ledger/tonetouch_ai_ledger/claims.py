"""What a text claims, as far as it can be compared: years, other numbers, and names. Pure.

It compares words, not meaning: a claim is dropped or added when its value is, wherever it stood.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from tonetouch_contracts.ledger import Claim
from tonetouch_runtime.ai.local.grounding import OPENERS

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def claims_of(sentences: Iterable[str]) -> tuple[Claim, ...]:
    """Each value once, with the first sentence it stands in."""
    found: dict[tuple[str, str], Claim] = {}
    for sentence in sentences:
        for claim in (*_numbers(sentence), *_names(sentence)):
            found.setdefault(_value(claim), claim)
    return tuple(found.values())


def compared(
    before: Iterable[Claim], after: Iterable[Claim]
) -> tuple[tuple[Claim, ...], tuple[Claim, ...], tuple[Claim, ...]]:
    """Claims of `before` that stay, those that are gone, and those of `after` that are new."""
    old, new = {_value(claim): claim for claim in before}, {_value(claim): claim for claim in after}
    return (
        tuple(claim for value, claim in old.items() if value in new),
        tuple(claim for value, claim in old.items() if value not in new),
        tuple(claim for value, claim in new.items() if value not in old),
    )


def _value(claim: Claim) -> tuple[str, str]:
    return claim.kind, claim.value.casefold()


def _numbers(sentence: str) -> Iterator[Claim]:
    for number in _NUMBER.findall(sentence):
        yield Claim(kind="year" if _YEAR.fullmatch(number) else "number", value=number, sentence=sentence)


def _names(sentence: str) -> Iterator[Claim]:
    """Capitalised words in a row; a word that often begins a sentence is no name there."""
    words = list(_WORD.finditer(sentence))
    run: list[re.Match[str]] = []
    for word, following in pairwise([*words, None]):
        assert word is not None
        opens = not sentence[: word.start()].strip(" \"'“‘(") and word[0].casefold() in OPENERS
        if word[0][0].isupper() and not opens:
            run.append(word)
        gap = sentence[word.end() : following.start()] if following else ""
        goes_on = following is not None and following[0][0].isupper() and not gap.strip(" ")
        if run and not goes_on:
            yield Claim(kind="name", value=sentence[run[0].start() : run[-1].end()], sentence=sentence)
            run = []
