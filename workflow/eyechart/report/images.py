"""Images for the page, embedded as data addresses."""

import base64
import io
from pathlib import Path

from PIL import Image

from eyechart.data.open_image import open_image


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
