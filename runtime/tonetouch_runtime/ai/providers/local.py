"""The embedded engines in the shape of a provider: no account, no network, no cost, and no language model."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final, TypeVar

from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable
from tonetouch_runtime.ai.local import EngineChanged, EngineMissing, InputRefused, LocalEngines, models
from tonetouch_runtime.ai.local.written import Written
from tonetouch_runtime.ai.providers.provider import Audio, Ended, Piece, Reply, Target, Text
from tonetouch_runtime.ai.tasks import (
    AnyRequest,
    Chat,
    ChatResult,
    Embeddings,
    EmbeddingsResult,
    ImageDescription,
    ImageDescriptionResult,
    Speech,
    SpeechResult,
)
from tonetouch_runtime.ai.usage import Usage, tokens

R = TypeVar("R")

ELSEWHERE: Final = (
    "set TONETOUCH_CLOUDFLARE_ACCOUNT and TONETOUCH_CLOUDFLARE_TOKEN, "
    "or name another target for {task} in the routing file of TONETOUCH_AI_ROUTES."
)
AUDIO_PIECE_BYTES = 32 * 1024


class LocalProvider:
    """Answers from the embedded engines, each call in a thread of its own.

    The model that answers is the engine's own, whatever the target calls it. What an engine cannot do raises
    AIUnavailable with the setting to change, what it will never read AIInputRefused.
    """

    name = "local"
    gateway: str | None = None

    def __init__(self, engines: LocalEngines | None = None) -> None:
        self._engines = engines or LocalEngines()

    @staticmethod
    def targets() -> tuple[Target, ...]:
        """The rows of the routing table for everything that is served here, one for each task: ``local-<task>``."""
        return tuple(
            Target(
                name=f"local-{task.replace('_', '-')}",
                provider=LocalProvider.name,
                task=task,
                model=model,
                quality=models.QUALITIES[task],
            )
            for task, model in models.MODELS.items()
        )

    async def call(self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None) -> Reply:
        """Answer in a thread."""
        return await asyncio.to_thread(self._answer, request)

    async def stream(
        self, target: Target, request: Chat | Speech, *, about: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Piece, None]:
        """The whole answer is made first, then told sentence by sentence or in pieces of 32 KiB."""
        reply = await self.call(target, request)
        match reply.result:
            case ChatResult(sentences=sentences):
                for number, sentence in enumerate(sentences):
                    yield Text(f" {sentence.text}" if number else sentence.text)
            case SpeechResult(audio=audio):
                for start in range(0, len(audio), AUDIO_PIECE_BYTES):
                    yield Audio(audio[start : start + AUDIO_PIECE_BYTES])
        yield Ended(reply)

    async def close(self) -> None:
        """Nothing is held open."""

    def _answer(self, request: AnyRequest) -> Reply:
        match request:
            case Chat():
                return self._write(request)
            case Embeddings():
                return self._embed(request)
            case ImageDescription():
                return self._describe(request)
            case _:
                raise unserved(request.task(), "No embedded engine does this")

    def _write(self, request: Chat) -> Reply:
        if not request.facts or request.template is None or request.schema is not None:
            raise unserved("chat", "The embedded writer fills a template with facts and is no language model")
        template = request.template
        text = _plainly(lambda: self._engines.write(request.facts, template=template, max_tokens=request.max_tokens))
        return Reply(
            result=ChatResult(text=text.text, sentences=text.sentences),
            usage=_text_usage(text),
            model=text.model,
            finish_reason="stop",
        )

    def _embed(self, request: Embeddings) -> Reply:
        embedded = _plainly(lambda: self._engines.embed(request.texts))
        vectors = embedded.vectors.astype("<f4")
        return Reply(
            result=EmbeddingsResult(vectors=tuple(vector.tobytes() for vector in vectors)),
            usage=Usage(quantities=tokens(prompt=embedded.prompt_tokens), source="reported"),
            model=embedded.model,
        )

    def _describe(self, request: ImageDescription) -> Reply:
        text = _plainly(lambda: self._engines.describe_image(request.image, dict(request.facts)))
        return Reply(result=ImageDescriptionResult(text=text.text), usage=_text_usage(text), model=text.model)


def unserved(task: str, why: str) -> AIUnavailable:
    """What is said where no embedded engine can answer: why, and the settings under which another provider would."""
    return AIUnavailable(f"{why}; {ELSEWHERE.format(task=task)}")


def _text_usage(text: Written) -> Usage:
    return Usage(
        quantities=tokens(prompt=text.prompt_tokens, completion=text.completion_tokens),
        source="reported",
    )


def _plainly(call: Callable[[], R]) -> R:
    try:
        return call()
    except (EngineMissing, EngineChanged) as error:
        raise AIUnavailable(str(error)) from error
    except InputRefused as error:
        raise AIInputRefused(str(error)) from error
