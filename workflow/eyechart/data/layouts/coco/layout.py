"""The official on-disk layout of COCO 2017: folders of pictures, and annotations beside them.

Source: the data format of the COCO site (Lin et al., ECCV 2014). Any dataset in this layout is
read, whatever its splits and categories are called.
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
TOPS = ("", "coco")  # official archives hold the dataset's folders at once, users' often in one
RELEASED = ("train2017", "val2017")  # the official splits that come with annotations
_SHOWN = 3  # of names in a sentence
_log = logging.getLogger(__name__)


def picture(split: str, filename: str) -> str:
    """Give the path of a picture from the dataset's folder."""
    return f"{split}/{filename}"


def instances(split: str) -> str:
    """Give the path of a split's objects from the dataset's folder."""
    return f"annotations/instances_{split}.json"


def captions(split: str) -> str:
    """Give the path of a split's captions from the dataset's folder."""
    return f"annotations/captions_{split}.json"


def member(name: str, splits: list[str]) -> str | None:
    """Give the path from the dataset's folder of an archive's member, or None if not needed."""
    path = within_top(name, TOPS)
    for split in splits:
        if path in (instances(split), captions(split)):
            return path
        if re.fullmatch(rf"{re.escape(split)}/[^/]+\.(jpe?g|png)", path, re.IGNORECASE):
            return path
    return None


def check_released(splits: list[str]) -> None:
    """Refuse an official split without annotations before anything is downloaded."""
    check_splits(splits, RELEASED, "COCO 2017", "annotations")


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Give the counts of every split, captions as questions, and all of its files that are there.

    Pictures that are named and absent are counted in the log; whether they may be is decided when
    the tables are made. Pictures that no annotation names are left out.

    Raises
    ------
    UserError
        If a list is missing or broken, or none of a split's pictures is there.
    """
    counts: dict[str, receipt.SplitCounts] = {}
    files: list[Path] = []
    for split in splits:
        named = [image["file_name"] for image in read_images(root, split)]
        there = pictures_there(root, split)
        found = [name for name in named if name in there]
        if not found:
            raise UserError(
                f"{Path(root) / split}: none of the {len(named)} pictures that "
                f"{Path(root) / instances(split)} names is there{_first(named)}"
            )
        if absent := [name for name in named if name not in there]:
            _log.warning("%s: %d pictures absent%s", split, len(absent), _first(absent))
        told = read_lists(root, captions(split), split, _leave_out_annotations)
        counts[split] = receipt.SplitCounts(images=len(found), questions=len(told["annotations"]))
        files += [Path(picture(split, name)) for name in found]
        files += [Path(instances(split)), Path(captions(split))]
    return counts, files


def pictures_there(root: Path, split: str) -> set[str]:
    """Give the names of all files in a split's folder of pictures."""
    try:
        with os.scandir(Path(root) / split) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def read_images(root: Path, split: str) -> list[dict[str, Any]]:
    """Give the pictures that a split's objects are annotated in, each with ``file_name``."""
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

    Reducing early keeps memory low: outlines are most of a file of objects.

    Raises
    ------
    UserError
        If the file is missing, is no JSON, or holds no annotations.
    """
    path = Path(root) / name
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), object_hook=hook)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file, so split {split!r} cannot be examined (of COCO 2017, only "
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
    """Drop what no task asks for."""
    record.pop("segmentation", None)
    return record


def _leave_out_annotations(record: dict[str, Any]) -> dict[str, Any] | None:
    return None if "image_id" in record else record


def _first(names: list[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return f", first {', '.join(names[:_SHOWN])}{more}" if names else ""
