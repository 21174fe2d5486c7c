"""The official layout of SPair-71k: ``PairAnnotation/<split>/*.json`` and ``JPEGImages/``.

An annotation is called ``<number>-<source>-<target>:<category>.json``. What else the archive holds
(layouts, outlines, annotations of single pictures) is not needed.

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
TOPS = ("SPair-71k", "")  # folders that an archive may hold everything in
RELEASED = ("trn", "val", "test")
_PAIR = re.compile(r"(\d+)-([^:/]+)-([^-:/]+):([^/:]+)\.json")
_PICTURE = re.compile(r"JPEGImages/[^/]+/[^/]+\.jpg")
_FIELDS = ("src_imname", "trg_imname", "src_kps", "trg_kps", "kps_ids", "category")
Point = tuple[float, float]


class SpairPair(NamedTuple):
    """A pair of pictures: the paths of its annotation and pictures from the dataset's folder."""

    name: str
    category: str
    annotation: str
    source: str
    target: str


class Keypoints(NamedTuple):
    """The keypoints that both pictures of a pair show, aligned; pixels by number, from 0."""

    ids: list[str]
    source: list[Point]
    target: list[Point]


def member(name: str, splits: list[str]) -> str | None:
    """Give the path from the dataset's folder of an archive's member, or None if not needed."""
    path = within_top(name, TOPS)
    wanted = any(path.startswith(f"PairAnnotation/{split}/") for split in splits)
    return path if (wanted and path.endswith(".json")) or _PICTURE.fullmatch(path) else None


def check_released(splits: list[str]) -> None:
    """Refuse a split that does not exist before anything is downloaded."""
    check_splits(splits, RELEASED, "SPair-71k", "keypoints")


def pairs(root: Path, split: str) -> list[SpairPair]:
    """Give the pairs of a split, by the names of their annotations.

    Raises
    ------
    UserError
        If there are none, or a file's name is not that of a pair.
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
        pictures = [f"JPEGImages/{category}/{picture}.jpg" for picture in (source, target)]
        annotation = f"PairAnnotation/{split}/{name}"
        found.append(SpairPair(f"{split}_{number}", category, annotation, *pictures))
    if not found:
        raise UserError(f"{folder}: no annotation of a pair")
    return found


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Give the counts of every split and its files, relative to ``root``.

    Raises
    ------
    UserError
        If a split has no pairs, or a picture of one is missing.
    """
    check_released(splits)
    counts: dict[str, receipt.SplitCounts] = {}
    files: dict[str, None] = {}
    for split in splits:
        pictures: set[str] = set()
        found = pairs(root, split)
        for pair in found:
            for name in (pair.source, pair.target):
                if name not in pictures and not (Path(root) / name).is_file():
                    raise UserError(
                        f"{Path(root) / name}: no such picture, but {pair.annotation} needs it"
                    )
                pictures.add(name)
            files[pair.annotation] = None
        files |= dict.fromkeys(sorted(pictures))
        counts[split] = receipt.SplitCounts(images=len(pictures), questions=len(found))
    return counts, [Path(file) for file in files]


def read_keypoints(root: Path, pair: SpairPair) -> Keypoints:
    """Read the keypoints of a pair.

    Raises
    ------
    UserError
        If a field is missing, a point is none, the two pictures have not the same number of them,
        or the annotation is of other pictures than its name says.
    """
    path = Path(root) / pair.annotation
    found = read_json(path)
    require(found, _FIELDS, str(path))
    for field, told in (("src_imname", pair.source), ("trg_imname", pair.target)):
        require_plain(found[field], field, str(path))
        if found[field] != Path(told).name:
            raise UserError(f"{path}: {field} is {found[field]!r}, expected {Path(told).name!r}")
    source, target = (_points(found[f], f, str(path)) for f in ("src_kps", "trg_kps"))
    ids = [str(name) for name in found["kps_ids"]]
    if not len(source) == len(target) == len(ids):
        raise UserError(
            f"{path}: {len(source)} src_kps, {len(target)} trg_kps and {len(ids)} kps_ids, "
            "expected as many of each"
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
