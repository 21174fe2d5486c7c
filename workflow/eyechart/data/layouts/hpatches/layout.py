"""The official layout of HPatches: ``<sequence>/1.ppm`` to ``6.ppm``, ``H_1_2`` to ``H_1_6``.

``H_1_k`` maps pixel indices of 1.ppm to k.ppm: (0, 0) is the centre of the first pixel. Sequences
``i_…`` vary the illumination, ``v_…`` the viewpoint. There are no splits.

Source: the README of hpatches-dataset (Balntas et al., CVPR 2017).
"""

import re
from pathlib import Path

import numpy as np

from eyechart.core.errors import UserError
from eyechart.data.layouts.base import Inventory, check_file
from eyechart.tables import receipt

NAME = "hpatches"
TOPS = ("hpatches-sequences-release", "")  # possible top folders of an archive
FILES = (r"[iv]_[^/]+/([1-6]\.ppm|H_1_[2-6])",)
RELEASED = None
KINDS = {"i": "illumination", "v": "viewpoint"}
LAST = 6
_SEQUENCE = re.compile(r"[iv]_[^/]+")


def image_path(sequence: str, number: int) -> str:
    """Return the path of an image in the dataset's folder."""
    return f"{sequence}/{number}.ppm"


def homography(sequence: str, number: int) -> str:
    """Return the path of the homography from the first image to another."""
    return f"{sequence}/H_1_{number}"


def sequences(root: Path) -> list[str]:
    """Return the names of all sequences; raise a UserError if there are none."""
    found = sorted(path.name for path in root.glob("*/") if _SEQUENCE.fullmatch(path.name))
    if not found:
        raise UserError(f"{root}: no sequence folders, expected names such as v_wall or i_dome")
    return found


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the counts of the only split, and all files relative to ``root``."""
    names = sequences(root)
    files = [image_path(name, number) for name in names for number in range(1, LAST + 1)]
    files += [homography(name, number) for name in names for number in range(2, LAST + 1)]
    for file in files:
        check_file(root / file, "but its sequence requires it", "file")
    counts = receipt.SplitCounts(images=LAST * len(names), questions=(LAST - 1) * len(names))
    return {splits[0]: counts}, [Path(file) for file in files]


def read_homography(path: Path) -> np.ndarray:
    """Return a homography, float64 of shape (3, 3).

    Raise a UserError if the file is missing, or does not contain an invertible 3 x 3 matrix.
    """
    try:
        rows = [line.split() for line in Path(path).read_text(encoding="ascii").splitlines()]
        matrix = np.array([[float(word) for word in row] for row in rows if row])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except ValueError as error:
        raise UserError(f"{path}: not a homography ({error}), expected 3 x 3 numbers") from None
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise UserError(f"{path}: not a homography, expected 3 rows of 3 numbers")
    if abs(np.linalg.det(matrix / np.abs(matrix).max(initial=1e-300))) < 1e-12:
        raise UserError(f"{path}: not a homography, as it maps the image onto a line or a point")
    return matrix


def project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map pixel indices of shape (n, 2); points that map to infinity become NaN."""
    found = np.c_[points, np.ones(len(points))] @ matrix.T
    depth = np.where(found[:, 2:] * np.sign(matrix[2, 2] or 1.0) > 1e-12, found[:, 2:], np.nan)
    return found[:, :2] / depth
