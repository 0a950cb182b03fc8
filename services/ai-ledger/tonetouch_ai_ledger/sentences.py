"""What a kept answer says, sentence by sentence, with the facts each stands on. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tonetouch_contracts.ledger import TracedFact, TracedSentence

_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_MARK = re.compile(r"\s*\[([A-Za-z]{0,2}[0-9]{1,4}(?:\s*,\s*[A-Za-z]{0,2}[0-9]{1,4})*)\]")
_END = re.compile(r"(?<=[.!?])(?:\s*\[[^\]]{1,40}\])*(?:\s+|\Z)")


class _Cited(msgspec.Struct, frozen=True):
    text: str
    facts: tuple[str, ...] = ()


class _Answer(msgspec.Struct, frozen=True):
    sentences: tuple[_Cited, ...]


class _Given(msgspec.Struct, frozen=True):
    facts: tuple[TracedFact, ...] = ()


class _Question(msgspec.Struct, frozen=True):
    request: _Given


def facts_in(question: bytes) -> dict[str, TracedFact]:
    """The facts of a question as it was kept, by their numbers; none where it is another kind of question."""
    try:
        given = msgspec.json.decode(question, type=_Question).request.facts
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return {fact.id: fact for fact in given}


def text_of(result: Any) -> str | None:
    """The text of a result; None where it is none."""
    text = getattr(result, "text", None)
    return text if isinstance(text, str) else None


def sentences_of(result: Any, facts: Mapping[str, TracedFact]) -> tuple[TracedSentence, ...]:
    """The sentences of a result and what they cite.

    An embedded writer tells both. A model tells them as JSON, if it was asked so; else its text is cut into sentences,
    and marks like ``[F1, F2]`` are what they cite.
    """
    if told := getattr(result, "sentences", ()):
        return tuple(_sentence(one.text, one.fact_ids, facts) for one in told)
    return tuple(_sentence(text, cited, facts) for text, cited in _read(text_of(result) or ""))


def saying(sentences: Iterable[TracedSentence], words: str) -> tuple[TracedSentence, ...]:
    """Those sentences in which all these words stand, in whatever order and case."""
    wanted = words.casefold().split()
    return tuple(one for one in sentences if all(word in one.text.casefold() for word in wanted))


def _read(text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    fenced = _FENCE.match(text)
    try:
        said = msgspec.json.decode(fenced[1] if fenced else text, type=_Answer | tuple[_Cited, ...])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        for sentence in _cut(text):
            marks = ",".join(_MARK.findall(sentence))
            yield _MARK.sub("", sentence), tuple(mark.strip() for mark in marks.split(",") if mark.strip())
    else:
        for one in said.sentences if isinstance(said, _Answer) else said:
            yield one.text, one.facts


def _cut(text: str) -> Iterator[str]:
    """Cut after marks of the end and the citations that follow them."""
    start = 0
    for end in _END.finditer(text):
        yield text[start : end.end()].strip()
        start = end.end()
    if rest := text[start:].strip():
        yield rest


def _sentence(text: str, cited: Iterable[str], facts: Mapping[str, TracedFact]) -> TracedSentence:
    numbers = (number.strip(" []") for number in cited)
    return TracedSentence(text=text.strip(), facts=tuple(facts[number] for number in numbers if number in facts))
