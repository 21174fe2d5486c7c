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
from eyechart.data.layouts.base import check_splits, require, require_plain, within_top
from eyechart.tables import receipt

NAME = "spair"
TOPS = ("SPair-71k", "")  # possible top folders of an archive
RELEASED = ("trn", "val", "test")
_PAIR = re.compile(r"(\d+)-([^:/]+)-([^-:/]+):([^/:]+)\.json")
_IMAGE = re.compile(r"JPEGImages/[^/]+/[^/]+\.jpg")
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


def member(name: str, splits: list[str]) -> str | None:
    """Return an archive member's path in the dataset's folder, or None if it is not needed."""
    path = within_top(name, TOPS)
    wanted = any(path.startswith(f"PairAnnotation/{split}/") for split in splits)
    return path if (wanted and path.endswith(".json")) or _IMAGE.fullmatch(path) else None


def check_released(splits: list[str]) -> None:
    """Raise a UserError for a split that does not exist, before any download."""
    check_splits(splits, RELEASED, "SPair-71k", "keypoints")


def pairs(root: Path, split: str) -> list[SpairPair]:
    """Return the pairs of a split, in the order of their annotations' names.

    Raises
    ------
    UserError
        If there are no pairs, or a file name is not that of a pair.
    """
    folder = Path(root) / "PairAnnotation" / split
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


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Return the counts per split, and all files relative to ``root``.

    Raises
    ------
    UserError
        If a split has no pairs, or an image of a pair is missing.
    """
    check_released(splits)
    counts: dict[str, receipt.SplitCounts] = {}
    files: dict[str, None] = {}
    for split in splits:
        images: set[str] = set()
        found = pairs(root, split)
        for pair in found:
            for name in (pair.source, pair.target):
                if name not in images and not (Path(root) / name).is_file():
                    raise UserError(
                        f"{Path(root) / name}: no such image, but {pair.annotation} requires it"
                    )
                images.add(name)
            files[pair.annotation] = None
        files |= dict.fromkeys(sorted(images))
        counts[split] = receipt.SplitCounts(images=len(images), questions=len(found))
    return counts, [Path(file) for file in files]


def read_keypoints(root: Path, pair: SpairPair) -> Keypoints:
    """Read the keypoints of a pair.

    Raises
    ------
    UserError
        If a field is missing, a point is malformed, the two images have different numbers of
        points, or the annotation names other images than its file name.
    """
    path = Path(root) / pair.annotation
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
