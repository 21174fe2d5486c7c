"""The official on-disk layout of COCO 2017: image folders, and annotations next to them.

Source: the data format of the COCO site (Lin et al., ECCV 2014). Any dataset in this layout can be
read, with any names of splits and categories.
"""

import logging
import os
from collections.abc import Container
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.files import Hook
from eyechart.data.layouts.base import Inventory, read_lists, require, require_inside
from eyechart.tables import receipt

NAME = "coco"
TOPS = ("", "coco")  # official archives have no top folder, but users' folders often do
FILES = (r"{split}/.+\.(?i:jpe?g|png)", r"annotations/(instances|captions)_{split}\.json")
RELEASED = ("train2017", "val2017")  # the official splits with annotations
OPEN, TITLE, WITH = True, "COCO 2017", "annotations"
_SHOWN = 3  # maximum number of names in an error
_log = logging.getLogger(__name__)


def image_path(split: str, filename: str, known: Container[str]) -> str:
    """Return the path of an image in the dataset's folder.

    ``file_name`` may contain folders; it is relative to the split's folder or the dataset's.
    """
    inside = f"{split}/{filename}"
    return inside if inside in known or filename not in known else filename


def instances(split: str) -> str:
    """Return the path of a split's objects in the dataset's folder."""
    return f"annotations/instances_{split}.json"


def captions(split: str) -> str:
    """Return the path of a split's captions in the dataset's folder."""
    return f"annotations/captions_{split}.json"


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the counts per split (captions as questions), and all existing files.

    Missing images are counted in the log; whether they are allowed is checked when the tables are
    created. Images without annotations are omitted. If there is no caption file, there are no
    captions. Raise a UserError if a list is missing or broken, or if none of a split's images
    exists.
    """
    counts: dict[str, receipt.SplitCounts] = {}
    files: list[Path] = []
    for split in splits:
        names = [image["file_name"] for image in read_images(root, split)]
        existing = existing_images(root, split)
        existing |= {n for n in names if f"{split}/{n}" not in existing and (root / n).is_file()}
        named = [image_path(split, name, existing) for name in names]
        found = [name for name in named if name in existing]
        if not found:
            raise UserError(
                f"{root / split}: none of the {len(named)} images that "
                f"{root / instances(split)} names exists{_first(named)}"
            )
        if absent := [name for name in named if name not in existing]:
            _log.warning("%s: %d images are missing%s", split, len(absent), _first(absent))
        files += [*map(Path, found), Path(instances(split))]
        questions = 0
        if (root / captions(split)).exists():
            listed = read_annotations(root, captions(split), split, _leave_out_annotations)
            questions = len(listed["annotations"])
            files.append(Path(captions(split)))
        else:
            _log.warning(
                "%s: no %s, so there are no caption questions", split, root / captions(split)
            )
        counts[split] = receipt.SplitCounts(images=len(found), questions=questions)
    return counts, files


def existing_images(root: Path, split: str) -> set[str]:
    """Return the paths, in the dataset's folder, of all files below a split's image folder."""
    return {
        (Path(folder) / name).relative_to(root).as_posix()
        for folder, _, names in os.walk(root / split, followlinks=True)
        for name in names
    }


def read_images(root: Path, split: str) -> list[dict[str, Any]]:
    """Return the images listed by a split's object annotations, each with ``file_name``."""
    found = read_annotations(root, instances(split), split, _leave_out_annotations)
    for index, image in enumerate(found["images"]):
        where = f"{root / instances(split)}: image {index}"
        require(image, ("file_name",), where)
        require_inside(image["file_name"], "file_name", where)
    images: list[dict[str, Any]] = found["images"]
    return images


def read_annotations(root: Path, name: str, split: str, hook: Hook) -> dict[str, Any]:
    """Read an annotation file; ``hook`` reduces every object while it is parsed.

    Raise a UserError if the file is missing, is not valid JSON, or contains no annotations.
    """
    hint = (
        f"split {split!r} cannot be evaluated (of COCO 2017, only {' and '.join(RELEASED)} were "
        "released with annotations)"
    )
    return read_lists(root / name, ("images", "annotations"), hook, hint)


def leave_out_outlines(record: dict[str, Any]) -> dict[str, Any]:
    """Drop the fields that no task needs."""
    record.pop("segmentation", None)
    return record


def _leave_out_annotations(record: dict[str, Any]) -> dict[str, Any] | None:
    return None if "image_id" in record else record


def _first(names: list[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return f", first {', '.join(names[:_SHOWN])}{more}" if names else ""
