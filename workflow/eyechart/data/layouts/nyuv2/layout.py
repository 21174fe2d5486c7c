"""The official files of NYU Depth V2: ``nyu_depth_v2_labeled.mat`` and ``splits.mat`` next to it.

The first is in MATLAB's format 7.3, which is HDF5 with reversed axes: ``images`` (n, 3, w, h),
``depths`` (n, w, h) in metres, and ``scenes``, the place where each image was taken. The second is
in an older format and numbers images from 1. Images are read one by one, because the file is 2.8
GB.

Source: the dataset's page (Silberman et al., ECCV 2012).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from scipy.io import loadmat

from eyechart.core.errors import UserError, lacks, nearest
from eyechart.data.layouts.base import Inventory
from eyechart.tables import receipt

NAME = "nyuv2"
TOPS = ("nyu_depth_v2", "")  # possible top folders of an archive
FILES = (r"nyu_depth_v2_labeled\.mat", r"splits\.mat")
RELEASED = ("train", "test")
TITLE, WITH = "NYU Depth V2", "depths"
IMAGES_FILE = "nyu_depth_v2_labeled.mat"
SPLITS = "splits.mat"
_NUMBERS = {"train": "trainNdxs", "test": "testNdxs"}


class Nyuv2Image(NamedTuple):
    """An image with its depth map."""

    image: np.ndarray  # uint8, shape (h, w, 3)
    depth: np.ndarray  # float, shape (h, w), metres
    scene: str  # where it was taken; empty if unknown


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the counts per split and both files, which must be consistent."""
    numbers = read_splits(root)
    with opened(root) as file:
        count = file["images"].shape[0]
    for split in splits:
        off = [number for number in numbers[split] if not 1 <= number <= count]
        if off:
            raise UserError(
                f"{root / SPLITS}: {_NUMBERS[split]} names image {off[0]}, but {IMAGES_FILE} "
                f"holds 1 to {count}"
            )
    counts = {s: receipt.SplitCounts(images=len(numbers[s]), questions=0) for s in splits}
    return counts, [Path(IMAGES_FILE), Path(SPLITS)]


def read_splits(root: Path) -> dict[str, list[int]]:
    """Return the image numbers, from 1, of every official split; no image may be in two splits."""
    path = root / SPLITS
    try:
        with path.open("rb") as handle:  # scipy would hide why it cannot open a path
            found = loadmat(handle)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    # scipy's exception depends on its version and on where the file is cut
    except (ValueError, OSError, NotImplementedError, TypeError) as error:
        if lacks(error):
            raise
        raise UserError(f"{path}: not a complete MATLAB file ({error})") from None
    numbers = {}
    for split, field in _NUMBERS.items():
        if field not in found:
            raise UserError(f"{path}: field {field!r} is missing; {nearest(field, found)}")
        numbers[split] = sorted(int(number) for number in np.ravel(found[field]))
    both = set(numbers["train"]) & set(numbers["test"])
    if both:
        raise UserError(f"{path}: image {min(both)} is in both splits")
    return numbers


@contextmanager
def opened(root: Path) -> Iterator[h5py.File]:
    """Open the image file; it must contain images and depth maps of matching sizes."""
    path = root / IMAGES_FILE
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if lacks(error):
            raise
        raise UserError(f"{path}: not a complete MATLAB 7.3 file ({error})") from None
    with file:
        _check(file, path)
        yield file


def read_image(file: h5py.File, number: int) -> Nyuv2Image:
    """Read the image with this 1-based number, with its depth map and scene."""
    image = file["images"][number - 1].transpose(2, 1, 0)
    depth = file["depths"][number - 1].T
    return Nyuv2Image(
        np.ascontiguousarray(image), np.ascontiguousarray(depth), _scene(file, number)
    )


def _check(file: h5py.File, path: Path) -> None:
    for name in ("images", "depths"):
        if name not in file:
            raise UserError(f"{path}: array {name!r} is missing; {nearest(name, file)}")
    images, depths = file["images"].shape, file["depths"].shape
    if len(images) != 4 or images[1] != 3 or file["images"].dtype != np.uint8:
        raise UserError(
            f"{path}: images is {file['images'].dtype} {images}, expected uint8 (n, 3, w, h)"
        )
    if depths != (images[0], *images[2:]):
        raise UserError(
            f"{path}: depths is {depths}, expected {(images[0], *images[2:])}, the "
            "number, width and height of the images"
        )


def _scene(file: h5py.File, number: int) -> str:
    if "scenes" not in file:
        return ""
    letters = file[np.ravel(file["scenes"])[number - 1]]
    return "".join(chr(code) for code in np.ravel(letters))
