"""What `tonetouch ai-check` asks: one small question for each task, and its answer in a few words."""

import io
import math
import struct
import wave
from collections.abc import Callable
from typing import Any

import msgspec
from PIL import Image, ImageDraw

from tonetouch_runtime.ai.local.writing import Pattern
from tonetouch_runtime.ai.local.written import Fact
from tonetouch_runtime.ai.tasks import (
    Chat,
    ChatResult,
    Embeddings,
    EmbeddingsResult,
    ImageDescription,
    ImageDescriptionResult,
    ImageGeneration,
    ImageGenerationResult,
    Message,
    Moderation,
    ModerationResult,
    Request,
    Rerank,
    RerankResult,
    Result,
    Speech,
    SpeechResult,
    Transcription,
    TranscriptionResult,
    Translation,
    TranslationResult,
)

_SPOKEN = "Every track has a story."
_FACT = Fact(id="F1", name="name", value="Tone Touch Music")


class Answers(msgspec.Struct):
    """What came back so far, where a later question is about it."""

    recording: SpeechResult | None = None


def in_words(result: Result) -> str:
    """What came back, short enough for one line."""
    match result:
        case ChatResult(text=text) | TranslationResult(text=text) | ImageDescriptionResult(text=text):
            return text or "(nothing)"
        case TranscriptionResult(text=text):
            return f"{text or '(nothing)'} (said: {_SPOKEN})"
        case EmbeddingsResult(vectors=vectors):
            return f"{len(vectors)} vector of {len(vectors[0]) // 4} dimensions"
        case RerankResult(ranked=ranked):
            return ", ".join(f"passage {one.index + 1}: {one.score:.3f}" for one in ranked)
        case ModerationResult(safe=safe, categories=categories):
            return "safe" if safe else f"not safe: {', '.join(categories)}"
        case SpeechResult(audio=body, media_type=kind) | ImageGenerationResult(image=body, media_type=kind):
            return f"{len(body):,} bytes of {kind}"
    return type(result).__name__


def _heard(recording: SpeechResult | None) -> Transcription:
    """The recording that was just made, so that its words are known; else a tone."""
    if recording is not None:
        return Transcription(audio=recording.audio, media_type=recording.media_type, language="en")
    return Transcription(audio=_tone(), media_type="audio/wav", language="en")


def _tone(hertz: float = 440.0, rate: int = 16_000) -> bytes:
    """One second of a sine as WAV."""
    samples = (round(8_000 * math.sin(2 * math.pi * hertz * index / rate)) for index in range(rate))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()


def _picture() -> bytes:
    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).ellipse((48, 48, 208, 208), fill="red")
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


QUESTIONS: tuple[Callable[[Answers], Request[Any]], ...] = (
    lambda _: Chat(
        messages=(Message(role="user", content="Greet Tone Touch Music in at most five words."),),
        max_tokens=64,
        # An embedded writer reads no prose: it says what is to be said of facts.
        facts=(_FACT,),
        template=((Pattern("Hello, {name}.", needs=("name",)),),),
    ),
    lambda _: Embeddings(texts=("a slow sad piano piece",)),
    lambda _: Rerank(query="sad piano", passages=("a fast happy march", "a slow sad piano piece")),
    lambda _: Moderation(text="What a lovely song."),
    lambda _: Translation(text="The music is beautiful.", source="en", target="de"),
    lambda _: Speech(text=_SPOKEN, encoding="wav"),
    lambda answers: _heard(answers.recording),
    lambda _: ImageDescription(image=_picture(), facts=(("shows", "a red circle"),)),
    lambda _: ImageGeneration(prompt="A red circle on white ground."),
)
"""In the order in which they are asked."""
