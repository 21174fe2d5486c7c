"""Images for the page, embedded as data URLs."""

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from eyechart.data.open_image import open_image

QUALITY = 85  # JPEG quality


def embed(path: Path, pixels: int) -> tuple[str, int, int]:
    """Return an image as a data URL, at most ``pixels`` per side, with its width and height.

    It is a PNG, or a JPEG if this is less than half as large, as for photographs. Raise a UserError
    if the image is missing or damaged.
    """
    image = open_image(path)
    image.thumbnail((pixels, pixels))
    exact, close = _encoded(image, "PNG"), _encoded(image, "JPEG", quality=QUALITY)
    photograph = 2 * len(close) < len(exact)
    return _address(close, "jpeg") if photograph else _address(exact, "png"), *image.size


def png_address(image: Image.Image) -> str:
    """Return an image as a PNG data URL."""
    return _address(_encoded(image, "PNG"), "png")


def _encoded(image: Image.Image, kind: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, optimize=True, **how)
    return buffer.getvalue()


def _address(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
