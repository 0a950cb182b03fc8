"""The models of Workers AI: the body each one takes and the result each one gives.

No two modalities look alike: pictures go in as lists of integers, recordings in and pictures out as base64, speech
comes as bytes without an envelope. Limits are those of Cloudflare's model schemas.
"""

import base64
import binascii
import re
from hashlib import sha256

from tonetouch_runtime.ai.errors import AIInputRefused
from tonetouch_runtime.ai.providers.document import as_text, at, list_at, text_at
from tonetouch_runtime.ai.providers.picture import media_type
from tonetouch_runtime.ai.providers.vectors import packed, ranking
from tonetouch_runtime.ai.providers.wire import Headed
from tonetouch_runtime.ai.tasks import (
    AnyRequest,
    AnyResult,
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
    Rerank,
    RerankResult,
    Speech,
    SpokenWord,
    Transcription,
    TranscriptionResult,
    Translation,
    TranslationResult,
)

MOST_TEXTS = 100
LONGEST_MODERATED = 131_072
LONGEST_PICTURE_PROMPT = 2048
MOST_STEPS = 8
DESCRIBE = "Describe this picture in one plain sentence for somebody who cannot see it."

_LARGEST_SEED = 9_999_999_999
_CATEGORY = re.compile(r"S(?:1[0-4]|[1-9])")


def body(request: AnyRequest, *, stream: bool = False) -> dict[str, object]:
    """The input of the model for this task. Raises AIInputRefused for what no schema lets through."""
    match request:
        case Chat():
            return _chat(request, stream=stream)
        case Embeddings():
            _refuse_unless(0 < len(request.texts) <= MOST_TEXTS, f"between 1 and {MOST_TEXTS} texts at once")
            return {"text": list(request.texts), "truncate_inputs": False}
        case Rerank():
            _refuse_unless(bool(request.query and request.passages), "a query and passages")
            contexts = [{"text": passage} for passage in request.passages]
            return {"query": request.query, "contexts": contexts, "top_k": request.top or len(contexts)}
        case Moderation():
            _refuse_unless(len(request.text) <= LONGEST_MODERATED, f"at most {LONGEST_MODERATED} characters")
            return _moderation(request)
        case ImageDescription():
            prompt = request.prompt or DESCRIBE
            return {"image": list(request.image), "prompt": prompt, "max_tokens": 512}
        case Translation():
            _refuse_unless(bool(request.text), "a text")
            return {"text": request.text, "source_lang": request.source, "target_lang": request.target}
        case Transcription():
            return _transcription(request)
        case Speech():
            return _speech(request)
        case ImageGeneration():
            long = len(request.prompt)
            _refuse_unless(0 < long <= LONGEST_PICTURE_PROMPT, f"a prompt of up to {LONGEST_PICTURE_PROMPT} characters")
            _refuse_unless(1 <= request.steps <= MOST_STEPS, f"between 1 and {MOST_STEPS} steps")
            return {"prompt": request.prompt, "steps": request.steps}


def affinity(request: AnyRequest) -> dict[str, str]:
    """What brings requests with one context to the machine that has read it already."""
    if not isinstance(request, Chat) or not request.context:
        return {}
    return {"x-session-affinity": sha256(request.context.encode()).hexdigest()[:32]}


def result(headed: Headed, request: AnyRequest, found: object) -> AnyResult:
    """The answer to a request, from the ``result`` of the envelope. Raises ProviderFailed for nonsense."""
    match request:
        case Chat():
            return ChatResult(text=chat_text(headed, found))
        case Embeddings():
            # Vectors stand in `data` for texts, in `response` for contexts.
            listed = at(found, "data") or at(found, "response")
            return EmbeddingsResult(vectors=packed(headed, listed, expected=len(request.texts)))
        case Rerank():
            ranked = ranking(headed, at(found, "response"), passages=len(request.passages), top=request.top)
            return RerankResult(ranked=ranked)
        case Moderation():
            return _moderated(headed, at(found, "response"))
        case ImageDescription():
            return ImageDescriptionResult(text=_needed(headed, found, "description").strip())
        case Translation():
            return TranslationResult(text=_needed(headed, found, "translated_text"))
        case Transcription():
            return _transcribed(headed, found)
        case ImageGeneration():
            return _painted(headed, found)
        case Speech():
            raise headed.nonsense("speech was expected and a JSON document came")


def chat_text(headed: Headed, found: object) -> str:
    """The text of a chat, native or in OpenAI's shape: it may come as an object, a number or nothing."""
    if isinstance(found, dict) and "response" in found:
        return as_text(found["response"])
    message = at(found, "choices", 0, "message")
    if not isinstance(message, dict):
        raise headed.nonsense("the answer holds no text")
    return as_text(message.get("content"))


def _chat(request: Chat, *, stream: bool) -> dict[str, object]:
    _refuse_unless(bool(request.messages), "at least one message")
    system = "\n\n".join(part for part in (request.context, request.instructions) if part)
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": message.role, "content": message.content} for message in request.messages]
    # Without max_tokens an answer is cut after 256 tokens and nobody is told.
    said: dict[str, object] = {"messages": messages, "max_tokens": request.max_tokens}
    if request.temperature is not None:
        said["temperature"] = request.temperature
    if request.seed is not None:
        said["seed"] = request.seed if 1 <= request.seed <= _LARGEST_SEED else request.seed % _LARGEST_SEED + 1
    if request.schema is not None:  # the schema itself, without the wrapper OpenAI puts around it
        said["response_format"] = {"type": "json_schema", "json_schema": request.schema}
    if stream:
        said["stream"] = True
    return said


def _moderation(request: Moderation) -> dict[str, object]:
    return {
        "messages": [{"role": "user", "content": request.text}],
        "max_tokens": 256,
        "temperature": 0.0,
        "response_format": {"type": "json_object"},
    }


def _transcription(request: Transcription) -> dict[str, object]:
    said: dict[str, object] = {"audio": base64.b64encode(request.audio).decode(), "task": "transcribe"}
    if request.language:
        said["language"] = request.language
    if request.hint:
        said["initial_prompt"] = request.hint
    return said


def _speech(request: Speech) -> dict[str, object]:
    _refuse_unless(bool(request.text.strip()), "a text")
    said: dict[str, object] = {"text": request.text}
    if request.voice:
        said["speaker"] = request.voice
    wav = {"encoding": "linear16", "container": "wav"}
    return said | (wav if request.encoding == "wav" else {"encoding": "mp3"})


def _moderated(headed: Headed, verdict: object) -> ModerationResult:
    if isinstance(verdict, str):
        first, *more = verdict.strip().lower().split(None, 1)[:2] or [""]
        named: object = more[0].upper().replace(",", " ").split() if more else []
        safe: object = {"safe": True, "unsafe": False}.get(first)
    else:
        safe, named = at(verdict, "safe"), at(verdict, "categories")
    if not isinstance(safe, bool):
        raise headed.nonsense("the verdict is neither safe nor unsafe")
    listed = named if isinstance(named, list) else []
    categories = tuple(one for one in listed if isinstance(one, str) and _CATEGORY.fullmatch(one))
    return ModerationResult(safe=safe, categories=() if safe else categories)


def _transcribed(headed: Headed, found: object) -> TranscriptionResult:
    seconds = at(found, "transcription_info", "duration")
    words = [word for segment in list_at(found, "segments") for word in list_at(segment, "words")]
    return TranscriptionResult(
        text=_needed(headed, found, "text").strip(),
        language=text_at(found, "transcription_info", "language"),
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        words=tuple(spoken for word in words if (spoken := spoken_word(word))),
    )


def spoken_word(word: object) -> SpokenWord | None:
    """A word with its times, null where one of them is missing."""
    text, start, end = text_at(word, "word"), at(word, "start"), at(word, "end")
    if text is None or not isinstance(start, int | float) or not isinstance(end, int | float):
        return None
    return SpokenWord(text.strip(), float(start), float(end))


def _painted(headed: Headed, found: object) -> ImageGenerationResult:
    try:
        image = base64.b64decode(_needed(headed, found, "image"), validate=True)
    except binascii.Error:
        raise headed.nonsense("the picture is not base64") from None
    kind = media_type(image)
    if kind is None:
        raise headed.nonsense("what was said to be a picture is none")
    return ImageGenerationResult(image=image, media_type=kind)


def _needed(headed: Headed, found: object, name: str) -> str:
    text = text_at(found, name)
    if text is None:
        raise headed.nonsense(f"the answer holds no {name}")
    return text


def _refuse_unless(holds: bool, needed: str) -> None:
    if not holds:
        raise AIInputRefused(f"Workers AI takes {needed}")
