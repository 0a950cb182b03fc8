"""Who answers: one shape for every provider of models, and the embedded engines in that shape."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from tonetouch_runtime.ai.accounting import Usage
from tonetouch_runtime.ai.asking import AITask
from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable
from tonetouch_runtime.ai.local import EngineChanged, EngineMissing, Fact, ImageRefused, LocalEngines, Template
from tonetouch_runtime.ai.local.written import Written

R = TypeVar("R")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model gave: a text, or a vector as little-endian float32."""

    text: str | None = None
    vector: bytes | None = None
    usage: Usage


class Provider(Protocol):
    """Answers, blocking, from any thread. Raises AIUnavailable and AIInputRefused; anything else is a bug."""

    name: str
    gateway: str | None

    def model(self, task: AITask) -> str:
        """The model that will answer a task, with its version: another model is another question."""
        ...

    def embed(self, texts: Sequence[str]) -> Sequence[Answer]:
        """One answer for each text, in their order."""
        ...

    def describe_image(self, image: bytes, facts: Mapping[str, str]) -> Answer:
        """Alt text."""
        ...

    def write(self, facts: Sequence[Fact], template: Template) -> Answer:
        """A text that says nothing but these facts."""
        ...


class LocalProvider:
    """The embedded engines: no account, no network, no cost."""

    name = "local"
    gateway: str | None = None

    def __init__(self, engines: LocalEngines | None = None) -> None:
        self._engines = engines or LocalEngines()

    def model(self, task: AITask) -> str:
        return self._engines.models[task]

    def embed(self, texts: Sequence[str]) -> list[Answer]:
        # A vector depends on its text alone, so embedding singly is the same, and tells the tokens of each.
        return [_plainly(lambda text=text: self._embed(text)) for text in texts]  # type: ignore[misc]

    def describe_image(self, image: bytes, facts: Mapping[str, str]) -> Answer:
        return _from(_plainly(lambda: self._engines.describe_image(image, facts)))

    def write(self, facts: Sequence[Fact], template: Template) -> Answer:
        return _from(_plainly(lambda: self._engines.write(facts, template=template)))

    def _embed(self, text: str) -> Answer:
        embedded = self._engines.embed([text])
        vector = embedded.vectors[0].astype("<f4").tobytes()
        return Answer(vector=vector, usage=_reported(embedded.prompt_tokens, embedded.completion_tokens))


def _from(written: Written) -> Answer:
    return Answer(text=written.text, usage=_reported(written.prompt_tokens, written.completion_tokens))


def _reported(prompt_tokens: int, completion_tokens: int) -> Usage:
    return Usage(
        prompt_tokens=prompt_tokens,
        cached_tokens=0,
        completion_tokens=completion_tokens,
        cost_pico_usd=0,
        source="reported",
    )


def _plainly(call: Callable[[], R]) -> R:
    try:
        return call()
    except (EngineMissing, EngineChanged) as error:
        raise AIUnavailable(str(error)) from error
    except ImageRefused as error:
        raise AIInputRefused(str(error)) from error
