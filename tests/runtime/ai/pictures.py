"""Images made for the tests: flat, striped, noisy, large, damaged."""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]
ORANGE, NAVY, WHITE, BLACK = (250, 140, 20), (15, 25, 90), (252, 252, 252), (8, 8, 8)


def encoded(pixels: NDArray[np.uint8], *, form: str = "PNG", exif_orientation: int = 1) -> bytes:
    """Pixels of shape (height, width, 3) as a file of that format."""
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = exif_orientation
    written = io.BytesIO()
    image.save(written, form, exif=exif)
    return written.getvalue()


def flat(colour: Colour, *, width: int = 60, height: int = 60) -> NDArray[np.uint8]:
    return np.full((height, width, 3), colour, np.uint8)


def stripes(one: Colour, other: Colour, *, every: int, side: int = 120) -> NDArray[np.uint8]:
    pixels = flat(one, width=side, height=side)
    pixels[:, (np.arange(side) // every) % 2 == 1] = other
    return pixels


def spot(inside: Colour, outside: Colour, *, side: int = 120) -> NDArray[np.uint8]:
    pixels = flat(outside, width=side, height=side)
    pixels[side // 3 : 2 * side // 3, side // 3 : 2 * side // 3] = inside
    return pixels


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few kilobytes that promises width x height pixels of black."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1_000_000), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
