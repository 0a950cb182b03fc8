"""What is asked of a model, what comes back, and the hash that tells whether the same was asked before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import CacheClass
from tonetouch_runtime.ai.errors import AIInputRefused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

AITask = Literal["embed", "describe_image", "write"]

TYPES: Mapping[AITask, str] = {"embed": "embeddings", "describe_image": "image_description", "write": "chat"}
"""What a task is called in the ledger."""

MOST_TEXTS = 25
"""Texts in one call to an embedding model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextToEmbed:
    """One text and whom it is about. Whoever tries again under the same `job_id` says one `attempt` more."""

    text: str
    subject: str
    job_id: str | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """The vector of one text: shape (dimension,), read-only. Vectors of different models cannot be compared."""

    vector: NDArray[np.float32]
    model: str
    dimension: int
    job_id: JobId
    cache: CacheClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A text a model wrote; empty where it had nothing to say."""

    text: str
    job_id: JobId
    model: str
    cache: CacheClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything an answer depends on, and nothing else: no user, no key, no time.

    `contents` are the digests of texts, images and facts; `prompt` is ``name@version``, empty where there is none.
    """

    task: AITask
    model: str
    prompt: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    contents: Sequence[str]

    @property
    def input_hash(self) -> str:
        """Lower-case hexadecimal SHA-256 of the canonical JSON: keys sorted, no spaces."""
        return digest(canonical(self._asked()))

    def to_keep(self, readable: object) -> bytes:
        """The input as it is kept beside its answer, with its contents in a form that can be read again."""
        return canonical({**self._asked(), "input": readable})

    def _asked(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "model": self.model,
            "prompt": self.prompt,
            "parameters": self.parameters,
            "contents": self.contents,
        }


def canonical(value: object) -> bytes:
    """JSON in one spelling: the same value gives the same bytes, whatever order its keys were given in.

    Raises AIInputRefused for text that is not Unicode (half of a surrogate pair).
    """
    try:
        return msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:
        raise AIInputRefused("The text is not valid Unicode.") from None


def digest(content: bytes) -> str:
    """Lower-case hexadecimal SHA-256: all that a hash and the ledger know of a content."""
    return hashlib.sha256(content).hexdigest()
