"""Any picture file as eight-bit RGB, as a viewer would show it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from eyechart.core.errors import UserError
from eyechart.data.image_files import MOST_PIXELS, check_size

ORIENTATION = 0x0112  # the EXIF tag; with these values the camera lay on its side
LYING = (5, 6, 7, 8)
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")


def open_picture(path: Path) -> Image.Image:
    """Read one picture as RGB.

    Turned as its EXIF data say; the first frame of an animation; transparency dropped, the colour
    beneath it kept, as CLEVR's own loaders do; sixteen bits scaled to eight.

    Raises
    ------
    UserError
        If the file is missing, truncated, no picture, or of more than 100 million pixels.
    """
    with opened(path) as image:
        return to_rgb(ImageOps.exif_transpose(image))


def size_of(path: Path) -> tuple[int, int]:
    """Give the width and height, in pixels, of what ``open_picture`` would give; decode nothing."""
    with opened(path) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ORIENTATION) in LYING else (width, height)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture file, and say in one sentence what is wrong with it, there or in the block."""
    try:
        with Image.open(path) as image:
            check_size(path, image.size)
            yield image
    except FileNotFoundError:
        raise UserError(f"{path}: no such picture") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: not a whole picture ({error})") from None
    except Image.DecompressionBombError:
        raise UserError(f"{path}: a picture of far more than {MOST_PIXELS} pixels") from None


def to_rgb(image: Image.Image) -> Image.Image:
    """Give the picture in RGB; Pillow alone would clip sixteen bits to eight, not scale them."""
    if image.mode in SIXTEEN_BITS:
        levels = np.asarray(image).astype(np.uint32)
        return Image.fromarray((levels * 255 // 65535).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
