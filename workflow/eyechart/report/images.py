"""Images for the page: opened as the models see them, and embedded as data addresses."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from eyechart.core.errors import UserError

QUALITY = 85  # of a JPEG


def open_image(path: Path) -> Image.Image:
    """Return an image as RGB, turned as its EXIF data say; 16 bits are scaled to 8.

    Raise a UserError if the image is missing or damaged.
    """
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I"):
                image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
            return image.convert("RGB")
    except (FileNotFoundError, UnidentifiedImageError, OSError) as error:
        raise UserError(f"{path}: not a complete image ({error}); acquire it again") from None


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
