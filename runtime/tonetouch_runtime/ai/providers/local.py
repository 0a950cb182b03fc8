"""The embedded engines in the shape of a provider: no account, no network, no cost, and no language model."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from tonetouch_contracts.job import Direction, Modality, Quantity, Unit
from tonetouch_runtime.ai.errors import AIInputRefused, AIUnavailable, ProviderFailed
from tonetouch_runtime.ai.local import EngineChanged, EngineFailed, EngineMissing, InputRefused, LocalEngines, models
from tonetouch_runtime.ai.local.speaking import as_mp3, as_wav
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
    ImageGeneration,
    ImageGenerationResult,
    Moderation,
    ModerationResult,
    Ranked,
    Rerank,
    RerankResult,
    Speech,
    SpeechResult,
    SpokenWord,
    Transcription,
    TranscriptionResult,
)
from tonetouch_runtime.ai.usage import Usage, tokens

ELSEWHERE: Final = (
    "set TONETOUCH_CLOUDFLARE_ACCOUNT and TONETOUCH_CLOUDFLARE_TOKEN, "
    "or name another target for {task} in the routing file of TONETOUCH_AI_ROUTES."
)
AUDIO_PIECE_BYTES = 32 * 1024
# These take a second or a minute each: more at once would only take the processor from everybody else.
SLOW: Final = (ImageDescription, ImageGeneration, Speech, Transcription)
SLOW_AT_ONCE = 2
# Five minutes of recording take two or three, and others may be waiting in front.
TRANSCRIPTION_TIMEOUT_SECONDS = 1_200.0


@cache
def shared_engines() -> LocalEngines:
    """The engines of this process: their weights are loaded once, however many providers there are."""
    return LocalEngines()


class LocalProvider:
    """Answers from the embedded engines, in threads; of the slow tasks at most two at once.

    The model that answers is the engine's own, whatever the target calls it. What an engine cannot do raises
    AIUnavailable with the setting to change, what it will never read AIInputRefused, an engine that died or took too
    long ProviderFailed.
    """

    name = "local"
    gateway: str | None = None

    def __init__(self, engines: LocalEngines | None = None) -> None:
        self._engines = engines or shared_engines()
        self._slow = ThreadPoolExecutor(SLOW_AT_ONCE, "local-engine")

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
                timeout_seconds=TRANSCRIPTION_TIMEOUT_SECONDS if task == "transcription" else 60.0,
            )
            for task, model in models.MODELS.items()
        )

    async def call(self, target: Target, request: AnyRequest, *, about: Mapping[str, str] | None = None) -> Reply:
        """Answer in a thread."""
        if isinstance(request, SLOW):
            return await asyncio.get_running_loop().run_in_executor(self._slow, self._answer, request)
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
        """Let go of the threads; what is being answered is answered, what waits is not."""
        self._slow.shutdown(wait=False, cancel_futures=True)

    def _answer(self, request: AnyRequest) -> Reply:
        """Answer, blocking."""
        try:
            return self._answered(request)
        except (EngineMissing, EngineChanged) as error:
            raise AIUnavailable(str(error)) from error
        except InputRefused as error:
            raise AIInputRefused(str(error)) from error
        except EngineFailed as error:
            raise ProviderFailed("timeout" if error.timed_out else "nonsense", str(error)) from error

    def _answered(self, request: AnyRequest) -> Reply:
        match request:
            case Chat():
                return self._write(request)
            case Embeddings():
                return self._embed(request)
            case Rerank():
                return self._rerank(request)
            case Moderation():
                return self._moderate(request)
            case ImageDescription():
                return self._describe(request)
            case Transcription():
                return self._hear(request)
            case Speech():
                return self._speak(request)
            case ImageGeneration():
                return self._paint(request)
            case _:
                raise unserved(request.task(), "No embedded engine does this")

    def _write(self, request: Chat) -> Reply:
        if not request.facts or request.template is None:
            raise unserved("chat", "The embedded writer fills a template with facts and is no language model")
        text = self._engines.write(request.facts, template=request.template, max_tokens=request.max_tokens)
        return Reply(
            result=ChatResult(text=text.text, sentences=text.sentences),
            usage=_text_usage(text),
            model=text.model,
            finish_reason="stop",
        )

    def _embed(self, request: Embeddings) -> Reply:
        embedded = self._engines.embed(request.texts)
        vectors = embedded.vectors.astype("<f4")
        return Reply(
            result=EmbeddingsResult(vectors=tuple(vector.tobytes() for vector in vectors)),
            usage=_usage(*tokens(prompt=embedded.prompt_tokens)),
            model=embedded.model,
        )

    def _rerank(self, request: Rerank) -> Reply:
        found = self._engines.rerank(request.query, request.passages, top=request.top)
        return Reply(
            result=RerankResult(ranked=tuple(Ranked(one.index, one.score) for one in found.ranked)),
            usage=_usage(*tokens(prompt=found.prompt_tokens)),
            model=found.model,
        )

    def _moderate(self, request: Moderation) -> Reply:
        found = self._engines.moderate(request.text)
        return Reply(
            result=ModerationResult(safe=found.safe, categories=found.categories, reasons=found.reasons),
            usage=_usage(*tokens(prompt=self._engines.count_tokens(request.text))),
            model=models.MODERATING,
        )

    def _describe(self, request: ImageDescription) -> Reply:
        text = self._engines.describe_image(request.image, dict(request.facts))
        return Reply(result=ImageDescriptionResult(text=text.text), usage=_text_usage(text), model=text.model)

    def _hear(self, request: Transcription) -> Reply:
        if request.language is not None and request.language.partition("-")[0].lower() != "en":
            raise unserved("transcription", "The embedded engine hears English only")
        heard = self._engines.hear(request.audio, request.media_type)
        return Reply(
            result=TranscriptionResult(
                text=heard.text,
                language="en",
                seconds=heard.seconds,
                words=tuple(SpokenWord(*word) for word in heard.words),
            ),
            usage=_usage(_amount("audio_ms", "input", round(heard.seconds * 1000), "audio")),
            model=models.HEARING,
        )

    def _speak(self, request: Speech) -> Reply:
        spoken = self._engines.speak(request.text, voice=request.voice)
        packed = as_mp3(spoken) if request.encoding == "mp3" else None
        return Reply(
            result=SpeechResult(audio=packed, media_type="audio/mpeg")
            if packed
            else SpeechResult(audio=as_wav(spoken), media_type="audio/wav"),
            usage=_usage(_amount("character", "input", spoken.characters)),
            model=models.SPEAKING,
        )

    def _paint(self, request: ImageGeneration) -> Reply:
        painted = self._engines.paint(request.prompt, seed=request.seed)
        return Reply(
            result=ImageGenerationResult(image=painted.image, media_type=painted.media_type),
            usage=_usage(_amount("image", "output", 1, "image")),
            model=models.PAINTING,
        )


def unserved(task: str, why: str) -> AIUnavailable:
    """What is said where no embedded engine can answer: why, and the settings under which another provider would."""
    return AIUnavailable(f"{why}; {ELSEWHERE.format(task=task)}")


def _text_usage(text: Written) -> Usage:
    return _usage(*tokens(prompt=text.prompt_tokens, completion=text.completion_tokens))


def _usage(*quantities: Quantity) -> Usage:
    return Usage(quantities=quantities, source="reported")


def _amount(unit: Unit, direction: Direction, amount: int, modality: Modality = "text") -> Quantity:
    return Quantity(unit=unit, direction=direction, amount=amount, modality=modality)
