"""What kind of picture some bytes are and how large, from their first bytes (PNG, JPEG and WebP specifications)."""

import struct

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def media_type(image: bytes) -> str | None:
    """``image/png``, ``image/jpeg`` or ``image/webp``; null for anything else."""
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if image.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if image.startswith(b"RIFF") and image[8:12] == b"WEBP":
        return "image/webp"
    return None


def size(image: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG or JPEG; null where they cannot be read."""
    if media_type(image) == "image/png" and len(image) >= 24:
        return struct.unpack(">II", image[16:24])
    return _jpeg_size(image) if media_type(image) == "image/jpeg" else None


def _jpeg_size(image: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(image) and image[place] == 0xFF:
        marker = image[place + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", image[place + 5 : place + 9])
            return width, height
        place += 2 + int.from_bytes(image[place + 2 : place + 4])
    return None
