"""What a call will use that is no text: enough for a budget to set it aside before it is made."""

import io
import wave

import pytest

from tonetouch_runtime.ai.expecting import LEAST_BYTES_A_SECOND, expected
from tonetouch_runtime.ai.pricing import PriceBook
from tonetouch_runtime.ai.tasks import (
    AnyRequest,
    Chat,
    ImageDescription,
    ImageGeneration,
    Message,
    Speech,
    Transcription,
)

AT = "2026-11-22T00:00:00Z"


def recording(*, seconds: int, rate: int) -> bytes:
    """Silence, mono, 16 bits."""
    kept = io.BytesIO()
    with wave.open(kept, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(bytes(2 * rate * seconds))
    return kept.getvalue()


@pytest.mark.parametrize(
    ("request_", "model", "pico_usd"),
    [
        # 1,500 characters at 2,727.27 neurons a thousand, 0.011 USD a thousand neurons.
        (Speech(text="a" * 1500), "@cf/deepgram/aura-2-en", 44_999_955_000),
        # Four tiles of 512 by 512 at 4.80 neurons, four steps at 9.60.
        (ImageGeneration(prompt="a tram"), "@cf/black-forest-labs/flux-1-schnell", 633_600_000),
    ],
)
def test_what_it_costs_is_known_before(request_: AnyRequest, model: str, pico_usd: int) -> None:
    """To the letter of the price book, for what is counted before the call as it is after."""
    usage = expected(request_)
    assert usage is not None
    assert PriceBook.load().cost(provider="cloudflare", model=model, usage=usage, at=AT).pico_usd == pico_usd


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_a_wav_file_says_how_long_it_is(rate: int) -> None:
    """By the bytes a second in its header; the header itself is a millisecond or two."""
    usage = expected(Transcription(audio=recording(seconds=12, rate=rate), media_type="audio/wav"))
    assert usage is not None
    assert 12_000 <= usage.quantities[0].amount <= 12_003


@pytest.mark.parametrize(
    "audio", [b"\xff\xfb" + bytes(39_998), b"RIFF" + bytes(39_996), b"RIFFxxxxWAVEfmt " + bytes(39_984)]
)
def test_of_another_recording_rather_too_much_is_set_aside(audio: bytes) -> None:
    """A compressed one, and one whose header is broken, are taken for speech of the lowest quality."""
    usage = expected(Transcription(audio=audio, media_type="audio/mpeg"))
    assert usage is not None
    assert usage.quantities[0].amount == 40_000 * 1000 // LEAST_BYTES_A_SECOND


def test_a_picture_is_counted_in_tokens() -> None:
    """As the largest that a model looks at, and the longest answer."""
    usage = expected(ImageDescription(image=b"picture"))
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (1_600, 512)


def test_a_text_says_itself_what_it_will_use() -> None:
    """Its tokens are counted where its route is chosen."""
    assert expected(Chat(messages=(Message("user", "hello"),))) is None
