"""The official on-disk layout of CLEVR v1.0: paths of its files, and its two JSON lists.

Source: README.txt of the CLEVR v1.0 release (Johnson et al., CVPR 2017).
"""

import json
import re
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.data.layouts.base import check_splits, require, require_plain, within_top
from eyechart.tables import receipt

NAME = "clevr"
TOPS = ("CLEVR_v1.0", "")  # top folder of the official archive
RELEASED = ("train", "val")  # the official splits that come with scenes and answers


def image_path(split: str, filename: str) -> str:
    """Return the path of an image in the dataset's folder."""
    return f"images/{split}/{filename}"


def scenes(split: str) -> str:
    """Return the path of a split's scenes in the dataset's folder."""
    return f"scenes/CLEVR_{split}_scenes.json"


def questions(split: str) -> str:
    """Return the path of a split's questions in the dataset's folder."""
    return f"questions/CLEVR_{split}_questions.json"


def member(name: str, splits: list[str]) -> str | None:
    """Return an archive member's path in the dataset's folder, or None if it is not needed."""
    path = within_top(name, TOPS)
    for split in splits:
        if path in (scenes(split), questions(split)):
            return path
        if re.fullmatch(rf"images/{re.escape(split)}/[^/]+\.png", path):
            return path
    return None


def check_released(splits: list[str]) -> None:
    """Raise a UserError for an official split without scenes and answers, before any download."""
    check_splits(splits, RELEASED, "CLEVR v1.0", "scenes and answers")


def inventory(root: Path, splits: list[str]) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
    """Return the counts per split, and all files relative to ``root``.

    Raises
    ------
    UserError
        If a list of scenes or questions is missing or broken, or a scene's image is missing.
    """
    counts: dict[str, receipt.SplitCounts] = {}
    files: list[Path] = []
    for split in splits:
        images = [image_path(split, s["image_filename"]) for s in read_scenes(root, split)]
        for name in images:
            if not (Path(root) / name).is_file():
                raise UserError(
                    f"{Path(root) / name}: no such image, but {Path(root) / scenes(split)} has "
                    "its scene"
                )
        count = len(read_questions(root, split))
        counts[split] = receipt.SplitCounts(images=len(images), questions=count)
        files += [Path(name) for name in (*images, scenes(split), questions(split))]
    return counts, files


def read_scenes(root: Path, split: str) -> list[dict[str, Any]]:
    """Read the scenes of a split, each with ``image_index``, ``image_filename``, ``objects``.

    Raises
    ------
    UserError
        If the file or one of these fields is missing, or a file name is not plain.
    """
    path = Path(root) / scenes(split)
    found = _read_list(path, "scenes", split)
    for index, scene in enumerate(found):
        require(scene, ("image_index", "image_filename", "objects"), f"{path}: scene {index}")
        require_plain(scene["image_filename"], "image_filename", f"{path}: scene {index}")
    return found


def read_questions(root: Path, split: str) -> list[dict[str, Any]]:
    """Read the questions of a split; each program node is reduced to the name of its function.

    Nodes are reduced while parsing, since programs are most of the 700 MB of the official training
    questions.
    """
    return _read_list(Path(root) / questions(split), "questions", split)


def _read_list(path: Path, key: str, split: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(path.read_bytes(), object_hook=_reduce_node)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file, so split {split!r} cannot be evaluated (CLEVR's test split "
            "was released without scenes and answers; use train and val)"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error})") from None
    require(found, (key,), str(path))
    records: list[dict[str, Any]] = found[key]
    return records


def _reduce_node(record: dict[str, Any]) -> Any:
    # the key of a node's name is 'function' in the release and 'type' in the public generator
    if "inputs" in record and ("function" in record or "type" in record):
        return record.get("function", record.get("type"))
    return record
