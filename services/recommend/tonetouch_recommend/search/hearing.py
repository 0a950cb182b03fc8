"""Hearing: a search that is spoken. Answers `SearchByVoice`.

What nobody can have said anything in (silence, a tone, a hiss) is known from the sound itself, at no cost; for the rest
the model's words are taken as they are, and an empty transcript is an answer, not an error.
"""

import asyncio
from importlib.util import find_spec
from typing import Final

from tonetouch_contracts.finding import Heard, Results, SearchByVoice, SearchTracks
from tonetouch_recommend.search.searching import MOST_CHARACTERS, search_tracks
from tonetouch_recommend.search.utterance import MOST_SECONDS, WordlessError, check_spoken, too_long
from tonetouch_runtime import Floor, ObjectMissing, ObjectTooLarge, Refused, Router
from tonetouch_runtime.ai import AIInputRefused, Whose
from tonetouch_runtime.ai.local.errors import AudioRefused, EngineFailed
from tonetouch_runtime.ai.local.hearing import recorded
from tonetouch_runtime.ai.local.sound import Sound
from tonetouch_runtime.ai.tasks import Transcription, TranscriptionResult

router = Router()

FEATURE: Final = "search.voice"
MOST_BYTES: Final = 8 << 20
KEPT_UNDER: Final = "incoming/"
NO_WORDS: Final = "No words were heard in the recording."
_SAY_AGAIN: Final = "Say it again, close to the microphone, or type it."


@router.answers(SearchByVoice)
async def search_by_voice(command: SearchByVoice, floor: Floor) -> Heard:
    """The words and what they find. Raises Refused for what is no recording, too long or too large."""
    audio = await _recording(command.object_key, floor)
    sound = await asyncio.to_thread(_sound, audio, command.media_type)
    try:
        if sound is not None:
            check_spoken(sound)
    except WordlessError as error:
        return Heard(transcript="", results=_nothing(str(error)), seconds=error.seconds)
    heard = await _transcribed(audio, command, floor)
    if heard.seconds is not None and heard.seconds > MOST_SECONDS:
        raise too_long(heard.seconds)
    words = " ".join(heard.text.split())
    if not any(letter.isalnum() for letter in words):
        return Heard(transcript="", results=_nothing(_SAY_AGAIN), language=heard.language, seconds=heard.seconds)
    query = words if len(words) <= MOST_CHARACTERS else words[:MOST_CHARACTERS].rpartition(" ")[0]
    asked = SearchTracks(
        query=query or words[:MOST_CHARACTERS],
        limit=command.limit,
        region=command.region,
        explicit_allowed=command.explicit_allowed,
        kinds=command.kinds,
        user_id=command.user_id,
    )
    found = await search_tracks(asked, floor)
    return Heard(transcript=asked.query, results=found, language=heard.language, seconds=heard.seconds)


async def _recording(key: str, floor: Floor) -> bytes:
    if not key.startswith(KEPT_UNDER):
        raise Refused("invalid", f"A spoken search lies under {KEPT_UNDER} in the store.")
    try:
        return await floor.objects.get(key, max_bytes=MOST_BYTES)
    except ObjectTooLarge:
        raise Refused("too_large", f"A spoken search has at most {MOST_BYTES >> 20} MiB.", "Say it shorter.") from None
    except ObjectMissing:
        raise Refused("not_found", "The recording is not there (any more).", "Send it again.") from None


def _sound(audio: bytes, media_type: str) -> Sound | None:
    """The recording as it sounds; None for a packed one where nothing here can open it, and the model may.

    Raises Refused for what is none.
    """
    if not audio:
        raise Refused("invalid", "The recording has no bytes.", "Record something.")
    is_plain = audio[:4] == b"RIFF" and audio[8:12] == b"WAVE"
    if not is_plain and find_spec("av") is None:
        return None
    try:
        return recorded(audio, media_type)
    except (AudioRefused, EngineFailed) as error:
        raise Refused("unsupported", str(error), "Send WAV, Ogg, WebM, MP3 or M4A.") from None


async def _transcribed(audio: bytes, command: SearchByVoice, floor: Floor) -> TranscriptionResult:
    # What a person says is theirs: the answer is shared with nobody and the recording is kept nowhere.
    whose = Whose(feature=FEATURE, subject="search", user=command.user_id, share=False, keep_input=False)
    asked = Transcription(audio=audio, media_type=command.media_type, language=command.language)
    try:
        return (await floor.ai.ask(asked, whose)).result
    except AIInputRefused as error:
        raise Refused("unsupported", f"This cannot be heard: {error}", "Send a recording of a voice, as WAV.") from None


def _nothing(reason: str) -> Results:
    return Results(items=(), reason=f"{NO_WORDS} {reason}".strip())
