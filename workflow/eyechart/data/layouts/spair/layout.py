"""The official layout of SPair-71k: ``PairAnnotation/<split>/*.json`` and ``JPEGImages/``.

An annotation is named ``<number>-<source>-<target>:<category>.json``. The rest of the archive
(layouts, outlines, annotations of single images) is not needed.

Source: the dataset's README (Min et al., 2019).
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.data.layouts.base import Inventory, check_file, require, require_plain
from eyechart.tables import receipt

NAME = "spair"
TOPS = ("SPair-71k", "")  # possible top folders of an archive
FILES = (r"PairAnnotation/{split}/.*\.json", r"JPEGImages/[^/]+/[^/]+\.jpg")
RELEASED = ("trn", "val", "test")
TITLE, WITH = "SPair-71k", "keypoints"
_PAIR = re.compile(r"(\d+)-([^:/]+)-([^-:/]+):([^/:]+)\.json")
_FIELDS = ("src_imname", "trg_imname", "src_kps", "trg_kps", "kps_ids", "category")
Point = tuple[float, float]


class SpairPair(NamedTuple):
    """A pair of images: paths of its annotation and images in the dataset's folder."""

    name: str
    category: str
    annotation: str
    source: str
    target: str


class Keypoints(NamedTuple):
    """The keypoints visible in both images of a pair, aligned; pixel indices from 0."""

    ids: list[str]
    source: list[Point]
    target: list[Point]


def pairs(root: Path, split: str) -> list[SpairPair]:
    """Return the pairs of a split, in the order of their annotations' names.

    Raise a UserError if there are no pairs, or if a file name does not denote a pair.
    """
    folder = root / "PairAnnotation" / split
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{folder}: no such folder") from None
    found = []
    for name in names:
        if not name.endswith(".json"):
            continue
        match = _PAIR.fullmatch(name)
        if not match:
            raise UserError(
                f"{folder / name}: expected a name like 000001-2008_002719-2008_004100:cat.json"
            )
        number, source, target, category = match.groups()
        images = [f"JPEGImages/{category}/{side}.jpg" for side in (source, target)]
        annotation = f"PairAnnotation/{split}/{name}"
        found.append(SpairPair(f"{split}_{number}", category, annotation, *images))
    if not found:
        raise UserError(f"{folder}: no annotations of pairs")
    return found


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the counts per split, and all files relative to ``root``."""
    counts: dict[str, receipt.SplitCounts] = {}
    files: dict[str, None] = {}
    for split in splits:
        found = pairs(root, split)
        images = {name: pair for pair in reversed(found) for name in (pair.source, pair.target)}
        for name, pair in images.items():
            check_file(root / name, f"but {pair.annotation} requires it")
        files |= dict.fromkeys([*(pair.annotation for pair in found), *sorted(images)])
        counts[split] = receipt.SplitCounts(images=len(images), questions=len(found))
    return counts, [Path(file) for file in files]


def read_keypoints(root: Path, pair: SpairPair) -> Keypoints:
    """Read the keypoints of a pair.

    Raise a UserError if a field is missing, a point is malformed, the two images have different
    numbers of points, or the images in the annotation differ from those in its file name.
    """
    path = root / pair.annotation
    found = read_json(path)
    require(found, _FIELDS, str(path))
    for field, image in (("src_imname", pair.source), ("trg_imname", pair.target)):
        require_plain(found[field], field, str(path))
        if found[field] != Path(image).name:
            raise UserError(f"{path}: {field} is {found[field]!r}, expected {Path(image).name!r}")
    source, target = (_points(found[f], f, str(path)) for f in ("src_kps", "trg_kps"))
    ids = [str(name) for name in found["kps_ids"]]
    if not len(source) == len(target) == len(ids):
        raise UserError(
            f"{path}: {len(source)} src_kps, {len(target)} trg_kps and {len(ids)} kps_ids, "
            "expected equal numbers"
        )
    return Keypoints(ids, source, target)


def _points(value: object, field: str, where: str) -> list[Point]:
    if not isinstance(value, list):
        raise UserError(f"{where}: {field} is {str(value)[:40]!r}, expected a list of [x, y]")
    found = []
    for number, pair in enumerate(value):
        numbers = pair if isinstance(pair, list) else []
        if len(numbers) != 2 or not all(isinstance(n, int | float) for n in numbers):
            raise UserError(f"{where}: {field} {number} is {pair!r}, expected [x, y]")
        found.append((float(numbers[0]), float(numbers[1])))
    return found
