"""What can be asked of a model and what it answers: one request and one result for every task.

A request says everything an answer depends on, and nothing of who asks, why and where it goes.
"""

from typing import Generic, Literal, TypeVar

import msgspec

from tonetouch_runtime.ai.local.writing import Template
from tonetouch_runtime.ai.local.written import Fact, Sentence

R = TypeVar("R", bound="Result")

AITask = Literal[
    "chat",
    "embeddings",
    "rerank",
    "moderation",
    "image_description",
    "translation",
    "transcription",
    "speech",
    "image_generation",
]
Role = Literal["user", "assistant"]
Speaks = Literal["chat", "speech"]


class Result(msgspec.Struct, frozen=True, kw_only=True, tag_field="task"):
    """An answer. Its tag is the task it answers."""


class ChatResult(Result, frozen=True, kw_only=True, tag="chat"):
    """A text; empty where the model had nothing to say. An embedded writer tells the facts of each sentence."""

    text: str
    sentences: tuple[Sentence, ...] = ()


class EmbeddingsResult(Result, frozen=True, kw_only=True, tag="embeddings"):
    """One vector for each text, in their order, each as little-endian float32."""

    vectors: tuple[bytes, ...]


class Ranked(msgspec.Struct, frozen=True):
    """A passage by its place in the question. Scores are comparable within one answer only."""

    index: int
    score: float


class RerankResult(Result, frozen=True, kw_only=True, tag="rerank"):
    """The passages, best first."""

    ranked: tuple[Ranked, ...]


class ModerationResult(Result, frozen=True, kw_only=True, tag="moderation"):
    """Whether a text is safe, else why not: categories ``S1`` to ``S14`` of the MLCommons hazards, and words."""

    safe: bool
    categories: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class ImageDescriptionResult(Result, frozen=True, kw_only=True, tag="image_description"):
    """What is to be seen."""

    text: str


class TranslationResult(Result, frozen=True, kw_only=True, tag="translation"):
    """The text in the other language."""

    text: str


class SpokenWord(msgspec.Struct, frozen=True):
    """A word and when it is said, in seconds."""

    text: str
    start: float
    end: float


class TranscriptionResult(Result, frozen=True, kw_only=True, tag="transcription"):
    """What was said. `seconds` is how long the recording is."""

    text: str
    language: str | None = None
    seconds: float | None = None
    words: tuple[SpokenWord, ...] = ()


class SpeechResult(Result, frozen=True, kw_only=True, tag="speech"):
    """The recording."""

    audio: bytes
    media_type: str


class ImageGenerationResult(Result, frozen=True, kw_only=True, tag="image_generation"):
    """The picture."""

    image: bytes
    media_type: str


class Request(msgspec.Struct, Generic[R], frozen=True, kw_only=True, tag_field="task"):
    """A question to a model. Its tag is its task, its type argument what it is answered with."""

    @classmethod
    def task(cls) -> AITask:
        """The task, as it stands in the routing table and in the ledger."""
        tag: AITask = cls.__struct_config__.tag  # type: ignore[assignment]
        return tag


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: Role
    content: str


class Chat(Request[ChatResult], frozen=True, kw_only=True, tag="chat"):
    """Write on.

    `context` is the unchanged prefix of many requests (facts, discography, lyrics): it comes first, stays as it is to
    the byte, and is what a provider's prompt cache can keep for `context_lifetime`; null does not ask for keeping.
    `instructions` come after it, then the conversation. With `schema` (a JSON Schema) the answer is JSON.
    `facts` and `template` are what an embedded writer works from: it reads no prose.
    """

    messages: tuple[Message, ...]
    instructions: str = ""
    context: str = ""
    context_lifetime: Literal["5m", "1h"] | None = None
    max_tokens: int = 1024
    temperature: float | None = None
    seed: int | None = None
    schema: msgspec.Raw | None = None
    facts: tuple[Fact, ...] = ()
    template: Template | None = None


class Embeddings(Request[EmbeddingsResult], frozen=True, kw_only=True, tag="embeddings"):
    """The meaning of texts as vectors."""

    texts: tuple[str, ...]


class Rerank(Request[RerankResult], frozen=True, kw_only=True, tag="rerank"):
    """Which passages answer a query best. `top` leaves the others out."""

    query: str
    passages: tuple[str, ...]
    top: int | None = None


class Moderation(Request[ModerationResult], frozen=True, kw_only=True, tag="moderation"):
    """Whether a text may be shown."""

    text: str


class ImageDescription(Request[ImageDescriptionResult], frozen=True, kw_only=True, tag="image_description"):
    """Alternative text for an image. `facts` are what is known of it anyway, by name."""

    image: bytes
    facts: tuple[tuple[str, str], ...] = ()
    prompt: str = ""


class Translation(Request[TranslationResult], frozen=True, kw_only=True, tag="translation"):
    """A text in another language. Languages are ISO 639-1 codes."""

    text: str
    source: str
    target: str


class Transcription(Request[TranscriptionResult], frozen=True, kw_only=True, tag="transcription"):
    """What is said in a recording. `language` is an ISO 639-1 code, null where it is not known."""

    audio: bytes
    media_type: str
    language: str | None = None
    hint: str = ""


class Speech(Request[SpeechResult], frozen=True, kw_only=True, tag="speech"):
    """A text, spoken. `voice` is a provider's own name for one; null leaves it to the provider."""

    text: str
    voice: str | None = None
    encoding: Literal["mp3", "wav"] = "mp3"


class ImageGeneration(Request[ImageGenerationResult], frozen=True, kw_only=True, tag="image_generation"):
    """A picture of what the prompt says. `seed` makes it repeatable where a model can."""

    prompt: str
    steps: int = 4
    seed: int | None = None


AnyRequest = (
    Chat | Embeddings | Rerank | Moderation | ImageDescription | Translation | Transcription | Speech | ImageGeneration
)
AnyResult = (
    ChatResult
    | EmbeddingsResult
    | RerankResult
    | ModerationResult
    | ImageDescriptionResult
    | TranslationResult
    | TranscriptionResult
    | SpeechResult
    | ImageGenerationResult
)
