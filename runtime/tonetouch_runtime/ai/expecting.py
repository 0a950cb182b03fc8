"""What a call will use that is not measured in tokens of text, before it is made: budgets set it aside. Pure.

Rather too much than too little: what was not used is given back when the call has ended.
"""

from typing import Final

from tonetouch_runtime.ai.providers.usage import listened, painted, spoken
from tonetouch_runtime.ai.tasks import AnyRequest, ImageDescription, ImageGeneration, Speech, Transcription
from tonetouch_runtime.ai.usage import Usage, tokens

PICTURE_TOKENS: Final = 1_600
"""Of a picture that is looked at: about what Anthropic counts for the largest it does not shrink (1,568 pixels)."""
DESCRIBED_IN: Final = 512
"""Tokens that a description may have."""
PAINTED: Final = (1024, 1024)
"""Pixels of a generated picture: what FLUX.1 schnell gives."""
LEAST_BYTES_A_SECOND: Final = 4_000
"""Of a recording whose length is not told: 32 kbit/s, below which hardly anybody keeps speech."""


def expected(request: AnyRequest) -> Usage | None:
    """What a request will use at about the most; None where its tokens of text say it."""
    match request:
        case Speech(text=text):
            return spoken(text)
        case ImageGeneration(steps=steps):
            return painted(PAINTED, steps=steps)
        case Transcription(audio=audio):
            return listened(len(audio) / _bytes_a_second(audio), None)
        case ImageDescription():
            return Usage(quantities=tokens(prompt=PICTURE_TOKENS, completion=DESCRIBED_IN), source="estimated")
        case _:
            return None


def _bytes_a_second(audio: bytes) -> int:
    """A WAV file tells them in its header (RIFF, the format chunk's average bytes per second)."""
    if audio[:4] == b"RIFF" and audio[12:16] == b"fmt ":
        return max(int.from_bytes(audio[28:32], "little"), LEAST_BYTES_A_SECOND)
    return LEAST_BYTES_A_SECOND
