"""Long-form text from numbered facts: sentences filled from patterns, nothing said that no fact says.

Not a language model: the patterns are data of the caller, and the same facts give the same text for ever.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tonetouch_runtime.ai.local import models
from tonetouch_runtime.ai.local.cleaning import shortened
from tonetouch_runtime.ai.local.errors import FactsRefused
from tonetouch_runtime.ai.local.grammar import article, capitalised, listed
from tonetouch_runtime.ai.local.grounding import check, first_word
from tonetouch_runtime.ai.local.written import CountTokens, Fact, Sentence, Written, written

MAX_FACTS = 500
MAX_VALUE_CHARACTERS = 300
MAX_LISTED = 8

_PLACEHOLDER = re.compile(r"\{(\w+)(?::([^{}]*))?\}")

Values = Mapping[str, Sequence[Fact]]


class BadPattern(ValueError):
    """A pattern of the caller names a form that does not exist, or a fact it does not say it needs."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way to say something about the facts named in `needs`; it is left out unless every one of them is there.

    In `text`, `{name}` becomes the fact's value, or the first eight values of that name as a list; `{name:a}` the same
    after its indefinite article; `{name:is/are}` the word before the slash for one value, the one after it for several.
    """

    text: str
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, form in _PLACEHOLDER.findall(self.text):
            if name not in self.needs:
                raise BadPattern(f"The pattern {self.text!r} uses {name!r} without needing it.")
            if form not in ("", "a") and form.count("/") != 1:
                raise BadPattern(f"The pattern {self.text!r} asks for the unknown form {form!r}.")


Template = Sequence[Sequence[Pattern]]
"""What to say in order: each entry is one sentence, as variants of which at most one is used."""


def write_from_facts(
    facts: Sequence[Fact],
    *,
    template: Template,
    count_tokens: CountTokens,
    at_most: int = 6,
    max_tokens: int | None = None,
    model: str = models.WRITING,
) -> Written:
    """Fill a template: for each of its entries one sentence, from the variant that can use most of the facts.

    Among equally rich variants a hash of the facts chooses, so texts about different things differ and none changes by
    itself. Values are cleaned of control and bidi characters and shortened to 300 characters; the facts in the result
    are those. Sentences that `check` would not keep are left out, and the last ones of a text that would be longer than
    `max_tokens`. With no fitting fact the text is empty. Raises `FactsRefused` when two facts share an id or there are
    more than 500.
    """
    readable = _readable(facts)
    by_name: dict[str, list[Fact]] = {}
    for fact in readable:
        by_name.setdefault(fact.name, []).append(fact)
    chosen = (_chosen(variants, by_name, seed=index) for index, variants in enumerate(template))
    patterns = [pattern for pattern in chosen if pattern is not None]
    kept, _ = check(
        [_sentence(pattern, by_name) for pattern in patterns],
        readable,
        openers=[first_word(_PLACEHOLDER.sub("", pattern.text)) for pattern in patterns],
    )
    fitting = _fitting(kept[:at_most], max_tokens, count_tokens)
    return written(fitting, facts=readable, model=model, count_tokens=count_tokens)


def _fitting(
    sentences: tuple[Sentence, ...], max_tokens: int | None, count_tokens: CountTokens
) -> tuple[Sentence, ...]:
    if max_tokens is None:
        return sentences
    return next(
        (
            sentences[:number]
            for number in range(len(sentences), 0, -1)
            if count_tokens(" ".join(sentence.text for sentence in sentences[:number])) <= max_tokens
        ),
        (),
    )


def _readable(facts: Sequence[Fact]) -> tuple[Fact, ...]:
    if len(facts) > MAX_FACTS or len({fact.id for fact in facts}) < len(facts):
        raise FactsRefused(f"Facts need an id of their own each, and there may be {MAX_FACTS} of them.")
    values = [(fact, shortened(fact.value, limit=MAX_VALUE_CHARACTERS)) for fact in facts]
    return tuple(Fact(id=fact.id, name=fact.name, value=value) for fact, value in values if value)


def _chosen(variants: Sequence[Pattern], by_name: Values, *, seed: int) -> Pattern | None:
    possible = [pattern for pattern in variants if all(name in by_name for name in pattern.needs)]
    if not possible:
        return None
    richest = max(len(set(pattern.needs)) for pattern in possible)
    best = [pattern for pattern in possible if len(set(pattern.needs)) == richest]
    return best[_stable_hash(by_name, seed) % len(best)]


def _stable_hash(by_name: Values, seed: int) -> int:
    """The same for the same names and values, in whatever order and under whatever ids they were given."""
    pairs = sorted((fact.name, fact.value) for facts in by_name.values() for fact in facts)
    return int.from_bytes(hashlib.blake2b(repr((seed, pairs)).encode(), digest_size=8).digest())


def _sentence(pattern: Pattern, by_name: Values) -> Sentence:
    text = _PLACEHOLDER.sub(lambda match: _filled(match[1], match[2] or "", by_name), pattern.text)
    # Only what the pattern itself says is capitalised; a value keeps the spelling it was given.
    if not pattern.text.startswith("{") or _PLACEHOLDER.sub(r"\2", pattern.text).startswith("a "):
        text = capitalised(text)
    if text.endswith(".."):  # the value ended in an abbreviation
        text = text[:-1]
    return Sentence(text=text, fact_ids=tuple(_cited(pattern, by_name)))


def _cited(pattern: Pattern, by_name: Values) -> Iterator[str]:
    for name in dict.fromkeys(pattern.needs):
        shown = _shown(by_name[name])
        yield from (fact.id for fact in by_name[name] if fact.value in shown)


def _shown(facts: Sequence[Fact]) -> list[str]:
    return list(dict.fromkeys(fact.value for fact in facts))[:MAX_LISTED]


def _filled(name: str, form: str, by_name: Values) -> str:
    values = _shown(by_name[name])
    if "/" in form:
        one, _, several = form.partition("/")
        return one if len(values) == 1 else several
    phrase = listed(values)
    return f"{article(phrase)} {phrase}" if form == "a" else phrase
