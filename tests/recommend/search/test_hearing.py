"""A search may be spoken; what says nothing is answered, and what cannot be heard is refused."""

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.recommend.saying import on_shelf, say, track_id
from tests.sounds import encode
from tonetouch_contracts.finding import Heard, SearchByVoice
from tonetouch_recommend.search.hearing import MOST_BYTES, NO_WORDS
from tonetouch_recommend.search.utterance import MOST_SECONDS, WordlessError, check_spoken
from tonetouch_runtime import Floor, Refused
from tonetouch_runtime.ai.local import LocalEngines
from tonetouch_runtime.ai.local.sound import read_wav, resampled
from tonetouch_runtime.ai.local.speaking import as_wav

RATE = 16_000
KEY = "incoming/question.voice"


def wav(samples: NDArray[Any]) -> bytes:
    """One channel, -1 to 1."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def seconds(count: float) -> NDArray[np.float64]:
    return np.arange(int(count * RATE)) / RATE


def syllables(count: float) -> NDArray[np.float64]:
    """A hum that comes and goes four times a second: what a voice does, without words."""
    return 0.3 * np.sin(2 * np.pi * 150 * seconds(count)) * (np.sin(2 * np.pi * 4 * seconds(count)) > 0)


WORDLESS: dict[str, Callable[[], NDArray[np.float64]]] = {
    "silent": lambda: np.zeros(RATE),
    "a tone": lambda: 0.5 * np.sin(2 * np.pi * 440 * seconds(2)),
    "a hiss": lambda: np.random.default_rng(1).normal(0, 0.1, 2 * RATE),
    "too short for a syllable": lambda: np.zeros(100),
}


async def ask(floor: Floor, audio: bytes, media_type: str = "audio/wav", **changes: Any) -> Heard:
    await floor.objects.put(KEY, audio)
    return (await floor.ask(SearchByVoice(object_key=KEY, media_type=media_type, **changes), timeout=60)).value


@pytest.mark.parametrize("name", WORDLESS)
def test_what_can_hold_no_words_is_known_from_its_sound(name: str) -> None:
    """Nobody needs to be asked what is said in it."""
    with pytest.raises(WordlessError):
        check_spoken(read_wav(wav(WORDLESS[name]())))


def test_what_comes_and_goes_may_be_a_voice() -> None:
    """It is let pass, whatever it says."""
    check_spoken(read_wav(wav(syllables(3))))


async def test_a_spoken_question_is_answered_with_its_words(floor: Floor) -> None:
    """By the embedded engine, which hears plain English."""
    await floor.seen(await say(floor.log, *on_shelf("One", "quiet evening music"), *on_shelf("Two", "loud metal")))
    spoken = as_wav(LocalEngines().speak("play something quiet for the evening"))
    heard = await ask(floor, spoken, limit=1, language="en")
    assert heard.transcript == "play something quiet for the evening"
    assert [one.track_id for one in heard.results.items] == [track_id("One")]
    assert (heard.language, heard.results.next_cursor is not None) == ("en", True)
    assert 0.5 < (heard.seconds or 0) < 10


@pytest.mark.parametrize("suffix", [".webm", ".opus", ".m4a", ".mp3"])
async def test_what_a_browser_has_packed_is_heard_like_a_wav(floor: Floor, tmp_path: Path, suffix: str) -> None:
    """Its words, and before a model is asked that it has none or does not end."""

    def packed(samples: NDArray[np.float32]) -> bytes:
        codec = "libopus" if suffix == ".webm" else None
        return encode(samples, tmp_path / f"question{suffix}", codec=codec, rate=RATE).read_bytes()

    spoken = resampled(read_wav(as_wav(LocalEngines().speak("play something quiet for the evening"))), RATE)
    heard = await ask(floor, packed(spoken.samples), "audio/webm;codecs=opus")
    assert "evening" in heard.transcript
    hiss = await ask(floor, packed(WORDLESS["a hiss"]().astype(np.float32)))
    assert (hiss.transcript, (hiss.results.reason or "").startswith(NO_WORDS)) == ("", True)
    with pytest.raises(Refused) as refused:
        await ask(floor, packed(syllables(MOST_SECONDS + 1).astype(np.float32)))
    assert refused.value.problem.code == "too_large"


async def test_a_recording_without_words_finds_nothing_and_says_why(floor: Floor) -> None:
    """It is an answer, not an error."""
    heard = await ask(floor, wav(WORDLESS["a tone"]()))
    assert (heard.transcript, heard.results.items) == ("", ())
    assert (heard.results.reason or "").startswith(NO_WORDS)


async def test_what_cannot_be_heard_is_refused(floor: Floor) -> None:
    """No recording, one that is broken, too long, too large, or somewhere else."""
    for audio, code in {
        b"": "invalid",
        b"RIFF\0\0\0\0WAVEfmt ": "unsupported",
        b"these are no sounds at all": "unsupported",
        wav(syllables(MOST_SECONDS + 1)): "too_large",
        bytes(MOST_BYTES + 1): "too_large",
    }.items():
        with pytest.raises(Refused) as refused:
            await ask(floor, audio)
        assert refused.value.problem.code == code, audio[:20]
    for key, code in (("incoming/none.voice", "not_found"), ("audio/x", "invalid")):
        with pytest.raises(Refused) as refused:
            await floor.ask(SearchByVoice(object_key=key, media_type="audio/wav"))
        assert refused.value.problem.code == code
