"""The official on-disk layout of COCO 2017: image folders, and annotations beside them.

Source: the data format of the COCO site (Lin et al., ECCV 2014). Any dataset in this layout
can be read, whatever the names of its splits and categories.
"""

import json
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.data.layouts.base import check_splits, require, require_plain, within_top
from eyechart.tables import receipt

NAME = "coco"
TOPS = ("", "coco")  # official archives have no top folder, users' folders often do
RELEASED = ("train2017", "val2017")  # the official splits that come with annotations
_SHOWN = 3  # number of names in an error
_log = logging.getLogger(__name__)


def image_path(split: str, filename: str) -> str:
    """Return the path of an image in the dataset's folder."""
    return f"{split}/{filename}"


def instances(split: str) -> str:
    """Return the path of a split's objects in the dataset's folder."""
    return f"annotations/instances_{split}.json"


def captions(split: str) -> str:
    """Return the path of a split's captions in the dataset's folder."""
    return f"annotations/captions_{split}.json"


def member(name: str, splits: list[str]) -> str | None:
    """Return an archive member's path in the dataset's folder, or None if it is not needed."""
    path = within_top(name, TOPS)
    for split in splits:
        if path in (instances(split), captions(split)):
            return path
        if re.fullmatch(rf"{re.escape(split)}/[^/]+\.(jpe?g|png)", path, re.IGNORECASE):
            return path
    return None


def check_released(splits: list[str]) -> None:
    """Raise a UserError for an official split without annotations, before any download."""
    check_splits(splits, RELEASED, "COCO 2017", "annotations")


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Return the counts per split (captions as questions), and all existing files.

    Missing images are counted in the log; whether they are allowed is checked when the tables are
    made. Images without annotations are left out.

    Raises
    ------
    UserError
        If a list is missing or broken, or none of a split's images exists.
    """
    counts: dict[str, receipt.SplitCounts] = {}
    files: list[Path] = []
    for split in splits:
        named = [image["file_name"] for image in read_images(root, split)]
        existing = existing_images(root, split)
        found = [name for name in named if name in existing]
        if not found:
            raise UserError(
                f"{Path(root) / split}: none of the {len(named)} images that "
                f"{Path(root) / instances(split)} names exists{_first(named)}"
            )
        if absent := [name for name in named if name not in existing]:
            _log.warning("%s: %d images are missing%s", split, len(absent), _first(absent))
        listed = read_lists(root, captions(split), split, _leave_out_annotations)
        counts[split] = receipt.SplitCounts(images=len(found), questions=len(listed["annotations"]))
        files += [Path(image_path(split, name)) for name in found]
        files += [Path(instances(split)), Path(captions(split))]
    return counts, files


def existing_images(root: Path, split: str) -> set[str]:
    """Return the names of all files in a split's image folder."""
    try:
        with os.scandir(Path(root) / split) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def read_images(root: Path, split: str) -> list[dict[str, Any]]:
    """Return the images listed by a split's object annotations, each with ``file_name``."""
    found = read_lists(root, instances(split), split, _leave_out_annotations)
    for index, image in enumerate(found["images"]):
        where = f"{Path(root) / instances(split)}: image {index}"
        require(image, ("file_name",), where)
        require_plain(image["file_name"], "file_name", where)
    images: list[dict[str, Any]] = found["images"]
    return images


def read_lists(
    root: Path, name: str, split: str, hook: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    """Read a file of annotations; ``hook`` reduces every object while it is parsed.

    Reducing early keeps memory low, since outlines are most of a file of objects.

    Raises
    ------
    UserError
        If the file is missing, is not valid JSON, or contains no annotations.
    """
    path = Path(root) / name
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), object_hook=hook)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file, so split {split!r} cannot be evaluated (of COCO 2017, only "
            f"{' and '.join(RELEASED)} were released with annotations)"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error})") from None
    for key in ("images", "annotations"):
        require(found, (key,), str(path))
        if not isinstance(found[key], list):
            raise UserError(f"{path}: {key} is {str(found[key])[:40]!r}, expected a list")
    return found


def leave_out_outlines(record: dict[str, Any]) -> dict[str, Any]:
    """Drop the fields that no task needs."""
    record.pop("segmentation", None)
    return record


def _leave_out_annotations(record: dict[str, Any]) -> dict[str, Any] | None:
    return None if "image_id" in record else record


def _first(names: list[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return f", first {', '.join(names[:_SHOWN])}{more}" if names else ""
