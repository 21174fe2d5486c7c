"""Open image files, as 8-bit RGB or as they are, and check those of a dataset in a thread pool."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from eyechart.core.errors import UserError

MOST_PIXELS = 100_000_000  # 300 MB when decoded; no model uses this many
ORIENTATION = 0x0112  # EXIF tag; for the values below, width and height are swapped
LYING = (5, 6, 7, 8)
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_THREADS = 8  # reading and hashing release the GIL


@dataclass(frozen=True)
class ImageRecord:
    """SHA-256 of an image's bytes, and its width and height in pixels."""

    sha256: str
    width: int
    height: int


@contextmanager
def opened(source: Path | bytes, where: object = None, hint: str = "") -> Iterator[Image.Image]:
    """Open an image; turn errors on opening or in the block into a UserError.

    ``where`` begins the error if the source is not a file, and ``hint`` ends it.
    """
    where = source if isinstance(source, Path) else where
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as image:
            if image.width * image.height > MOST_PIXELS:  # before it is decoded
                raise UserError(
                    f"{where}: {image.width} x {image.height} pixels, the maximum is "
                    f"{MOST_PIXELS}; make it smaller"
                )
            yield image
    except FileNotFoundError:
        raise UserError(f"{where}: no such image") from None
    except Image.DecompressionBombError:
        raise UserError(f"{where}: the image has far more than {MOST_PIXELS} pixels") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{where}: not a complete image ({error}){hint}") from None


def open_image(path: Path) -> Image.Image:
    """Read one image as RGB; raise a UserError if it is missing, truncated, none, or too large.

    The image is rotated according to its EXIF data. Of an animation, the first frame is read.
    Transparency is dropped and the colour beneath kept, as in CLEVR's loaders. 16 bits are scaled
    to 8.
    """
    with opened(path) as image:
        return to_rgb(ImageOps.exif_transpose(image))


def size_of(path: Path) -> tuple[int, int]:
    """Return the width and height of what ``open_image`` returns, without decoding it."""
    with opened(path) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ORIENTATION) in LYING else (width, height)


def to_rgb(image: Image.Image) -> Image.Image:
    """Return the image in RGB; 16 bits are scaled to 8, where Pillow would clip them."""
    if image.mode in SIXTEEN_BITS:
        levels = np.asarray(image).astype(np.uint32)
        return Image.fromarray((levels * 255 // 65535).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def decode(data: bytes, where: object) -> tuple[Image.Image, str]:
    """Decode an image completely; return it in RGB, not rotated, and its file format."""
    with opened(data, where) as image:
        return image.convert("RGB"), image.format or ""


def read_image(path: Path, needed_by: str) -> bytes:
    """Return an image's bytes; if it is missing, raise a UserError that names ``needed_by``."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: image is missing, but {needed_by} needs it") from None


def png(image: Image.Image) -> bytes:
    """Return an image as PNG bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def check_images(
    root: Path, paths: Iterable[str], expected: Mapping[str, str]
) -> dict[str, ImageRecord]:
    """Read every image once: measure and verify it, and compare its hash with the receipt's.

    Paths are relative to ``root``, the dataset's folder; ``expected`` has the SHA-256 by path, and
    other images are hashed but not compared. Raise a UserError for the first image, in the given
    order, that is missing, altered or incomplete.
    """
    names = list(paths)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda name: _check(Path(root), name, expected.get(name)), names)
        progress = tqdm(found, "checking images", len(names), unit="image", mininterval=1.0)
        return dict(zip(names, progress, strict=True))


def _check(root: Path, name: str, expected: str | None) -> ImageRecord:
    path = root / name
    hint = f"restore it, or delete {root / 'acquired.json'} to acquire the dataset again"
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: image is missing; {hint}") from None
    digest = hashlib.sha256(data).hexdigest()
    if expected not in (None, digest):
        raise UserError(
            f"{path}: image was truncated or altered since it was acquired: sha256 is {digest}, "
            f"the receipt says {expected}; {hint}"
        )
    with opened(data, path, f"; {hint}") as image:
        size = image.size
        image.verify()  # checks the checksum of every PNG chunk
    return ImageRecord(digest, *size)
