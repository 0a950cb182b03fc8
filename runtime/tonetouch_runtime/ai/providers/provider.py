"""The one shape of a provider: a target and a request go in, a reply or a stream of pieces comes out."""

from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

import msgspec

from tonetouch_runtime.ai.tasks import AITask, AnyRequest, AnyResult, Chat, Speech
from tonetouch_runtime.ai.usage import Usage


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One model at one provider for one task: a row of the routing table.

    `window_tokens` holds prompt and answer together, null where the task has none. `per_minute` is the provider's
    limit of requests, null where there is none. `at_most` is how many texts one request may hold. `quality` is between
    0 and 1, an operator's own measure. `timeout_seconds` bounds a call, of a stream the wait for each piece.
    """

    name: str
    provider: str
    task: AITask
    model: str
    window_tokens: int | None = None
    per_minute: int | None = None
    quality: float = 0.5
    at_most: int = 25
    timeout_seconds: float = 60.0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A complete answer, what it used, and what the provider called it.

    `model` is the model that answered where the provider says so; it may be another one than was asked.
    """

    result: AnyResult
    usage: Usage
    model: str | None = None
    request_id: str | None = None
    gateway_log_id: str | None = None
    http_status: int | None = None
    finish_reason: str | None = None


class Text(msgspec.Struct, frozen=True):
    """More of a text."""

    text: str


class Audio(msgspec.Struct, frozen=True):
    """More of a recording."""

    audio: bytes


class Ended(msgspec.Struct, frozen=True):
    """The last piece of every stream that was not cut: the whole answer once more, and what it used."""

    reply: Reply


Piece = Text | Audio | Ended


class Provider(Protocol):
    """Answers from the event loop without blocking it.

    Raises AIUnavailable (a setting must change), AIInputRefused (this input will never be answered) and ProviderFailed
    (everything else that can go wrong outside: it says whether it may be tried again). Anything else is a bug.
    `about` is what a gateway may note beside the call: feature, subject, job and attempt, never a person's words.
    """

    name: str
    gateway: str | None

    async def call(self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None) -> Reply:
        """Answer. A provider never tries again by itself: attempts are counted by who calls."""
        ...

    def stream(
        self, target: Target, request: Chat | Speech, *, about: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Piece, None]:
        """Answer piece by piece, `Ended` last. A stream that is cut raises ProviderFailed with what is known of it."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
