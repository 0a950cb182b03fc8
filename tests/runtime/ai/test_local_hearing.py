"""What is said is written down, with the errors we own up to."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.runtime.ai.sounds import tone, wav_file
from tests.sounds import encode
from tonetouch_runtime.ai.local import AudioRefused
from tonetouch_runtime.ai.local.hearing import LONGEST_PART, RATE, hear, in_parts, recorded
from tonetouch_runtime.ai.local.hearing_rate import SENTENCES, heard, word_errors
from tonetouch_runtime.ai.local.sound import MAX_BYTES, MAX_SECONDS
from tonetouch_runtime.ai.local.speaking import as_mp3, as_wav, speak

ODD = np.random.default_rng(1)


def test_what_was_spoken_is_heard() -> None:
    """Out as sound, back as words, each at its time and in order."""
    spoken = speak("There are too many people in this room.")
    result = hear(as_wav(spoken), "audio/wav")
    assert result.text == "there are too many people in this room" == " ".join(word for word, _, _ in result.words)
    assert result.seconds == pytest.approx(len(spoken.pcm) / 2 / spoken.rate, abs=0.001)
    times = [time for _, start, end in result.words for time in (start, end)]
    assert times == sorted(times)
    assert 0 <= times[0] < 0.3 < result.seconds - 0.8 < times[-1] <= result.seconds


def test_about_one_word_in_three_is_wrong() -> None:
    """Some of the sentences that the rate of 0.358 was measured on, in one recording."""
    said = " ".join(SENTENCES[1:6:2])
    text = hear(as_wav(speak(". ".join(SENTENCES[1:6:2]))), "audio/wav").text
    assert 0 < word_errors(said, text) / len(said.split()) < 0.45


def test_threads_hear_the_same() -> None:
    """The decoder is not safe between threads; a process each is. The same recording gives the same words."""
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(heard, ["Hello world."] * 2)) == ["hello world"] * 2


@pytest.mark.parametrize(
    ("said", "written", "errors"),
    [("a b c", "a b c", 0), ("a b c", "", 3), ("", "a", 1), ("a b c", "a c", 1), ("a b", "x b c", 2)],
)
def test_errors_are_counted_in_words(said: str, written: str, errors: int) -> None:
    """Put in, left out, exchanged."""
    assert word_errors(said, written) == errors


def test_the_sentences_are_forty_and_different() -> None:
    """The figure in the docstring is about these."""
    assert len(set(SENTENCES)) == 40


def test_silence_says_nothing() -> None:
    """And asks no decoder."""
    assert hear(wav_file(np.zeros(8_000), rate=8_000), "audio/wav") == hear(b"\0" * 32_000, "audio/pcm")
    assert hear(b"", "audio/pcm").text == ""


def test_plain_samples_and_other_types_are_read_too() -> None:
    """16 bits in either order of bytes; MP3 at nearly the same samples."""
    spoken = speak("Hello world.")
    swapped = np.frombuffer(spoken.pcm, "<i2").astype(">i2").tobytes()
    expected = recorded(as_wav(spoken), "application/octet-stream").samples
    assert np.array_equal(recorded(spoken.pcm, f"audio/pcm; rate={spoken.rate}").samples, expected)
    assert np.array_equal(recorded(swapped, f"audio/L16;rate={spoken.rate};channels=1").samples, expected)
    packed = recorded(as_mp3(spoken) or b"", "audio/mpeg")
    assert packed.rate == RATE
    assert packed.seconds == pytest.approx(len(expected) / spoken.rate, abs=0.2)
    assert np.std(packed.samples) == pytest.approx(np.std(expected), rel=0.2)


@pytest.mark.parametrize("suffix", [".ogg", ".opus", ".webm", ".m4a", ".flac", ".mp3", ".aiff"])
def test_what_browsers_and_telephones_record_is_read(suffix: str, tmp_path: Path) -> None:
    """By what is in it, whatever it is called."""
    samples = 0.3 * np.sin(2 * np.pi * 300 * np.arange(2 * RATE) / RATE)
    codec = "libopus" if suffix == ".webm" else None
    file = encode(samples.astype(np.float32), tmp_path / f"question{suffix}", codec=codec, rate=RATE)
    sound = recorded(file.read_bytes(), "application/octet-stream")
    assert sound.seconds == pytest.approx(2.0, abs=0.1)
    assert np.std(sound.samples) == pytest.approx(np.std(samples), rel=0.2)


def test_a_list_of_files_is_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks would hear what lies on the server's disk."""
    (tmp_path / "of-somebody-else.wav").write_bytes(as_wav(speak("Hello world.")))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AudioRefused):
        recorded(b"ffconcat version 1.0\nfile of-somebody-else.wav\n", "audio/mpeg")


@pytest.mark.parametrize(
    ("audio", "media_type"),
    [
        (b"", "audio/wav"),
        (b"not a recording", "audio/mpeg"),
        (b"not a recording", ""),
        (ODD.bytes(5_000), "audio/ogg"),
        (b"ID3\x04" + ODD.bytes(3_000), "audio/mpeg"),
        (b"RIFF\0\0\0\0WAVE", "audio/wav"),
        (b"\0" * 3_200, "audio/pcm; rate=1"),
        (b"\0" * 3_200, "audio/pcm; rate=99999999999999999999"),
        (b"\0" * (2 * RATE * (MAX_SECONDS + 1)), "audio/pcm"),
        (b"\0" * (MAX_BYTES + 1), "audio/pcm"),
    ],
)
def test_what_is_no_recording_is_refused(audio: bytes, media_type: str) -> None:
    """With a reason, not with a dead process."""
    with pytest.raises(AudioRefused):
        hear(audio, media_type)


def test_noise_and_music_do_no_harm() -> None:
    """Some words may come of them: an answer still."""
    noise = tone(440, rate=44_100, seconds=0.3) + ODD.uniform(-0.5, 0.5, 13_230)
    assert hear(wav_file(noise, rate=44_100), "audio/wav").seconds == pytest.approx(0.3)


def test_a_long_recording_is_cut_where_it_is_quiet() -> None:
    """In parts that are at most half a minute and together the whole."""
    samples = np.full(75 * RATE, 1_000, np.int16)
    samples[24 * RATE : 24 * RATE + RATE // 2] = 0
    parts = in_parts(samples)
    assert sum(parts) == len(samples)
    assert max(parts) <= LONGEST_PART
    assert 24 * RATE < parts[0] < 24.5 * RATE
    assert in_parts(samples[:100]) == [100]
