"""A text, spoken: eSpeak NG, a formant synthesiser that is easy to understand and sounds like the machine it is.

The package `espeakng-loader` (the extra `ai-local-speech`) carries eSpeak NG 1.52 and its data, which are under
GPL-3.0-or-later. They are optional, loaded at run time, and only in a process of their own.
"""

import io
import re
import wave
from dataclasses import dataclass
from importlib.util import find_spec

from tonetouch_runtime.ai.local import process
from tonetouch_runtime.ai.local.cleaning import cleaned
from tonetouch_runtime.ai.local.errors import EngineMissing, TextRefused

EXTRA = "ai-local-speech"
MAX_CHARACTERS = 10_000
MAX_SECONDS = 1_800
TIMEOUT_SECONDS = 60.0
DEFAULT_VOICE = "en-us"

_VOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 +_-]{0,39}")


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A recording as little-endian samples of 16 bits, one channel, and how many characters were spoken."""

    pcm: bytes
    rate: int
    characters: int


def speak(text: str, *, voice: str | None = None) -> Spoken:
    """Say `text`, without what is invisible in it. The same text in the same voice gives the same samples.

    Voices are eSpeak NG's own (``en-us``, ``de``, ``en-us+f2``); any other name is another provider's, and speaks in
    American English. Raises `TextRefused` for a text with nothing to say in it, for more than 10,000 characters and for
    more than half an hour of speech, `EngineMissing` without the extra, `EngineFailed` when the synthesiser dies.
    """
    if len(text) > MAX_CHARACTERS:
        raise TextRefused(f"The text has {len(text)} characters; at most {MAX_CHARACTERS} are spoken at once.")
    said = cleaned(text, limit=MAX_CHARACTERS)
    if not any(character.isalnum() for character in said):
        raise TextRefused("There is nothing to say in the text.")
    library, data = _installed()
    known = voice if voice and _VOICE.fullmatch(voice) else DEFAULT_VOICE
    spoken = process.run(
        "speak",
        library,
        data,
        known,
        DEFAULT_VOICE,
        str(MAX_SECONDS),
        given=said.encode(),
        timeout_seconds=TIMEOUT_SECONDS,
        refused=TextRefused,
    )
    return Spoken(spoken[4:], int.from_bytes(spoken[:4], "little"), len(said))


def _installed() -> tuple[str, str]:
    if find_spec("espeakng_loader") is None:
        raise EngineMissing("espeakng_loader", extra=EXTRA)
    import espeakng_loader  # type: ignore[import-untyped]

    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()


def as_wav(spoken: Spoken) -> bytes:
    """The recording as a WAV file."""
    with io.BytesIO() as file:
        with wave.open(file, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(2)
            writer.setframerate(spoken.rate)
            writer.writeframes(spoken.pcm)
        return file.getvalue()


def as_mp3(spoken: Spoken) -> bytes | None:
    """The recording as MP3, null where PyAV, which no extra of ours brings, is not installed."""
    if find_spec("av") is None:
        return None
    return process.run("pack", str(spoken.rate), given=spoken.pcm, timeout_seconds=TIMEOUT_SECONDS)
