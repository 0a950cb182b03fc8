"""What a caller asks and gets: whom a call is for, what came back, and the hash of what was asked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from tonetouch_contracts.identity import JobId
from tonetouch_contracts.job import CacheClass, Priority, Purpose
from tonetouch_runtime.ai.errors import AIInputRefused
from tonetouch_runtime.ai.tasks import AnyRequest, ImageDescription, Result, Transcription

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

R = TypeVar("R", bound=Result)

MOST_TEXTS = 25
"""Texts in one call to an embedding model."""


class Whose(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a call is made for and why. Without a `job_id` it is a job of its own.

    Whoever tries again under the same `job_id` says one `attempt` more. `share` keeps the answer for everybody who asks
    the same, `keep_input` the question beside it.
    """

    feature: str
    subject: str
    user: str | None = None
    prompt: str | None = None
    job_id: str | None = None
    attempt: int = 1
    priority: Priority = "interactive"
    purpose: Purpose = "serve"
    share: bool = True
    keep_input: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Generic[R]):
    """A result, who gave it, and how it was come by."""

    result: R
    job_id: JobId
    provider: str
    model: str
    cache: CacheClass


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
class Question:
    """Everything an answer depends on, and nothing else: no user, no key, no time.

    `policy` names the models that may answer, in their order; `prompt` is ``name@version``, empty where there is none.
    """

    request: AnyRequest
    policy: Sequence[str]
    prompt: str = ""
    salt: str = ""

    @classmethod
    def private(cls, request: AnyRequest, policy: Sequence[str], prompt: str = "") -> Question:
        """A question nobody can ask again: a short one could be guessed from its hash, and the ledger is for ever."""
        return cls(request=request, policy=policy, prompt=prompt, salt=os.urandom(32).hex())

    @property
    def input_hash(self) -> str:
        """Lower-case hexadecimal SHA-256 of the canonical JSON: keys sorted, no spaces."""
        asked = {"policy": self.policy, "prompt": self.prompt, "request": digest(canonical(self.request))}
        return digest(canonical({**asked, "salt": self.salt} if self.salt else asked))

    def to_keep(self) -> bytes:
        """The question as it is kept beside its answer. Of images and recordings it holds the hash, not the bytes."""
        return canonical({"policy": self.policy, "prompt": self.prompt, "request": _readable(self.request)})


def _readable(request: AnyRequest) -> object:
    match request:
        case ImageDescription(image=body):
            return {**msgspec.to_builtins(request), "image": {"sha256": digest(body)}}
        case Transcription(audio=body):
            return {**msgspec.to_builtins(request), "audio": {"sha256": digest(body)}}
    # As it is: a schema is raw JSON, which has no other form.
    return request


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
