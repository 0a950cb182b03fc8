"""Facts that go in and text that comes out: every sentence names the facts it stands on."""

from collections.abc import Callable
from dataclasses import dataclass

CountTokens = Callable[[str], int]
"""How many tokens a text is; the engines share one tokenizer so that their figures can be compared."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One given or measured value. `id` is unique in a call; several facts may share a `name` and form a list."""

    id: str
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence and the ids of the facts whose values stand in it."""

    text: str
    fact_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A finished text. `text` is its sentences joined by spaces; `facts` are those it cites, as they were read."""

    text: str
    sentences: tuple[Sentence, ...]
    model: str
    prompt_tokens: int
    completion_tokens: int
    facts: tuple[Fact, ...] = ()


def written(
    sentences: tuple[Sentence, ...], *, facts: tuple[Fact, ...], model: str, count_tokens: CountTokens
) -> Written:
    """Join sentences and count: the prompt is every fact offered as `name: value`, cited or not."""
    text = " ".join(sentence.text for sentence in sentences)
    cited = {fact_id for sentence in sentences for fact_id in sentence.fact_ids}
    return Written(
        text=text,
        sentences=sentences,
        model=model,
        prompt_tokens=sum(count_tokens(f"{fact.name}: {fact.value}") for fact in facts),
        completion_tokens=count_tokens(text),
        facts=tuple(fact for fact in facts if fact.id in cited),
    )
