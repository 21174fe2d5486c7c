"""Import the user's own data: a folder of images, a table, or a Hugging Face dataset on disk.

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
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.files import write_bytes, write_text
from eyechart.core.links import is_file, link_files, readable
from eyechart.core.step import Json, command
from eyechart.data.image_formats import ENDINGS
from eyechart.data.layouts.base import check_output
from eyechart.data.open_image import opened
from eyechart.data.own import entries as own
from eyechart.data.own.entries import content
from eyechart.data.own.sources import open_source, read_entries
from eyechart.tables import receipt


def locate(value: str, base: Path, where: str, allow_missing: bool = False) -> str:
    """Return an image's path relative to the image folder, which must contain it.

    An absolute path is accepted if it is in that folder. Raise a UserError if the path leads out of
    the folder, or if there is no such file, unless it may be missing.
    """
    path = PurePath(value)
    if path.is_absolute():
        for folder in (base, base.absolute(), base.resolve()):
            if path.is_relative_to(folder):
                path = path.relative_to(folder)
                break
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise UserError(
            f"{where}: image {value!r} is not in {base}; give paths relative to that folder, or "
            "set another folder with the key images"
        )
    if not allow_missing and not is_file(base / path):
        raise UserError(f"{where}: image {value!r} is missing in {base}")
    return path.as_posix()


def name_of(data: bytes, split: str, where: str, allow_missing: bool = False) -> str:
    """Return the name for an image's bytes, from their hash: equal images of a split share a file.

    Raise a UserError if the bytes are not an image, unless it may be missing.
    """
    ending = ""
    try:
        with opened(data, where) as image:
            ending = ENDINGS[image.format or ""][0]
    except UserError:
        if not allow_missing:
            raise
    return f"{split}/{hashlib.sha256(data).hexdigest()[:20]}{ending}"


class Located:
    """Images of a dataset that stay where they are; paths are relative to ``base``.

    ``files`` collects the file of each image, by its id.
    """

    def __init__(self, base: Path, files: dict[str, Path], allow_missing: bool = False) -> None:
        self.base, self.files, self.allow_missing = base, files, allow_missing

    def has(self, name: str) -> bool:
        """Return whether there is a file with this name, relative to ``base``."""
        return is_file(self.base / name)

    def take(self, value: Any, split: str, where: str) -> str:
        """Return the path of an image relative to ``base``, or the hash of its bytes as a name."""
        data = content(value, where)
        if isinstance(data, bytes):
            return name_of(data, split, where, self.allow_missing)
        path = locate(data, self.base, where, self.allow_missing)
        self.files[readable(path)] = self.base / path
        return readable(path)


class ImageFolder(Located):
    """Images of a dataset, each imported once into ``folder``."""

    def __init__(self, folder: Path, base: Path, allow_missing: bool = False) -> None:
        super().__init__(base, {}, allow_missing)
        self.folder = folder

    def take(self, value: Any, split: str, where: str) -> str:
        """Link an image or write out its bytes; return its path relative to ``folder``."""
        known = len(self.files)
        name = super().take(value, split, where)
        data = content(value, where)
        if isinstance(data, bytes) and not (self.folder / name).exists():
            write_bytes(self.folder / name, data)
        elif len(self.files) > known and self.files[name].is_file():
            link_files(self.base, self.folder, [self.files[name].relative_to(self.base)])
        return name


def check(settings: dict[str, Any], source: Path, root: Path, output: Path) -> None:
    """Raise a UserError for an unknown layout or column, or a misplaced receipt or source."""
    own.check_layout(settings["layout"])
    own.check_columns(settings.get("columns", {}))
    check_output(root, output)
    if source.exists() and root.resolve().is_relative_to(source.resolve()):
        raise UserError(
            f"{source}: contains {root}, where its images would be linked; keep the images in a "
            "separate folder"
        )


@command
def main(*, dataset: str, source: Path, settings: Json, root: Path, output: Path) -> None:
    """Import images and rows; write the receipt last."""
    check(settings, source, root, output)
    sources = open_source(settings["layout"], source)
    allowed = bool(settings.get("allow_missing"))
    folder = partial(ImageFolder, root / own.IMAGES, allow_missing=allowed)
    found = list(read_entries(sources, settings, source, folder))
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
