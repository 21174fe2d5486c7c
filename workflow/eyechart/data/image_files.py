"""Pictures on disk: read once by a pool of threads, hashed, measured, checked for wholeness."""

import hashlib
import io
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from eyechart.core.errors import UserError

MOST_PIXELS = 100_000_000  # decoded 300 MB; no model looks at so many
_THREADS = 8  # reading and hashing release the interpreter lock


@dataclass(frozen=True)
class ImageRecord:
    """SHA-256 of a picture's bytes, and its width and height in px."""

    sha256: str
    width: int
    height: int


def check_pictures(
    root: Path, paths: Iterable[str], expected: Mapping[str, str]
) -> dict[str, ImageRecord]:
    """Read every picture and compare its hash with the receipt's.

    Parameters
    ----------
    root : Path
        The dataset's folder.
    paths : iterable of str
        Paths of pictures from ``root``.
    expected : mapping
        SHA-256 by path, from the receipt; a path that is not there is only hashed.

    Raises
    ------
    UserError
        For the first picture, in the order given, that is missing, altered or not whole.
    """
    names = list(paths)
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda name: _check(Path(root), name, expected.get(name)), names)
        bar = tqdm(found, "checking pictures", len(names), unit="image", mininterval=1.0)
        return dict(zip(names, bar, strict=True))


def check_size(path: Path, size: tuple[int, int]) -> None:
    """Raise a UserError for a picture of too many pixels, before any is decoded."""
    width, height = size
    if width * height > MOST_PIXELS:
        raise UserError(
            f"{path}: {width} x {height} pixels, at most {MOST_PIXELS} are read; make it smaller"
        )


def _check(root: Path, name: str, expected: str | None) -> ImageRecord:
    path = root / name
    mend = f"restore it, or delete {root / 'acquired.json'} to acquire the dataset again"
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: picture is missing; {mend}") from None
    digest = hashlib.sha256(data).hexdigest()
    if expected not in (None, digest):
        raise UserError(
            f"{path}: picture was truncated or altered since it was acquired: sha256 is {digest}, "
            f"the receipt says {expected}; {mend}"
        )
    try:
        with Image.open(io.BytesIO(data)) as image:
            size = image.size
            check_size(path, size)
            image.verify()  # the checksum of every PNG chunk, down to the last
    except Image.DecompressionBombError:
        raise UserError(f"{path}: a picture of far more than {MOST_PIXELS} pixels") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: not a whole picture ({error}); {mend}") from None
    return ImageRecord(digest, *size)
