"""A text becomes a recording, always the same, in a process of its own."""

import io
import wave
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tonetouch_runtime.ai.local import TextRefused
from tonetouch_runtime.ai.local.speaking import MAX_CHARACTERS, Spoken, as_mp3, as_wav, speak

SENTENCE = "The band played until midnight."


def seconds(spoken: Spoken) -> float:
    return len(spoken.pcm) / 2 / spoken.rate


def test_a_sentence_is_spoken_at_the_speed_of_people() -> None:
    """Five words in one to four seconds, neither silent nor clipped."""
    spoken = speak(SENTENCE)
    samples = np.frombuffer(spoken.pcm, "<i2")
    assert spoken.rate == 22_050
    assert 1.0 < seconds(spoken) < 4.0
    assert 3_000 < np.abs(samples.astype(int)).max() < 32_767
    assert spoken.characters == len(SENTENCE)


def test_the_same_text_gives_the_same_samples_in_any_thread() -> None:
    """The library is not safe between threads; a process each is."""
    with ThreadPoolExecutor(4) as threads:
        spoken = list(threads.map(speak, [SENTENCE, "Another one.", SENTENCE, "Another one."]))
    assert spoken[0].pcm == spoken[2].pcm != spoken[1].pcm == spoken[3].pcm


def test_a_voice_is_another_voice_and_an_unknown_one_the_usual() -> None:
    """A name of another provider is no reason to say nothing."""
    usual = speak(SENTENCE)
    assert speak(SENTENCE, voice="en-us+f2").pcm != usual.pcm
    assert speak("Guten Abend", voice="de").pcm != speak("Guten Abend").pcm
    assert speak(SENTENCE, voice="angus").pcm == usual.pcm
    assert speak(SENTENCE, voice="../../etc/passwd").pcm == usual.pcm
    assert speak(SENTENCE, voice="--help").pcm == usual.pcm


def test_what_is_invisible_is_not_spoken() -> None:
    """Controls, bidi marks and zero-width characters leave no sound; markup is read as text, not obeyed."""
    assert speak("The\x00 band\u202e play\u200bed until midnight.").pcm == speak(SENTENCE).pcm
    assert seconds(speak("<break time='900s'/> one [[h@'loU]] two")) < 15


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\u202e\x00", "... --- !!!", "\ud800", "a" * (MAX_CHARACTERS + 1)])
def test_nothing_and_too_much_are_refused(text: str) -> None:
    """There is nothing to say, or more than is said at once."""
    with pytest.raises(TextRefused):
        speak(text)


@pytest.mark.parametrize("text", ["夜に駆ける", "a" * 3_000, "9" * 200, "é" * 50, "x 😀 y", "$(rm -rf) `id` %s%n"])
def test_any_text_is_spoken(text: str) -> None:
    """Other scripts are spelt, long words cut short, signs read out: nothing ends the process."""
    assert seconds(speak(text)) > 0.1


def test_a_recording_is_a_wav_file() -> None:
    """Which the standard library can read."""
    spoken = speak("One.")
    with wave.open(io.BytesIO(as_wav(spoken))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, spoken.rate)
        assert file.readframes(file.getnframes()) == spoken.pcm


def test_a_recording_is_an_mp3_where_pyav_is() -> None:
    """An eighth of the size or less, the same every time, and read back at its length."""
    av = pytest.importorskip("av")
    spoken = speak(SENTENCE)
    packed = as_mp3(spoken)
    assert packed is not None and packed == as_mp3(spoken)
    assert len(packed) < len(spoken.pcm) / 4
    with av.open(io.BytesIO(packed)) as file:
        length = sum(frame.samples for frame in file.decode(audio=0)) / spoken.rate
    assert abs(length - seconds(spoken)) < 0.2
