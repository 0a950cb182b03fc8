"""A recording is read to the sample whatever WAV it is in, and refused where it is none."""

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.ai.sounds import FLOAT, PCM, tone, wav_file
from tonetouch_runtime.ai.local import AudioRefused
from tonetouch_runtime.ai.local.sound import Sound, read_pcm, read_wav, resampled

SINE = tone(440, rate=8_000)


@pytest.mark.parametrize(("form", "bits"), [(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)])
@pytest.mark.parametrize("extensible", [False, True])
def test_every_usual_form_gives_the_same_samples(form: int, bits: int, extensible: bool) -> None:
    """Within the step of its bits."""
    sound = read_wav(wav_file(SINE, rate=8_000, form=form, bits=bits, extensible=extensible))
    assert sound.rate == 8_000
    assert np.allclose(sound.samples, SINE, atol=0.01 if bits == 8 else 1e-4)
    assert sound.seconds == 0.25


def test_channels_are_mixed() -> None:
    """Their mean."""
    both = np.stack([SINE, -SINE / 2], axis=1)
    assert np.allclose(read_wav(wav_file(both, rate=8_000)).samples, SINE / 4, atol=1e-4)


def test_a_file_that_was_cut_off_is_read_up_to_there() -> None:
    """So is one whose header lies about its size, as streams do."""
    whole = wav_file(SINE, rate=8_000)
    assert len(read_wav(whole[:-1_001]).samples) == len(SINE) - 501
    streamed = whole[:40] + b"\xff\xff\xff\xff" + whole[44:]
    assert len(read_wav(streamed).samples) == len(SINE)


def test_what_is_not_a_number_is_silence() -> None:
    """Nothing infinite goes on to the decoder."""
    sound = read_wav(wav_file(np.array([np.nan, np.inf, -np.inf, 7.0]), rate=8_000, form=FLOAT, bits=32))
    assert sound.samples.tolist() == [0.0, 1.0, -1.0, 1.0]


def test_plain_samples_have_either_order_of_bytes() -> None:
    """Little-endian as machines keep them, big-endian as RFC 2586 sends them; half a sample is left out."""
    samples = np.array([0, 16384, -32768], "<i2")
    assert read_pcm(samples.tobytes() + b"x", rate=16_000).samples.tolist() == [0.0, 0.5, -1.0]
    assert read_pcm(samples.astype(">i2").tobytes(), rate=16_000, big_endian=True).samples.tolist() == [0.0, 0.5, -1.0]


@pytest.mark.parametrize(
    "audio",
    [
        b"",
        b"RIFF",
        b"RIFF\0\0\0\0WAVE",
        wav_file(SINE, rate=8_000)[:30],
        wav_file(SINE, rate=8_000)[:36],
        wav_file(SINE, rate=1),
        wav_file(SINE, rate=4_000_000),
        wav_file(SINE.reshape(-1, 20), rate=8_000),
        wav_file(SINE, rate=8_000, form=7),
        wav_file(SINE, rate=8_000).replace(struct.pack("<HH", 2, 16), struct.pack("<HH", 0, 0), 1),
        b"RIFF\0\0\0\0WAVE" + b"data\0\0\0\0" * 1_000,
    ],
)
def test_what_is_no_wav_is_refused(audio: bytes) -> None:
    """With a reason, whatever is wrong with it."""
    with pytest.raises(AudioRefused):
        read_wav(audio)


@given(st.binary(max_size=200))
def test_bytes_are_read_or_refused(noise: bytes) -> None:
    """Never anything else."""
    file = wav_file(SINE, rate=8_000)
    for audio in (noise, file[:12] + noise, file[:20] + noise + file[20:]):
        with suppress(AudioRefused):
            assert np.isfinite(read_wav(audio).samples).all()


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 12_345])
def test_a_tone_stays_the_same_tone_at_another_rate(rate: int) -> None:
    """A sine of 440 Hz is the sine of 440 Hz, within a thousandth away from the ends."""
    sound = resampled(Sound(tone(440, rate=rate).astype(np.float32), rate), 16_000)
    expected = tone(440, rate=16_000)[: len(sound.samples)]
    assert sound.rate == 16_000
    assert abs(sound.seconds - 0.25) < 0.001
    assert np.abs(sound.samples[200 : len(expected)] - expected[200:])[:-200].max() < 0.001


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    """12 kHz would come back as 4 kHz at 16,000 samples a second."""
    sound = resampled(Sound(tone(12_000, rate=48_000).astype(np.float32), 48_000), 16_000)
    assert np.abs(sound.samples[200:-200]).max() < 0.002


def test_nothing_stays_nothing() -> None:
    """Of any rate."""
    assert len(resampled(Sound(np.zeros(0, np.float32), 44_100), 16_000).samples) == 0
