"""Take the user's own data: a folder of images, a table, or a Hugging Face dataset on disk.

Reads: the folder (``layout`` folder), the CSV, TSV, JSON Lines or Parquet file (table), or the
folder of Parquet or Arrow shards (hf).
Writes, under the dataset's folder: links to the images, or images from the table's bytes, in
``images/``; ``table.jsonl``; the receipt ``acquired.json``, last.

    python -m eyechart.data.own.take --dataset mine --source /data/mine/questions.csv \
        --settings '{"layout": "table", "splits": ["all"], "columns": {"image": "file"}}' \
        --root data/raw/mine --output data/raw/mine/acquired.json
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import write_text
from eyechart.core.step import Json, command
from eyechart.data.layouts.base import check_output
from eyechart.data.own import entries as own
from eyechart.data.own.entries import OwnEntry
from eyechart.data.own.images import ImageFolder
from eyechart.data.own.sources import RowSource, open_source
from eyechart.data.own.values import Mapping, image_values, resolve, text, texts, used
from eyechart.data.records import Record
from eyechart.tables import receipt


def entries(
    sources: list[RowSource], settings: dict[str, Any], root: Path, path: Path
) -> Iterator[OwnEntry]:
    """Yield the rows of the wanted splits, in order, and take their images.

    The split is the source's own, else the column ``split``; without either, all rows belong to the
    only wanted split.

    Raises
    ------
    UserError
        If a split or a column is missing, or a row's cells or images cannot be read.
    """
    splits = settings["splits"]
    seen = {one.split for one in sources if one.split}
    for one in sources:
        if one.split and one.split not in splits:
            continue
        mapping = resolve(one.columns, settings.get("columns", {}), one.path)
        folder = ImageFolder(root / own.IMAGES, Path(settings.get("images") or one.base))
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
    names = sorted(set().union(*shown.values()))
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
