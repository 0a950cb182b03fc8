"""A cover from a prompt: an abstract picture, painted from the hash of what was asked.

Honest about itself: it does not know what the prompt says. Of its words it takes the colours (`palettes.MOODS`), all
else (the way of painting, every shape) comes from the hash. The same prompt and seed give the same picture.
"""

import hashlib
import io
from dataclasses import dataclass

from tonetouch_runtime.ai.local.brushes import Draws, finished
from tonetouch_runtime.ai.local.cleaning import cleaned
from tonetouch_runtime.ai.local.errors import TextRefused
from tonetouch_runtime.ai.local.palettes import fitting
from tonetouch_runtime.ai.local.styles import STYLES

SIDE = 1024
MAX_CHARACTERS = 4_096
JPEG_QUALITY = 90
MEDIA_TYPE = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Painted:
    """A square picture as a file, and what it was painted with."""

    image: bytes
    media_type: str
    style: str
    palette: str


def paint(prompt: str, *, seed: int | None = None, side: int = SIDE) -> Painted:
    """A JPEG of `side` pixels a side. Case, spaces and invisible characters of the prompt change nothing.

    The picture is the same for the same processor and versions of numpy and Pillow; between others single pixels may
    differ by one. Raises `TextRefused` for a prompt with nothing readable in it or over 4,096 characters.
    """
    if len(prompt) > MAX_CHARACTERS:
        raise TextRefused(f"The prompt has {len(prompt)} characters; at most {MAX_CHARACTERS} are read.")
    asked = cleaned(prompt, limit=MAX_CHARACTERS).casefold()
    if not asked:
        raise TextRefused("The prompt has nothing readable in it.")
    digest = hashlib.sha256(f"{seed}\n{asked}".encode()).digest()
    draws = Draws(int.from_bytes(digest))
    palettes = fitting(asked)
    palette = palettes[draws.whole(0, len(palettes) - 1)]
    style = list(STYLES)[draws.whole(0, len(STYLES) - 1)]
    file = io.BytesIO()
    finished(STYLES[style](draws, palette, side), draws).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return Painted(file.getvalue(), MEDIA_TYPE, style, palette.name)
