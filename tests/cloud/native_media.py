"""Recordings and pictures in Workers AI's own form."""

import base64
import binascii
from typing import Any

from jsonschema import Draft202012Validator

from tests.cloud import media
from tests.cloud.asking import Answer, Answering, Asked, encoded
from tests.cloud.faults import Fault, Refused
from tests.cloud.models import Model
from tests.cloud.native import checked
from tests.cloud.record import Charged
from tests.cloud.schemas import BOOLEAN, NUMBER, STRING, closed, either, opened
from tests.cloud.writing import Prompt, digest, sentence

_INTEGER = {"type": "integer"}
_WHISPER = Draft202012Validator(
    opened(
        {
            "audio": {**STRING, "minLength": 1},
            "task": {"enum": ["transcribe", "translate"]},
            "language": STRING,
            "vad_filter": BOOLEAN,
            "initial_prompt": STRING,
            "prefix": STRING,
            "beam_size": NUMBER,
            "condition_on_previous_text": BOOLEAN,
            "no_speech_threshold": NUMBER,
            "compression_ratio_threshold": NUMBER,
            "log_prob_threshold": NUMBER,
            "hallucination_silence_threshold": NUMBER,
        },
        "audio",
    )
)
_LLAVA = Draft202012Validator(
    opened(
        {
            "image": either({"type": "array"}, STRING),
            "prompt": STRING,
            "raw": BOOLEAN,
            "max_tokens": _INTEGER,
            "temperature": NUMBER,
            "top_p": NUMBER,
            "top_k": NUMBER,
            "seed": NUMBER,
            "repetition_penalty": NUMBER,
            "frequency_penalty": NUMBER,
            "presence_penalty": NUMBER,
        },
        "image",
    )
)
_FLUX = Draft202012Validator(
    closed(
        {"prompt": {**STRING, "minLength": 1, "maxLength": 2048}, "steps": {**_INTEGER, "minimum": 1, "maximum": 8}},
        "prompt",
    )
)
_SPEAKERS = [
    "amalthea",
    "andromeda",
    "apollo",
    "arcas",
    "aries",
    "asteria",
    "athena",
    "atlas",
    "aurora",
    "callista",
    "cora",
    "cordelia",
    "delia",
    "draco",
    "electra",
    "harmonia",
    "helena",
    "hera",
    "hermes",
    "hyperion",
    "iris",
    "janus",
    "juno",
    "jupiter",
    "luna",
    "mars",
    "minerva",
    "neptune",
    "odysseus",
    "ophelia",
    "orion",
    "orpheus",
    "pandora",
    "phoebe",
    "pluto",
    "saturn",
    "thalia",
    "theia",
    "vesta",
    "zeus",
]
_AURA = Draft202012Validator(
    opened(
        {
            "text": {**STRING, "minLength": 1},
            "speaker": {"enum": _SPEAKERS},
            "encoding": {"enum": ["linear16", "flac", "mulaw", "alaw", "mp3", "opus", "aac"]},
            "container": {"enum": ["none", "wav", "ogg"]},
            "sample_rate": NUMBER,
            "bit_rate": NUMBER,
        },
        "text",
    )
)
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"RIFF", b"GIF8")


def whisper(asked: Asked, model: Model, body: dict[str, Any] | None) -> Answering:
    """Audio in base64; text, segments, words and a WebVTT."""
    body = checked(_WHISPER, body)
    try:
        audio = base64.b64decode(body["audio"], validate=True)
    except binascii.Error as error:
        raise Refused(400, 5004, f"Invalid data: base64 could not be decoded: {error}") from error
    length = media.milliseconds_of(audio)

    def answered(fault: Fault) -> Answer:
        prompt = Prompt(model=model.name, system=body.get("initial_prompt", ""))
        text = asked.account.planned(prompt) or sentence(body["audio"][:4096])
        told = _transcript(text, length / 1000, body.get("language", "en"))
        return Answer(body=encoded(told), charged=Charged(audio_milliseconds=length))

    return answered


def _transcript(text: str, seconds: float, language: str) -> dict[str, Any]:
    words = text.split()
    each = seconds / max(1, len(words))
    timed = [
        {"word": word, "start": round(at * each, 3), "end": round((at + 1) * each, 3)} for at, word in enumerate(words)
    ]
    segment = {
        "start": 0.0,
        "end": seconds,
        "text": text,
        "temperature": 0.0,
        "avg_logprob": -0.2,
        "compression_ratio": 1.1,
        "no_speech_prob": 0.01,
        "words": timed,
    }
    info = {"language": language, "language_probability": 0.99, "duration": seconds, "duration_after_vad": seconds}
    vtt = f"WEBVTT\n\n00:00.000 --> {int(seconds // 60):02}:{seconds % 60:06.3f}\n{text}\n"
    return {
        "transcription_info": info,
        "text": text,
        "word_count": len(words),
        "segments": [segment],
        "vtt": vtt,
    }


def llava(asked: Asked, model: Model, body: dict[str, Any] | None) -> Answering:
    """The image as the raw body, or as an array of its bytes beside a prompt. Base64 is no form of it."""
    if body is None:
        image, prompt = asked.raw, ""
    else:
        image, prompt = _image_bytes(checked(_LLAVA, body)["image"]), body.get("prompt", "")
    if not image.startswith(_PICTURES):
        raise Refused(400, 5004, "Invalid data: the image could not be decoded")

    def answered(fault: Fault) -> Answer:
        asked_for = Prompt(model=model.name, turns=(("user", prompt),) if prompt else ())
        text = asked.account.planned(asked_for) or f"A picture: {sentence(digest(image.hex()))}"
        return Answer(body=encoded({"description": text}), charged=Charged(images=1))

    return answered


def _image_bytes(image: Any) -> bytes:
    """An array of numbers from 0 to 255, or a string with one character a byte."""
    try:
        return image.encode("latin-1") if isinstance(image, str) else bytes(image)
    except (TypeError, ValueError, UnicodeEncodeError) as error:
        raise Refused(400, 5004, f"Bad input: image: {error}") from error


def flux(asked: Asked, model: Model, body: dict[str, Any] | None) -> Answering:
    """A JPEG in base64. It knows a prompt and steps, and refuses everything else."""
    body = checked(_FLUX, body)
    charged = Charged(images=1, tiles=media.TILES, steps=body.get("steps", 4))
    picture = base64.b64encode(media.jpeg(body["prompt"])).decode()
    return lambda fault: Answer(body=encoded({"image": picture}), charged=charged)


def aura(asked: Asked, model: Model, body: dict[str, Any] | None) -> Answering:
    """The recording itself, without an envelope. The simulator speaks mp3 and linear16; the latter bare or as WAV."""
    body = checked(_AURA, body)
    text, encoding, container = body["text"], body.get("encoding", "mp3"), body.get("container")
    if encoding not in ("mp3", "linear16") or container == "ogg" or (encoding == "mp3" and container == "wav"):
        raise Refused(400, 5004, f"Bad input: {encoding} in {container} is not spoken here")
    charged = Charged(characters=len(text))
    if encoding == "mp3":
        return lambda fault: Answer(body=media.mp3(text), content_type="audio/mpeg", charged=charged)
    audio, kind = media.wav(text, int(body.get("sample_rate", 24_000))), "audio/wav"
    if container == "none":
        audio, kind = audio[media.WAV_HEADER_BYTES :], "audio/l16"
    return lambda fault: Answer(body=audio, content_type=kind, charged=charged)
