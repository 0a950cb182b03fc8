"""A cover: is it a picture we can show, how large is it, and which colours does it have?

Nothing is decoded before its size is known to be bearable: a file of a few kilobytes can unpack to gigabytes.
"""

import hashlib
import io
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

MAXIMUM_BYTES: Final = 10 * 1024 * 1024
MAXIMUM_PIXELS: Final = 25_000_000  # 5000 x 5000: 100 MB when decoded with transparency
MAXIMUM_SIDE: Final = 16_000

_MIME: Final = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
_SAMPLE: Final = 64  # pixels a side that colours are counted on
_DOMINANT_SHARE: Final = 0.15
_MAXIMUM_DOMINANT: Final = 3

# Names a listener would use, each with a typical value; a pixel takes the name that is nearest in OKLab.
_COLOURS: Final = {
    "black": 0x0C0C0E,
    "charcoal": 0x3A3B3F,
    "grey": 0x808285,
    "silver": 0xC3C5C8,
    "white": 0xFAFAFA,
    "cream": 0xF5EBD0,
    "beige": 0xD2BC98,
    "brown": 0x6B4326,
    "deep brown": 0x33200F,
    "deep red": 0x7A1216,
    "bright red": 0xE02424,
    "coral": 0xF4766A,
    "pale pink": 0xF6CBD4,
    "pink": 0xEE6FA6,
    "magenta": 0xCB1F9C,
    "deep purple": 0x3F1A66,
    "purple": 0x8340C4,
    "lavender": 0xC4B2EA,
    "deep blue": 0x14266E,
    "blue": 0x2258DC,
    "slate blue": 0x5B7396,
    "sky blue": 0x86C3F0,
    "turquoise": 0x2FC8C4,
    "deep teal": 0x0D4D54,
    "deep green": 0x16432A,
    "green": 0x2C9D48,
    "pale green": 0xB8E2B4,
    "lime": 0xA3D62B,
    "olive": 0x74762F,
    "yellow": 0xF6DF33,
    "gold": 0xCE9A22,
    "warm orange": 0xF08020,
    "peach": 0xFAC8A0,
    "rust": 0xA9461C,
}


class CoverRefused(Exception):
    """The picture cannot be a cover; `reason` says why to the person who uploaded it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """A verified picture. Width and height are in pixels as stored; sha256 is of the file's bytes, in hexadecimal.

    `dominant_colours` are one to three names, the largest area first; `average_colour` names the mean of all light.
    `brightness` goes from 0 (black) to 1 (white) as the eye sees it.
    """

    mime: str
    width: int
    height: int
    sha256: str
    average_colour: str
    dominant_colours: tuple[str, ...]
    brightness: float


def read_cover(data: bytes) -> Cover:
    """Verifies a JPEG, PNG, WebP or GIF of one frame and describes it. The same bytes give the same answer.

    Raises CoverRefused for more than 10 MiB or 25 megapixels, for animations, other formats, and broken files.
    """
    if not data:
        raise CoverRefused("The cover is empty.")
    if len(data) > MAXIMUM_BYTES:
        raise CoverRefused(f"The cover has {len(data) / 2**20:.1f} MiB; at most {MAXIMUM_BYTES >> 20} are allowed.")
    width, height, mime, sample = _look(data)
    lightness, names = _colours_of(sample)
    return Cover(
        mime=mime,
        width=width,
        height=height,
        sha256=hashlib.sha256(data).hexdigest(),
        average_colour=_name_of(_linear(sample).mean(axis=0, keepdims=True))[0],
        dominant_colours=_dominant(names),
        brightness=round(float(lightness.mean()), 3),
    )


def colours_in_words(cover: Cover) -> str:
    """Says the dominant colours: 'deep blue', 'deep blue and warm orange', 'black, grey and bright red'."""
    *others, last = cover.dominant_colours
    return f"{', '.join(others)} and {last}" if others else last


def _look(data: bytes) -> tuple[int, int, str, NDArray[np.uint8]]:
    """Opens, checks, then decodes. Pillow reads headers only on opening, but of WebP it reserves the whole canvas."""
    _refuse_large(*_webp_size(data))
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "GIF")) as image:
            _refuse_large(*image.size)
            mime, (width, height) = _MIME[str(image.format)], image.size
            # MPO is a JPEG with more pictures behind it, as phones write them: the first is what everybody shows.
            if getattr(image, "is_animated", False) and image.format != "MPO":
                raise CoverRefused("The cover is animated; a still picture is needed.")
            image.draft("RGB", (_SAMPLE * 4, _SAMPLE * 4))
            image.load()
            _refuse_large(*image.size)
            return width, height, mime, _sample(image)
    except UnidentifiedImageError:
        raise CoverRefused("The cover is no JPEG, PNG, WebP or GIF picture.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise CoverRefused(_too_large()) from None
    except CoverRefused:
        raise
    except Exception as broken:  # decoders fail on arbitrary bytes in as many ways: OSError, SyntaxError, struct.error
        raise CoverRefused("The cover is broken or cut off.") from broken


def _refuse_large(width: int, height: int) -> None:
    if width * height > MAXIMUM_PIXELS or max(width, height) > MAXIMUM_SIDE:
        raise CoverRefused(_too_large(width, height))


def _too_large(width: int = 0, height: int = 0) -> str:
    size = f"{width} x {height}" if width else "too many"
    return f"The cover has {size} pixels; at most {MAXIMUM_PIXELS // 1_000_000} megapixels are allowed."


def _webp_size(data: bytes) -> tuple[int, int]:
    """The size that a WebP header claims, (0, 0) for anything else. Source: RFC 9649."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return 0, 0
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        packed = int.from_bytes(data[21:25], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _sample(image: Image.Image) -> NDArray[np.uint8]:
    """A small copy on white, shape (pixels, 3)."""
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip at 255 instead of scaling
        image = Image.fromarray((np.asarray(image, dtype=np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "P"):
        small = image.convert("RGBA").resize((_SAMPLE, _SAMPLE), Image.Resampling.BOX)
        white = Image.new("RGBA", small.size, "white")
        small = Image.alpha_composite(white, small).convert("RGB")
    else:
        small = image.convert("RGB").resize((_SAMPLE, _SAMPLE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8).reshape(-1, 3)


def _linear(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB to linear light (IEC 61966-2-1)."""
    share = rgb.astype(np.float64) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _oklab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear light to OKLab, where distance is about what the eye sees (Ottosson 2020)."""
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.asarray(np.cbrt(linear @ np.array(to_cones).T) @ np.array(to_lab).T, dtype=np.float64)


def _name_of(linear: NDArray[np.float64]) -> list[str]:
    values = np.array([[value >> 16, value >> 8 & 255, value & 255] for value in _COLOURS.values()], dtype=np.uint8)
    typical = _oklab(_linear(values))
    distances = np.linalg.norm(_oklab(linear)[:, None, :] - typical[None, :, :], axis=2)
    names = list(_COLOURS)
    return [names[at] for at in distances.argmin(axis=1).tolist()]


def _colours_of(sample: NDArray[np.uint8]) -> tuple[NDArray[np.float64], list[str]]:
    linear = _linear(sample)
    return np.clip(_oklab(linear)[:, 0], 0.0, 1.0), _name_of(linear)


def _dominant(names: list[str]) -> tuple[str, ...]:
    """The colours of at least 15 % of the area, at most three; the largest in any case."""
    counts = {name: names.count(name) for name in _COLOURS}
    ordered = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])
    large = [name for name in ordered if counts[name] >= _DOMINANT_SHARE * len(names)]
    return tuple(large[:_MAXIMUM_DOMINANT] or ordered[:1])
