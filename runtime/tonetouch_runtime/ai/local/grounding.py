"""Does every sentence stand on the facts it cites? A check without a model: the same answer every time.

It compares values, not meaning: a number, a year or a name in a sentence must be found in a cited fact. It cannot see
that a true name is put to a wrong use, so a kept sentence is one without invented values, no more.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tonetouch_runtime.ai.local.cleaning import cleaned
from tonetouch_runtime.ai.local.written import Fact, Sentence

MAX_CHARACTERS = 2_000
MAX_FACT_CHARACTERS = 16_384
MAX_CITED = 100

_NUMBER = re.compile(r"[-−]?\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")

# "One" and "first" are left out: they are pronoun and adverb more often than a count.
NUMBER_WORDS: Mapping[str, str] = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14", "fifteen": "15",
    "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19", "twenty": "20", "thirty": "30",
    "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100",
    "thousand": "1000", "million": "1000000", "billion": "1000000000", "dozen": "12", "second": "2", "third": "3",
    "fourth": "4", "fifth": "5", "sixth": "6", "seventh": "7", "eighth": "8", "ninth": "9", "tenth": "10",
}  # fmt: skip

# Words that may begin a sentence with a capital without being a name.
_OPENERS = """
a about above across after again all along also although among an and another any around as at because before behind
below beneath beside besides between beyond both but by despite down during each either even every few for from given
had has have he hence her here his how however i if in inside instead into is it its just later less like listen many
more most much near neither never no nor not nothing now of off often on once one only or our out over perhaps quite
rather she since so some soon still such than that the their then there these they this those though through throughout
thus to together too toward under until up upon we what when where while who why with within without yet you your
"""
OPENERS = frozenset(_OPENERS.split())


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sentence that does not stand, and why."""

    sentence: Sentence
    because: str


def check(
    sentences: Sequence[Sentence], facts: Sequence[Fact], *, openers: Collection[str] = ()
) -> tuple[tuple[Sentence, ...], tuple[Dropped, ...]]:
    """Part sentences into those whose values all occur in the facts they cite and those that are dropped.

    Dropped is a sentence that cites no fact, an unknown one or more than 100, or is longer than 2,000 characters; that
    says a number no cited fact has (digits of any script, thousands separators and trailing zeros aside; number words
    from two on); or has capitalised words in a row that are not found in the same order in one cited fact. Words of
    scripts without case count as names. The word that begins a sentence may be capitalised if it is a plain opener of
    English or one of `openers`.
    """
    by_id = {fact.id: fact for fact in facts}
    kept: list[Sentence] = []
    dropped: list[Dropped] = []
    for sentence in sentences:
        reason = _objection(sentence, by_id, frozenset(word.casefold() for word in openers))
        if reason is None:
            kept.append(sentence)
        else:
            dropped.append(Dropped(sentence=sentence, because=reason))
    return tuple(kept), tuple(dropped)


def _objection(sentence: Sentence, by_id: Mapping[str, Fact], openers: frozenset[str]) -> str | None:
    if not sentence.fact_ids:
        return "it cites no fact"
    unknown = [fact_id for fact_id in sentence.fact_ids if fact_id not in by_id]
    if unknown:
        return f"it cites the unknown fact {unknown[0]}"
    if len(sentence.text) > MAX_CHARACTERS:
        return f"it is longer than {MAX_CHARACTERS} characters"
    if len(sentence.fact_ids) > MAX_CITED:
        return f"it cites more than {MAX_CITED} facts"
    text = cleaned(sentence.text, limit=MAX_CHARACTERS)
    values = [cleaned(by_id[fact_id].value, limit=MAX_FACT_CHARACTERS) for fact_id in sentence.fact_ids]
    return _number_objection(text, values) or _name_objection(text, values, openers | OPENERS | NUMBER_WORDS.keys())


def _number_objection(text: str, values: Sequence[str]) -> str | None:
    known = {number for value in values for number in _numbers(value)}
    words = {word for value in values for word in _words(value)}
    known |= {NUMBER_WORDS[word] for word in words if word in NUMBER_WORDS}
    for number in _numbers(text):
        if number not in known:
            return f"no cited fact has the number {number}"
    for word in _words(text):
        if word in NUMBER_WORDS and word not in words and NUMBER_WORDS[word] not in known:
            return f"no cited fact has the number {word}"
    return None


def _numbers(text: str) -> Iterator[str]:
    """Numbers in plain form: `1,234.50` and `1234.5` are one, as are the digits of every script."""
    plain = "".join(str(unicodedata.decimal(char, char)) for char in text)
    for match in _NUMBER.finditer(plain):
        # A hyphen after a letter or digit joins (2019-05, top-40); only a free one is a sign.
        signed = match[0][0] in "-−" and (match.start() == 0 or not plain[match.start() - 1].isalnum())
        yield ("-" if signed else "") + _plain_number(match[0].lstrip("-−"))


def _plain_number(digits: str) -> str:
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    whole, point, rest = digits.replace(",", ".").partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (point + rest if rest else "")


def first_word(text: str) -> str:
    """The first word of a text, empty if it has none."""
    found = _WORD.search(text)
    return found[0] if found else ""


def _words(text: str) -> tuple[str, ...]:
    return tuple(_spelling(match[0]) for match in _WORD.finditer(text))


def _spelling(word: str) -> str:
    return word.casefold().replace("’", "'").removesuffix("'s")


def _name_objection(text: str, values: Sequence[str], openers: Collection[str]) -> str | None:
    known = [" ".join(_words(value)) for value in values]
    for run, begins_sentence in _names(text):
        if _is_known(run, known) or (begins_sentence and run[0] in openers and _is_known(run[1:], known)):
            continue
        if run != ("i",):
            return f"no cited fact has the name {' '.join(run)}"
    return None


def _names(text: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Runs of words not all in lower case with only spaces or hyphens between, and whether one begins a sentence."""
    run: list[str] = []
    run_begins, end = True, 0
    for match in _WORD.finditer(text):
        gap = text[end : match.start()]
        named = not match[0].islower()  # true for scripts without case
        if run and not (named and all(char in " -‐‑" or unicodedata.category(char)[0] == "M" for char in gap)):
            yield tuple(run), run_begins
            run = []
        if named and not run:
            run_begins = end == 0 or any(char in gap for char in ".!?:;…")
        if named:
            run.append(_spelling(match[0]))
        end = match.end()
    if run:
        yield tuple(run), run_begins


def _is_known(run: tuple[str, ...], known: Sequence[str]) -> bool:
    """Whether a value has these words in a row, or the run is made of whole values put side by side."""
    line = " ".join(run) + " "
    if not run or any(f" {line}" in f" {value} " for value in known):
        return True
    wholes = {f"{value} " for value in known if value}
    reached = {0}  # ends of a beginning of the line that is made of whole values
    for at in range(len(line)):
        if at in reached:
            reached |= {at + len(value) for value in wholes if line.startswith(value, at)}
    return len(line) in reached
