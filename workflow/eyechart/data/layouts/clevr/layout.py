"""The official on-disk layout of CLEVR v1.0: paths of its files, and its two JSON lists.

Source: README.txt of the CLEVR v1.0 release (Johnson et al., CVPR 2017).
"""

from pathlib import Path
from typing import Any

from eyechart.data.layouts.base import Inventory, check_file, read_lists, require, require_plain
from eyechart.tables import receipt

NAME = "clevr"
TOPS = ("CLEVR_v1.0", "")  # top folder of the official archive
FILES = (
    r"images/{split}/[^/]+\.png",
    r"scenes/CLEVR_{split}_scenes\.json",
    r"questions/CLEVR_{split}_questions\.json",
)
RELEASED = ("train", "val")  # the official splits with scenes and answers
OPEN, TITLE, WITH = True, "CLEVR v1.0", "scenes and answers"


def image_path(split: str, filename: str) -> str:
    """Return the path of an image in the dataset's folder."""
    return f"images/{split}/{filename}"


def scenes(split: str) -> str:
    """Return the path of a split's scenes in the dataset's folder."""
    return f"scenes/CLEVR_{split}_scenes.json"


def questions(split: str) -> str:
    """Return the path of a split's questions in the dataset's folder."""
    return f"questions/CLEVR_{split}_questions.json"


def inventory(root: Path, splits: list[str]) -> Inventory:
    """Return the counts per split, and all files relative to ``root``."""
    counts: dict[str, receipt.SplitCounts] = {}
    files: list[Path] = []
    for split in splits:
        images = [image_path(split, s["image_filename"]) for s in read_scenes(root, split)]
        for name in images:
            check_file(root / name, f"but {root / scenes(split)} has its scene")
        count = len(read_questions(root, split))
        counts[split] = receipt.SplitCounts(images=len(images), questions=count)
        files += [Path(name) for name in (*images, scenes(split), questions(split))]
    return counts, files


def read_scenes(root: Path, split: str) -> list[dict[str, Any]]:
    """Read the scenes of a split, each with ``image_index``, ``image_filename``, ``objects``.

    Raise a UserError if the file or one of these fields is missing, or a file name is not plain.
    """
    path = root / scenes(split)
    found = _read_list(path, "scenes", split)
    for index, scene in enumerate(found):
        require(scene, ("image_index", "image_filename", "objects"), f"{path}: scene {index}")
        require_plain(scene["image_filename"], "image_filename", f"{path}: scene {index}")
    return found


def read_questions(root: Path, split: str) -> list[dict[str, Any]]:
    """Read the questions of a split; equal nodes of programs are one object.

    Nodes are shared while parsing, because programs make up most of the 700 MB of the official
    training questions.
    """
    return _read_list(root / questions(split), "questions", split)


def _read_list(path: Path, key: str, split: str) -> list[dict[str, Any]]:
    hint = (
        f"split {split!r} cannot be evaluated (CLEVR's test split was released without scenes and "
        "answers; use train and val)"
    )
    nodes: dict[str, dict[str, Any]] = {}

    def share(record: dict[str, Any]) -> Any:
        # the key of a node's name is 'function' in the release and 'type' in the public generator
        if "inputs" not in record or not ("function" in record or "type" in record):
            return record
        name, values = record.get("function", record.get("type")), record.get("value_inputs", [])
        node = {"function": name, "inputs": record["inputs"], "value_inputs": values}
        return nodes.setdefault(str(node), node)

    records: list[dict[str, Any]] = read_lists(path, (key,), share, hint)[key]
    return records
