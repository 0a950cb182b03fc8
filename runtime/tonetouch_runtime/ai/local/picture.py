"""An image from outside, decoded within bounds and measured: size, light, contrast, colours, detail.

Only what arithmetic on pixels can say. What the image shows is not guessed at.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonetouch_runtime.ai.local.errors import ImageRefused

MAX_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 25_000_000  # 5000 x 5000; about 100 MB while it is decoded
MAX_RATIO = 50
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
SAMPLE_SIDE = 128

_DAMAGE = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError,
    struct.error, zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip

# sRGB anchors of the words people agree on most; a pixel takes the word of the nearest anchor in OKLab.
COLOUR_NAMES: dict[str, tuple[int, int, int]] = {
    "black": (8, 8, 8), "dark grey": (64, 64, 64), "grey": (128, 128, 128), "light grey": (196, 196, 196),
    "white": (252, 252, 252), "dark red": (110, 10, 15), "red": (220, 25, 30), "pink": (250, 160, 185),
    "magenta": (215, 30, 150), "brown": (110, 65, 30), "beige": (225, 205, 170), "orange": (250, 140, 20),
    "gold": (205, 165, 45), "yellow": (250, 230, 40), "olive": (115, 115, 25), "lime green": (150, 220, 50),
    "green": (40, 150, 55), "dark green": (15, 70, 30), "light green": (165, 220, 165), "teal": (15, 125, 125),
    "turquoise": (65, 210, 200), "light blue": (160, 205, 240), "blue": (35, 95, 215), "navy blue": (15, 25, 90),
    "purple": (120, 40, 150), "violet": (65, 20, 95), "lavender": (195, 170, 230),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What was measured. `lightness` and `contrast` are of CIE L* (0 to 100): its mean and its standard deviation.

    `detail` is the mean step of L* between neighbours in the sample of 128 pixels a side; `colours` are names with
    their share of the area, largest first; `middle_lead` and `top_lead` say by how much of L* the middle ninth is
    lighter than the rest, and the upper half lighter than the lower one.
    """

    width: int
    height: int
    lightness: float
    contrast: float
    detail: float
    colours: tuple[tuple[str, float], ...]
    middle_lead: float
    top_lead: float


def measured(image: bytes) -> Picture:
    """Decode and measure the first frame of an image. Raises `ImageRefused` for anything unreadable or too large.

    Transparent parts are seen on white, as a page would show them.
    """
    if len(image) > MAX_BYTES:
        raise ImageRefused(f"The image has {len(image)} bytes; at most {MAX_BYTES} are read.")
    try:
        with Image.open(io.BytesIO(image), formats=FORMATS) as opened:
            width, height = opened.size
            _refuse_large(width, height)
            sample = _sample(opened)
            if opened.getexif().get(0x0112, 1) in (5, 6, 7, 8):  # stored lying on its side
                sample, width, height = sample.transpose(Image.Transpose.ROTATE_270), height, width
    except _DAMAGE as error:
        raise ImageRefused("The image cannot be read: it is damaged, too large or of an unknown format.") from error
    return _measured_sample(np.asarray(sample, np.float64) / 255.0, width=width, height=height)


def _refuse_large(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_RATIO * max(min(width, height), 1):
        raise ImageRefused(
            f"The image is {width} by {height} pixels; at most {MAX_PIXELS} are decoded, none of "
            f"which a side is over {MAX_RATIO} times the other."
        )


def _sample(opened: Image.Image) -> Image.Image:
    """The image as RGB, no side longer than 128 pixels."""
    opened.draft("RGB", (2 * SAMPLE_SIDE, 2 * SAMPLE_SIDE))  # a JPEG is decoded at a fraction of its size
    if opened.mode.startswith(("I", "F")):  # 16 bits of grey; converting would clip instead of scale
        grey = np.asarray(opened, np.float64)
        opened = Image.fromarray((grey / max(float(grey.max()), 65535.0) * 255.0).clip(0, 255).astype(np.uint8))
    scale = SAMPLE_SIDE / max(opened.size)
    size = (max(1, round(opened.width * scale)), max(1, round(opened.height * scale)))
    clear = opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    small = clear.resize(size, Image.Resampling.BOX) if scale < 1 else clear
    if small.mode == "RGBA":
        small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small)
    return small.convert("RGB")


def _measured_sample(rgb: NDArray[np.float64], *, width: int, height: int) -> Picture:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    light = _cie_lightness(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return Picture(
        width=width,
        height=height,
        lightness=float(light.mean()),
        contrast=float(light.std()),
        detail=_mean_step(light),
        colours=_colour_shares(_oklab(linear).reshape(-1, 3)),
        middle_lead=_middle_lead(light),
        top_lead=_lead(light[: len(light) // 2], light[(len(light) + 1) // 2 :]),
    )


def _cie_lightness(luminance: NDArray[np.float64]) -> NDArray[np.float64]:
    """L* of CIE 1976 from relative luminance."""
    low = luminance * (29 / 3) ** 3
    return np.asarray(np.where(luminance > (6 / 29) ** 3, 116 * np.cbrt(luminance) - 16, low), np.float64)


def _oklab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """OKLab (Ottosson 2020) from linear sRGB, shape (..., 3)."""
    to_cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.asarray(np.cbrt(linear @ to_cones.T) @ to_lab.T, np.float64)


def _mean_step(light: NDArray[np.float64]) -> float:
    steps = [np.abs(np.diff(light, axis=axis)).ravel() for axis in (0, 1)]
    every = np.concatenate(steps)
    return float(every.mean()) if every.size else 0.0


def _colour_shares(pixels: NDArray[np.float64]) -> tuple[tuple[str, float], ...]:
    names = list(COLOUR_NAMES)
    anchors = np.array(list(COLOUR_NAMES.values()), np.float64) / 255.0
    anchors = _oklab(np.where(anchors <= 0.04045, anchors / 12.92, ((anchors + 0.055) / 1.055) ** 2.4))
    distances = ((pixels[:, None, :] - anchors[None, :, :]) ** 2).sum(axis=2)
    shares = np.bincount(distances.argmin(axis=1), minlength=len(names)) / len(pixels)
    ordered = sorted(zip(names, shares.tolist(), strict=True), key=lambda named: -named[1])
    return tuple((name, share) for name, share in ordered if share > 0)


def _middle_lead(light: NDArray[np.float64]) -> float:
    rows, columns = (slice(side // 3, side - side // 3) for side in light.shape)
    middle = np.zeros(light.shape, np.bool_)
    middle[rows, columns] = True
    return _lead(light[middle], light[~middle])


def _lead(these: NDArray[np.float64], those: NDArray[np.float64]) -> float:
    return float(these.mean() - those.mean()) if these.size and those.size else 0.0


def dominant(colours: Sequence[tuple[str, float]], *, at_least: float, at_most: int) -> tuple[str, ...]:
    """Names of the colours with at least this share of the area; the largest one whatever its share."""
    large = [name for place, (name, share) in enumerate(colours) if place == 0 or share >= at_least]
    return tuple(large[:at_most])
