"""Take the user's own data: a folder of images, a table, or a Hugging Face dataset on disk.

Reads: the folder (``layout`` folder), the CSV, TSV, JSON Lines or Parquet file (table), or the
folder of Parquet or Arrow shards (hf).
Writes, under the dataset's folder: links to the images, or images from the table's bytes, in
``images/``; ``table.jsonl``; the receipt ``acquired.json``, last.

    python -m eyechart.data.own.import_local --dataset mine --source /data/mine/questions.csv \
        --settings '{"layout": "table", "splits": ["all"], "columns": {"image": "file"}}' \
        --root data/raw/mine --output data/raw/mine/acquired.json
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import write_bytes, write_text
from eyechart.core.links import link_files
from eyechart.core.step import Json, command
from eyechart.data.layouts.base import check_output
from eyechart.data.open_image import ENDINGS, opened
from eyechart.data.own import entries as own
from eyechart.data.own.entries import Mapping, OwnEntry, image_values, resolve, text, texts, used
from eyechart.data.own.sources import RowSource, open_source
from eyechart.data.records import Record
from eyechart.tables import receipt


def locate(value: str, base: Path, where: str, allow_missing: bool = False) -> str:
    """Return an image's path relative to the image folder, which it must not leave.

    An absolute path is accepted if it lies in that folder. Raise a UserError if the path leads out
    of it, or no such file exists, unless it is allowed to be missing.
    """
    path = PurePath(value)
    if path.is_absolute():
        for folder in (base, base.absolute(), base.resolve()):
            if path.is_relative_to(folder):
                path = path.relative_to(folder)
                break
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise UserError(
            f"{where}: image {value!r} is not in {base}; give paths from that folder, or name "
            "another folder in the key images"
        )
    if not allow_missing and not (base / path).is_file():
        raise UserError(f"{where}: image {value!r} is missing in {base}")
    return path.as_posix()


def write_out(
    data: bytes, folder: Path, split: str, where: str, allow_missing: bool = False
) -> str:
    """Write an image's bytes, named by their hash; return its path relative to ``folder``.

    Equal images of a split share one file. Raise a UserError if the bytes are not an image, unless
    it is allowed to be missing.
    """
    ending = ""
    try:
        with opened(data, where) as image:
            ending = ENDINGS[image.format or ""][0]
    except UserError:
        if not allow_missing:
            raise
    name = f"{split}/{hashlib.sha256(data).hexdigest()[:20]}{ending}"
    path = folder / name
    if not path.exists():
        write_bytes(path, data)
    return name


class ImageFolder:
    """Images of a dataset, each taken once into ``folder``; paths are relative to ``base``."""

    def __init__(self, folder: Path, base: Path, allow_missing: bool = False) -> None:
        self.folder, self.base, self.allow_missing = folder, base, allow_missing
        self.linked: set[str] = set()

    def take(self, value: Any, split: str, where: str) -> str:
        """Link an image or write out its bytes; return its path relative to ``folder``."""
        data = content(value, where)
        if isinstance(data, bytes):
            return write_out(data, self.folder, split, where, self.allow_missing)
        name = locate(data, self.base, where, self.allow_missing)
        if name not in self.linked and (self.base / name).is_file():
            link_files(self.base, self.folder, [Path(name)])
            self.linked.add(name)
        return name


def content(value: Any, where: str) -> bytes | str:
    """Return the bytes of an image cell, or its path if it has no bytes.

    The cell is a path, bytes, or an object with one of them; else raise a UserError.
    """
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if not isinstance(value, bytes | str) or not value:
        kind = type(value).__name__
        raise UserError(f"{where}: the image is of type {kind}, expected a path, bytes, or both")
    return value


def entries(
    sources: list[RowSource], settings: dict[str, Any], root: Path, path: Path
) -> Iterator[OwnEntry]:
    """Yield the rows of the wanted splits, in order, and take their images.

    The split is the source's own, else the column ``split``; without either, all rows belong to the
    only wanted split. Raise a UserError if a split or a column is missing, or a row's cells or
    images cannot be read.
    """
    splits = settings["splits"]
    seen = {one.split for one in sources if one.split}
    for one in sources:
        if one.split and one.split not in splits:
            continue
        mapping = resolve(one.columns, settings.get("columns", {}), one.path)
        base, allowed = Path(settings.get("images") or one.base), settings.get("allow_missing")
        folder = ImageFolder(root / own.IMAGES, base, bool(allowed))
        column = None if one.split else mapping.get("split")
        if not one.split and column is None:
            _check_one(splits, path)
        for number, record in enumerate(one.records(used(mapping)), 1):
            split = one.split or (splits[0] if column is None else text(record, column) or "")
            seen.add(split)
            if split in splits:
                yield _entry(record, mapping, split, number, folder)
    for split in splits:
        if split not in seen:
            raise UserError(f"{path}: no split {split!r}; {nearest(split, seen)}")


def _entry(
    record: Record, mapping: Mapping, split: str, number: int, folder: ImageFolder
) -> OwnEntry:
    where = record.where
    if "item_id" in mapping and not text(record, mapping["item_id"]):
        raise UserError(f"{where}: {mapping['item_id']} is empty, expected an id")
    found = image_values(record, mapping["image"])
    return OwnEntry(
        where=where,
        item_id=text(record, mapping.get("item_id")) or f"{split}_{number:06d}",
        split=split,
        images=[folder.take(value, split, where) for value in found],
        prompt=text(record, mapping.get("prompt")),
        choices=texts(record, mapping.get("choices"), bars=True),
        answer=texts(record, mapping.get("answer"), bars=False),
        group=text(record, mapping.get("group")),
        pair=text(record, mapping.get("pair")),
        task=text(record, mapping.get("task")),
        type=text(record, mapping.get("type")),
        region=own.region(record, mapping),
        labels={name: text(record, column) for name, column in mapping["labels"].items()},
    )


def _check_one(splits: list[str], path: Path) -> None:
    if len(splits) != 1:
        raise UserError(
            f"{path}: has neither splits nor a split column, but splits are {', '.join(splits)}; "
            "give one name for all of it, e.g. [all]"
        )


def check(settings: dict[str, Any], source: Path, root: Path, output: Path) -> None:
    """Raise a UserError for an unknown layout or column, or a misplaced receipt or source."""
    own.check_layout(settings["layout"])
    own.check_columns(settings.get("columns", {}))
    check_output(root, output)
    if root.resolve().is_relative_to(source.resolve()):
        raise UserError(
            f"{source}: contains {root}, where its images would be taken to; keep the "
            "images in a folder of their own"
        )


@command
def main(*, dataset: str, source: Path, settings: Json, root: Path, output: Path) -> None:
    """Take images and rows; write the receipt last."""
    check(settings, source, root, output)
    sources = open_source(settings["layout"], source)
    found = list(entries(sources, settings, root, source))
    lines = [json.dumps(entry, ensure_ascii=False) for entry in found]
    write_text(root / own.TABLE, "".join(f"{line}\n" for line in lines))
    shown = {split: set[str]() for split in settings["splits"]}
    for entry in found:
        shown[entry["split"]].update(entry["images"])
    counts = Counter(entry["split"] for entry in found)
    there = (name for name in set().union(*shown.values()) if (root / own.IMAGES / name).is_file())
    names = sorted(there)
    receipt.write_receipt(
        root,
        dataset=dataset,
        layout=settings["layout"],
        source="local",
        splits={
            split: receipt.SplitCounts(images=len(images), questions=counts[split])
            for split, images in shown.items()
        },
        files=[Path(own.TABLE), *(Path(own.IMAGES) / name for name in names)],
    )


if __name__ == "__main__":
    main()
