"""Load image files as 8-bit RGB, as a viewer would show them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from eyechart.core.errors import UserError
from eyechart.data.image_files import MOST_PIXELS, check_size

ORIENTATION = 0x0112  # EXIF tag; for the values below, width and height are swapped
LYING = (5, 6, 7, 8)
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")


def open_image(path: Path) -> Image.Image:
    """Read one image as RGB.

    The image is rotated according to its EXIF data. Of an animation, the first frame is read.
    Transparency is dropped and the colour beneath kept, as in CLEVR's loaders. 16 bits are scaled
    to 8.

    Raises
    ------
    UserError
        If the file is missing, truncated, not an image, or has more than 100 million pixels.
    """
    with opened(path) as image:
        return to_rgb(ImageOps.exif_transpose(image))


def size_of(path: Path) -> tuple[int, int]:
    """Return the width and height of what ``open_image`` returns, without decoding it."""
    with opened(path) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ORIENTATION) in LYING else (width, height)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file; turn errors on opening or in the block into a UserError."""
    try:
        with Image.open(path) as image:
            check_size(path, image.size)
            yield image
    except FileNotFoundError:
        raise UserError(f"{path}: no such image") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: not a complete image ({error})") from None
    except Image.DecompressionBombError:
        raise UserError(f"{path}: the image has far more than {MOST_PIXELS} pixels") from None


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the image in RGB; 16 bits are scaled to 8, where Pillow would clip them."""
    if image.mode in SIXTEEN_BITS:
        levels = np.asarray(image).astype(np.uint32)
        return Image.fromarray((levels * 255 // 65535).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
