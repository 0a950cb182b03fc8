"""Pictures for covers."""

import io

from PIL import Image


def picture(color: str = "red") -> bytes:
    """A small plain PNG."""
    image = io.BytesIO()
    Image.new("RGB", (64, 64), color).save(image, "PNG")
    return image.getvalue()
