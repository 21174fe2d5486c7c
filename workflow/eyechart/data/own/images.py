"""Take the images of the user's table: link files of its folder, or write out bytes."""

import hashlib
import io
from pathlib import Path, PurePath
from typing import Any

from PIL import Image

from eyechart.core.errors import UserError
from eyechart.core.files import atomic
from eyechart.core.links import link_files

# Suffix of an image written from bytes, by its format
_SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "GIF": ".gif",
    "TIFF": ".tif",
}


def locate(value: str, base: Path, where: str) -> str:
    """Return an image's path relative to the image folder, which it must not leave.

    An absolute path is accepted if it lies in that folder.

    Raises
    ------
    UserError
        If the path leads out of the folder, or no such file exists.
    """
    path = PurePath(value)
    if path.is_absolute():
        for folder in (base, base.absolute(), base.resolve()):
            if path.is_relative_to(folder):
                path = path.relative_to(folder)
                break
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise UserError(
            f"{where}: image {value!r} is not in {base}; give paths from that folder, or name "
            "another folder in the key images"
        )
    if not (base / path).is_file():
        raise UserError(f"{where}: image {value!r} is missing in {base}")
    return path.as_posix()


def write_out(data: bytes, folder: Path, split: str, where: str) -> str:
    """Write an image's bytes, named by their hash; return its path relative to ``folder``.

    Equal images of a split share one file.

    Raises
    ------
    UserError
        If the bytes are not an image.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            kind = image.format or ""
    except Image.DecompressionBombError:
        raise UserError(f"{where}: the image has far too many pixels") from None
    except (OSError, SyntaxError, ValueError):
        kind = ""
    if kind not in _SUFFIXES:
        raise UserError(
            f"{where}: the bytes begin with {data[:8]!r} and are not an image, expected "
            f"{', '.join(_SUFFIXES)}"
        )
    name = f"{split}/{hashlib.sha256(data).hexdigest()[:20]}{_SUFFIXES[kind]}"
    path = folder / name
    if not path.exists():
        with atomic(path) as partial:
            partial.write_bytes(data)
    return name


class ImageFolder:
    """Images of a dataset, each taken once into ``folder``; paths are relative to ``base``."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder, self.base = folder, base
        self.linked: set[str] = set()

    def take(self, value: Any, split: str, where: str) -> str:
        """Link an image or write out its bytes; return its path relative to ``folder``.

        Raises
        ------
        UserError
            If it is not an image, missing, or not in ``base``.
        """
        data = content(value, where)
        if isinstance(data, bytes):
            return write_out(data, self.folder, split, where)
        name = locate(data, self.base, where)
        if name not in self.linked:
            link_files(self.base, self.folder, [Path(name)])
            self.linked.add(name)
        return name


def content(value: Any, where: str) -> bytes | str:
    """Return the bytes of an image cell, or its path if it has no bytes.

    Raises
    ------
    UserError
        If the cell is neither a path, nor bytes, nor an object with one of them.
    """
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if not isinstance(value, bytes | str) or not value:
        kind = type(value).__name__
        raise UserError(f"{where}: the image is of type {kind}, expected a path, bytes, or both")
    return value
