"""Check images on disk in a thread pool: read once, hash, measure, verify."""

import hashlib
import io
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from eyechart.core.errors import UserError

MOST_PIXELS = 100_000_000  # 300 MB when decoded; no model uses this many
_THREADS = 8  # reading and hashing release the GIL


@dataclass(frozen=True)
class ImageRecord:
    """SHA-256 of an image's bytes, and its width and height in pixels."""

    sha256: str
    width: int
    height: int


def check_images(
    root: Path, paths: Iterable[str], expected: Mapping[str, str]
) -> dict[str, ImageRecord]:
    """Read every image and compare its hash with the receipt's.

    Parameters
    ----------
    root : Path
        The dataset's folder.
    paths : iterable of str
        Image paths relative to ``root``.
    expected : mapping
        SHA-256 by path, from the receipt; other paths are hashed but not compared.

    Raises
    ------
    UserError
        For the first image, in the given order, that is missing, altered or incomplete.
    """
    names = list(paths)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda name: _check(Path(root), name, expected.get(name)), names)
        progress = tqdm(found, "checking images", len(names), unit="image", mininterval=1.0)
        return dict(zip(names, progress, strict=True))


def check_size(path: Path, size: tuple[int, int]) -> None:
    """Raise a UserError for an image with too many pixels, before decoding it."""
    width, height = size
    if width * height > MOST_PIXELS:
        raise UserError(
            f"{path}: {width} x {height} pixels, the maximum is {MOST_PIXELS}; make it smaller"
        )


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
    try:
        with Image.open(io.BytesIO(data)) as image:
            size = image.size
            check_size(path, size)
            image.verify()  # checks the checksum of every PNG chunk
    except Image.DecompressionBombError:
        raise UserError(f"{path}: the image has far more than {MOST_PIXELS} pixels") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: not a complete image ({error}); {hint}") from None
    return ImageRecord(digest, *size)
