"""Open images. Only this module defines the 8-bit RGB content and the size of an image file.

Models, canvases, the page, and the sizes and regions in the tables all use this image.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from eyechart.core.errors import UserError, lacks
from eyechart.core.threads import thread_pool
from eyechart.data.image_formats import ENDINGS

_DECODERS = [name for name in ENDINGS if name != "MPO"]  # opened by the JPEG decoder
MOST_PIXELS = 100_000_000  # 300 MB when decoded; no model uses this many pixels
MOST_BYTES = 1 << 30
# Pixels times scans of a progressive JPEG, half a minute; a small file can have any number of scans
_MOST_WORK = 20 * MOST_PIXELS
_SCAN = b"\xff\xda"  # cannot occur in compressed data
_AS_TEXT = (b"P1", b"P2", b"P3")  # a PPM that Pillow reads in Python, for hours if it is crafted
_MOST_READS = 1_000_000  # from one file; some decoders read a crafted file byte by byte
_MOST_STRIPS = 100_000  # of a TIFF; an image has at most one per row and tile
_MOST_PROFILES = 10  # colour profiles in a PNG, each of which may unpack to 1 MB
Image.MAX_IMAGE_PIXELS = MOST_PIXELS
_GREY = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # modes of more than 8 bits
_WHITE = (255, 255, 255, 255)
# Exceptions that Pillow raises for damaged files
_FAULTS = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError),
    *(MemoryError, struct.error, zlib.error),
)
_THREADS = 8  # reading, hashing and decoding release the GIL


class UnreadableError(UserError):
    """An image that is missing, incomplete, too large or in another format."""


@dataclass(frozen=True)
class ImageRecord:
    """SHA-256 of an image's bytes, and the width and height of the displayed image in pixels."""

    sha256: str
    width: int
    height: int


class _File(io.BytesIO):
    """The bytes of an image, which a decoder reads in a limited number of steps."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        self._reads += 1
        if self._reads > _MOST_READS:
            raise ValueError(f"more than {_MOST_READS} parts")
        return super().read(size)


@contextmanager
def opened(source: Path | bytes, where: object = None, hint: str = "") -> Iterator[Image.Image]:
    """Open an image; turn errors while opening it or in the block into an UnreadableError.

    The message starts with ``where`` if the source is not a file, and ends with ``hint``.
    """
    where, decoded = where or source, False
    try:
        data = read_bytes(source, where) if isinstance(source, Path) else source
        if data[:4] == b"\x89PNG" and data.count(b"iCCP") > _MOST_PROFILES:
            raise UnreadableError(f"{where}: more than {_MOST_PROFILES} colour profiles{hint}")
        with Image.open(_File(data), formats=_DECODERS) as image:
            _check_work(image, data, where)
            decoded = True  # from here on, a lack of memory is not a fault of the image
            yield image
    except FileNotFoundError:
        raise UnreadableError(f"{where}: no such image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise UnreadableError(
            f"{where}: the image has far more than {MOST_PIXELS} pixels"
        ) from None
    except UnidentifiedImageError:
        raise UnreadableError(
            f"{where}: not a complete image (it begins with {data[:8]!r}, which no decoder of "
            f"{', '.join(ENDINGS)} reads){hint}"
        ) from None
    except _FAULTS as error:
        if lacks(error) and (decoded or isinstance(error, OSError)):
            raise
        raise UnreadableError(
            f"{where}: not a complete image ({' '.join(str(error).split())}){hint}"
        ) from None


def _check_work(image: Image.Image, data: bytes, where: object) -> None:
    """Raise an UnreadableError for an image that would take too much memory or time to decode."""
    size = f"{where}: {image.width} x {image.height} pixels"
    pixels = image.width * image.height
    if pixels > MOST_PIXELS:
        raise UnreadableError(f"{size}, the maximum is {MOST_PIXELS}; make it smaller")
    if (strips := len(getattr(image, "tile", ()))) > _MOST_STRIPS:
        raise UnreadableError(f"{size} in {strips} strips, the maximum is {_MOST_STRIPS}")
    scans = data.count(_SCAN) if image.format in ("JPEG", "MPO") else 1
    if image.format == "PPM" and data[:2] in _AS_TEXT:
        raise UnreadableError(f"{size} as text, expected a binary PPM")
    if scans * pixels > _MOST_WORK:
        raise UnreadableError(f"{size} in {scans} scans, the maximum is {_MOST_WORK // pixels}")


def read_bytes(path: Path, where: object) -> bytes:
    """Return the bytes of an image file.

    Raise a FileNotFoundError if it does not exist, and an UnreadableError if it is too large, a
    pipe, a device or a link to itself, or if permission is denied.
    """
    try:
        if path.is_dir():
            raise FileNotFoundError
        if path.exists() and not path.is_file():
            raise UnreadableError(f"{where}: is not a file")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise UnreadableError(f"{where}: {size} bytes, the maximum is {MOST_BYTES}")
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError) as error:
        if lacks(error):
            raise
        raise UnreadableError(f"{where}: cannot be read ({error})") from None


def open_image(path: Path) -> Image.Image:
    """Return an image as 8-bit RGB; raise a UserError if it is missing, truncated or too large."""
    return decode(path)[0]


def is_readable(path: Path) -> bool:
    """Return whether an image exists and is complete."""
    try:
        decode(path)
    except UnreadableError:
        return False
    return True


def decode(source: Path | bytes, where: object = None, hint: str = "") -> tuple[Image.Image, str]:
    """Decode an image completely; return it as 8-bit RGB, and its file format.

    It is rotated according to its EXIF data. For an animation or several pages, the first frame is
    read. See ``to_rgb`` for other modes, and ``opened`` for ``where`` and ``hint``.
    """
    with opened(source, where, hint) as image:
        image.load()
        return to_rgb(ImageOps.exif_transpose(image)), image.format or ""


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image in 8-bit RGB.

    Transparent pixels become white, as in the processors of transformers. 16-bit grey values are
    scaled to 8 bits, and so are fractions from 0 to 1, which Pillow would clip. Raise a ValueError
    for other values.
    """
    if image.mode in (*_GREY, "F"):
        values = np.asarray(image)
        most = 1 if image.mode == "F" else 65535
        if not (values.min() >= 0 and values.max() <= most):  # also false for NaN
            raise ValueError(
                f"its values are {values.min():g} to {values.max():g}, expected 0 to {most}"
            )
        levels = np.rint(values * 255) if most == 1 else values.astype(np.uint32) * 255 // most
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image)
    return image.convert("RGB")


def read_image(path: Path, needed_by: str) -> bytes:
    """Return an image's bytes; if it is missing, raise a UserError that names ``needed_by``."""
    try:
        return read_bytes(path, path)
    except FileNotFoundError:
        raise UserError(f"{path}: image is missing, but {needed_by} needs it") from None


def png(image: Image.Image) -> bytes:
    """Return an image as PNG bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def check_images(
    root: Path,
    paths: Iterable[str],
    expected: Mapping[str, str],
    called: Mapping[str, str] | None = None,
    faults: dict[str, str] | None = None,
) -> dict[str, ImageRecord]:
    """Decode every image once: measure and verify it, and compare its hash with the receipt's.

    Raise a UserError for the first image, in the given order, that is missing, altered or
    incomplete.

    Parameters
    ----------
    root, paths : the dataset's folder, and paths from there
    expected : the SHA-256 by path; other images are hashed but not compared
    called : names of the user's own images in errors, by path
    faults : if given, collects a sentence about each missing or incomplete image, which is then
        omitted
    """
    names = list(paths)

    def check(name: str) -> ImageRecord | str:
        hint = f"; restore it, or delete {root / 'acquired.json'} to acquire the dataset again"
        if called:
            hint = "; repair it, or set allow_missing: true to omit the rows that show it"
        try:
            where = (called or {}).get(name, root / name)
            return _check(root / name, where, expected.get(name), "" if faults == {} else hint)
        except UnreadableError as error:
            if faults is None:
                raise
            return str(error)

    with thread_pool(_THREADS) as pool:
        progress = tqdm(pool.map(check, names), "checking images", len(names), mininterval=1.0)
        found = dict(zip(names, progress, strict=True))
    if faults is not None:
        faults |= {name: one for name, one in found.items() if isinstance(one, str)}
    return {name: one for name, one in found.items() if isinstance(one, ImageRecord)}


def _check(path: Path, where: object, expected: str | None, hint: str) -> ImageRecord:
    try:
        data = read_bytes(path, where)
    except FileNotFoundError:
        raise UnreadableError(f"{where}: image is missing{hint}") from None
    digest = hashlib.sha256(data).hexdigest()
    if expected not in (None, digest):
        raise UserError(
            f"{path}: image was truncated or altered since it was acquired: sha256 is {digest}, "
            f"the receipt says {expected}; restore it, or delete the dataset's acquired.json to "
            "acquire the dataset again"
        )
    with opened(data, where, hint) as image:
        image.verify()  # checks the checksum of every PNG chunk
    return ImageRecord(digest, *decode(data, where, hint)[0].size)
