"""Images for the page, embedded as data addresses."""

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from eyechart.data.open_image import open_image

QUALITY = 85  # of a JPEG


def embed(path: Path, pixels: int) -> tuple[str, int, int]:
    """Return an image as a data address, at most ``pixels`` a side, and its width and height.

    It is PNG, or JPEG where that takes less than half, as of photographs. Raise a UserError if the
    image is missing or damaged.
    """
    image = open_image(path)
    image.thumbnail((pixels, pixels))
    exact, close = _encoded(image, "PNG"), _encoded(image, "JPEG", quality=QUALITY)
    photograph = 2 * len(close) < len(exact)
    return _address(close, "jpeg") if photograph else _address(exact, "png"), *image.size


def png_address(image: Image.Image) -> str:
    """Return an image as a PNG data address."""
    return _address(_encoded(image, "PNG"), "png")


def _encoded(image: Image.Image, kind: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, optimize=True, **how)
    return buffer.getvalue()


def _address(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
