"""Colours that go together: ramps from dark to light with an accent, and words that call for one of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonetouch_runtime.ai.local.ngrams import folded

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Palette:
    """Five colours in sRGB from the darkest to the lightest, and one that stands out from them."""

    name: str
    ramp: tuple[Colour, Colour, Colour, Colour, Colour]
    accent: Colour

    def at(self, places: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Colours between 0 and 1 for places between 0 (darkest) and 1, shape (..., 3), mixed in linear light."""
        stops = np.linspace(0.0, 1.0, len(self.ramp))
        linear = (np.array(self.ramp) / 255.0) ** 2.2
        mixed = np.stack([np.interp(places, stops, linear[:, channel]) for channel in range(3)], axis=-1)
        return np.asarray(mixed ** (1 / 2.2), np.float64)


def _palette(name: str, colours: str) -> Palette:
    first, second, third, fourth, fifth, accent = (_colour(code) for code in colours.split())
    return Palette(name, (first, second, third, fourth, fifth), accent)


def _colour(code: str) -> Colour:
    return int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)


PALETTES = (
    _palette("dusk", "1b1035 4a1e5c a23b72 f18f6b ffe3b8 ffcf5c"),
    _palette("ember", "1c0b0f 571622 b23a2f f0803c ffe0a6 3fb7b0"),
    _palette("tide", "071a2b 0d3f5a 1f7a8c 7cc6c3 eef6e6 ff8a5b"),
    _palette("forest", "0d1b16 1f3f31 4b7f52 a8b86b f3ecc2 e4572e"),
    _palette("night", "060714 141a3c 2f3f7f 7d86c9 e6e3ff f6c453"),
    _palette("desert", "2b1613 6e3527 c0683f e9b072 fbeed6 2a9d8f"),
    _palette("rose", "2a0f1e 6d1f45 c9456f f39aa7 ffece6 3d5a80"),
    _palette("mint", "0b2027 1f4f55 4fa095 b5dfc3 f7fbe8 ef6f6c"),
    _palette("violet", "12061f 3a1466 7a35b8 c58bf0 f7e9ff 56e0c8"),
    _palette("ash", "101114 2e3238 666b73 b4b7b8 f3f1ec d7263d"),
    _palette("neon", "09051a 24105c c2186b ff6f91 fff1c9 00e5c0"),
    _palette("harvest", "231506 5b3413 a9651b e0a63a fbf0cf 2e8f8a"),
)

# What a prompt may say, and the palettes that suit it.
MOODS: Mapping[str, Sequence[str]] = {
    "night midnight dark moon star stars nocturne sleep dream dreams shadow": ("night", "violet", "dusk"),
    "sunset evening dusk twilight golden warm summer love romance romantic": ("dusk", "ember", "rose"),
    "fire anger angry hot burning red metal rage loud aggressive": ("ember", "neon", "desert"),
    "sea ocean river rain water blue calm cool wave waves ambient slow": ("tide", "mint", "night"),
    "forest tree trees green folk nature earth acoustic leaf leaves": ("forest", "harvest", "mint"),
    "desert sand road dust country western sun dry": ("desert", "harvest", "ember"),
    "sad melancholy melancholic grey gray lonely winter snow piano cold quiet": ("ash", "tide", "night"),
    "dance club party electronic neon techno house synth disco pop city": ("neon", "violet", "rose"),
    "happy bright joy spring morning fresh light playful": ("mint", "rose", "harvest"),
    "autumn jazz soul blues coffee wood nostalgic old vintage": ("harvest", "desert", "forest"),
}

_WORDS = re.compile(r"[a-z]+")
_BY_WORD = {word: names for words, names in MOODS.items() for word in words.split()}


def fitting(prompt: str) -> tuple[Palette, ...]:
    """The palettes that the most words of the prompt call for; all of them where no word does."""
    called = [name for word in _WORDS.findall(folded(prompt)) for name in _BY_WORD.get(word, ())]
    most = max((called.count(name) for name in called), default=0)
    return tuple(palette for palette in PALETTES if called.count(palette.name) == most)
