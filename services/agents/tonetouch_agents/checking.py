"""Whether a sentence of a model may be shown: it stands on the facts it cites, and on nobody's words but ours.

The check of the runtime compares years, numbers and names with the cited facts. That is not enough where a fact is
itself what somebody wrote: of a track called 'Say that X is a thief' the name X stands in a fact. So words of people
count only as a whole and word for word, and what is left of a sentence without them must be plain, free of names, and
nothing that the material says. A check without a model: the same answer every time, and it prefers to drop.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence

from tonetouch_agents.facts import is_peoples_words
from tonetouch_contracts.copy import CitedFact, DroppedSentence
from tonetouch_runtime.ai.local import Fact, Sentence, check

CHECKER = "copy@1"
"""Stands with every text; it changes when a sentence that was kept would be dropped, or the other way round."""

MOST_CHARACTERS = 400
LONG_VALUE_WORDS = 4
"""Words of people that have this many stand in quotation marks, or a reader would take them for ours."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_PLAIN = frozenset(" .,;:!?'’‘\"“”„«»()-–—…&/%+")
_OPENING, _CLOSING = frozenset("\"“„«‘'"), frozenset("\"”“»’'")
_ADDRESS = re.compile(r"https?|www\b|\w\.(?:com|net|org|io|ru|info|biz|example|co)\b", re.IGNORECASE)
_STANDS_FOR_A_VALUE = "this"

_JOINING = """
a about across after all along also although an and are around as at be been before being between both but by can
during each every few for from had has have he her here his how if in into is it its itself less like many more most
much near no nor not of off on one only onto or other out over own per rather same she so some still such than that the
their them then there these they this those though through throughout to together too toward under until up upon very
was were what when where which while who whose why with within without yet
"""
_GLUE = frozenset(_JOINING.split())
"""Words that join others: every sentence of English has some, and two texts that share them share nothing."""

_OF_INSTRUCTIONS = """
ai assistant bot chatbot comply jailbreak chatgpt instruction instructions prompt prompts override overridden
obey obeyed ignore ignored ignoring disregard disregarded system developer hacked hack pwned password passwords token
tokens secret secrets api click visit subscribe download buy purchase discount coupon promo giveaway website link
email sorry cannot apologise apologize unable i me my mine myself you your yours yourself we us must should shall please
"""
_NEVER = frozenset(_OF_INSTRUCTIONS.split())
"""Words of instructions, of advertisements, and of one who speaks to the reader: no text about music needs them."""


_BEGINNING = """
album albums arrangement beats built calm closing clocking first gentle heavy key length listeners lively loud lyrics
measured mood moving music opening played quick quiet recorded recording recordings released running second set
side slow slowest soft song songs steady sung tempo title titled track tracks voice warm words written years
"""
_OPENERS = frozenset(_BEGINNING.split())
"""Words that may begin a sentence about music with a capital and are no name."""


def check_copy(
    sentences: Sequence[Sentence], facts: Sequence[CitedFact], *, material: Sequence[str] = ()
) -> tuple[tuple[Sentence, ...], tuple[DroppedSentence, ...]]:
    """Part a model's sentences into those that may be shown and those that are dropped, each with its reason.

    `material` are other people's words that are no facts, such as lyrics. Dropped is, beside what the check of
    the runtime drops: a sentence with signs of mark-up or addresses, over 400 characters, in no plain English, with
    words of instructions or advertisements, which says a name or number that only a part of people's words has, which
    has long words of people outside of quotation marks, in which no value of a fact it cites stands or nothing else
    does, or which has a run of words in common with people's words that it does not quote as a whole.
    """
    by_id = {fact.id: fact for fact in facts}
    heard = _Heard([fact.value for fact in facts if is_peoples_words(fact.name)], material)
    kept: list[Sentence] = []
    dropped: list[DroppedSentence] = []
    for sentence in sentences:
        if because := _objection(sentence, by_id, heard):
            dropped.append(DroppedSentence(text=sentence.text[:1000], facts=sentence.fact_ids, because=because))
        else:
            kept.append(sentence)
    return tuple(kept), tuple(dropped)


class _Heard:
    """Everything people wrote, as the runs of words by which a repetition is recognised."""

    def __init__(self, values: Sequence[str], material: Sequence[str]) -> None:
        self._runs: set[tuple[str, ...]] = set()
        for text in (*values, *material):
            self._runs.update(_runs(_words(text)))

    def has(self, words: Sequence[str]) -> str | None:
        """The first run of these words that somebody wrote."""
        return next((" ".join(run) for run in _runs(words) if run in self._runs), None)


def _objection(sentence: Sentence, by_id: Mapping[str, CitedFact], heard: _Heard) -> str | None:
    cited = [by_id[number] for number in sentence.fact_ids if number in by_id]
    _, unfounded = check(
        [sentence], [Fact(fact.id, fact.name, fact.value) for fact in by_id.values()], openers=_OPENERS
    )
    if unfounded:
        return unfounded[0].because
    if len(sentence.text) > MOST_CHARACTERS:
        return f"it is longer than {MOST_CHARACTERS} characters"
    if not any(_stands_in(fact.value, sentence.text) for fact in cited):
        return "it says nothing of the facts it cites"
    if bare := _unquoted(sentence.text, cited):
        return f"it says {bare!r} outside of quotation marks"
    rest = _without_values(sentence.text, cited)
    return _sign_objection(rest) or _word_objection(rest, heard) or _left_objection(rest, sentence, cited)


def _sign_objection(rest: str) -> str | None:
    for sign in rest:
        if not (sign in _PLAIN or sign.isalnum() or unicodedata.category(sign)[0] == "M"):
            return f"it holds the sign {sign!r}"
    return "it holds an address" if _ADDRESS.search(rest) else None


def _word_objection(rest: str, heard: _Heard) -> str | None:
    words = _words(rest)
    said = [word for word in words if word != _STANDS_FOR_A_VALUE]
    if len(said) < 2:
        return "it is nothing but a fact"
    if found := next((word for word in said if word in _NEVER), None):
        return f"it says {found!r}"
    if any(not word.isascii() for word in said) or not _is_english(said):
        return "it is not in plain English"
    if run := heard.has(said):
        return f"it repeats {run!r}, which somebody wrote"
    return None


def _left_objection(rest: str, sentence: Sentence, cited: Sequence[CitedFact]) -> str | None:
    """What is left without people's words may hold measured and counted values only."""
    measured = [Fact(one.id, one.name, "" if is_peoples_words(one.name) else one.value) for one in cited]
    _, dropped = check([Sentence(text=rest, fact_ids=sentence.fact_ids)], measured, openers=_OPENERS)
    return dropped[0].because if dropped else None


def _is_english(words: Collection[str]) -> bool:
    joining = {word for word in words if word in _GLUE}
    return len(joining) >= (2 if len(words) >= 6 else 1)


def _stands_in(value: str, text: str) -> bool:
    """Whether a value stands in a text as a whole, whatever its case."""
    wanted, found = _words(value), _words(text)
    return any(found[at : at + len(wanted)] == wanted for at in range(len(found) - len(wanted) + 1) if wanted)


def _unquoted(text: str, cited: Sequence[CitedFact]) -> str | None:
    """Long words of people that stand in the sentence as if they were ours."""
    for value in _values(cited):
        for start, end in _places(text, value):
            before, after = text[:start].rstrip()[-1:], text[end:].lstrip(".,;:!?… ")[:1]
            is_quoted = before in _OPENING and after in _CLOSING and before and after
            if len(_words(value)) >= LONG_VALUE_WORDS and not is_quoted:
                return value
    return None


def _without_values(text: str, cited: Sequence[CitedFact]) -> str:
    """The sentence with a plain word in the place of people's words, wherever those stand as a whole."""
    for value in _values(cited):
        for start, end in reversed(list(_places(text, value))):
            text = text[:start] + _STANDS_FOR_A_VALUE + text[end:]
    return text


def _values(cited: Sequence[CitedFact]) -> list[str]:
    """The words of people among the facts, the longest first: one may hold another."""
    return sorted({one.value for one in cited if is_peoples_words(one.name)}, key=lambda value: (-len(value), value))


def _places(text: str, value: str) -> Iterator[tuple[int, int]]:
    """Where the words of a value stand in a text, one after the other and spelled the same."""
    wanted = [_spelling(match[0]) for match in _WORD.finditer(_composed(value))]
    found = [(_spelling(match[0]), *match.span()) for match in _WORD.finditer(text)]
    at = 0
    while wanted and at + len(wanted) <= len(found):
        if [word for word, _, _ in found[at : at + len(wanted)]] == wanted:
            yield found[at][1], found[at + len(wanted) - 1][2]
            at += len(wanted)
        else:
            at += 1


def _spelling(word: str) -> str:
    return word.replace("’", "'").removesuffix("'s")


def _composed(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _words(text: str) -> list[str]:
    return [_spelling(match[0]).casefold() for match in _WORD.finditer(_composed(text))]


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Runs that hardly come twice by chance: three words with two of meaning, or four with one."""
    for length, meaning in ((3, 2), (4, 1)):
        for start in range(len(words) - length + 1):
            run = tuple(words[start : start + length])
            if sum(word not in _GLUE and word != _STANDS_FOR_A_VALUE for word in run) >= meaning:
                yield run
