"""Images for the page: opened as the models see them, and embedded as data addresses."""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from eyechart.core.errors import UserError


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
    """Return an image as a PNG data address, at most ``pixels`` a side, and its width and height.

    Raise a UserError if the image is missing or damaged.
    """
    image = open_image(path)
    image.thumbnail((pixels, pixels))
    return png_address(image), *image.size


def png_address(image: Image.Image) -> str:
    """Return an image as a PNG data address."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
