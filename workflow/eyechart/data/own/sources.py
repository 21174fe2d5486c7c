"""Read rows of the user's data from a folder of images, a table, or a Hugging Face dataset.

Supported forms of Hugging Face datasets are ``data/<split>-00000-of-00002.parquet``, with or
without the folder, the number or a hash after it; ``<split>/0000.parquet``; and folders written by
``save_to_disk``, with ``dataset_dict.json`` or ``state.json`` and shards ``data-*.arrow``.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from mimetypes import guess_type
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from eyechart.core.errors import UserError, nearest, shown
from eyechart.core.files import read_json
from eyechart.core.links import readable
from eyechart.data.image_formats import ENDINGS
from eyechart.data.own.entries import (
    Mapping,
    OwnEntry,
    image_values,
    label,
    region,
    resolve,
    text,
    texts,
    used,
)
from eyechart.data.records import Record, Rows, read_arrow, read_csv, read_jsonl, read_parquet

IMAGE_SUFFIXES = tuple(dict.fromkeys(ending for of in ENDINGS.values() for ending in of))
log = logging.getLogger(__name__)
_SHARD = re.compile(r"(?P<split>.+?)(-(?P<number>\d{5})-of-(?P<count>\d{5})(-\w+)?)?\.parquet")


class RowSource(NamedTuple):
    """Rows of one or more files.

    ``path`` is named in errors, ``base`` is the base folder of image paths, and ``split`` is the
    source's own split of these rows ("" for none).
    """

    path: Path
    base: Path
    split: str
    columns: list[str]
    records: Rows


class Images(Protocol):
    """The destination of a dataset's images."""

    def take(self, value: Any, split: str, where: str) -> str:
        """Return the id of an image, given its cell and its row."""

    def has(self, name: str) -> bool:
        """Return whether there is a file with this name."""


def open_source(layout: str, path: Path) -> list[RowSource]:
    """Open a source in the layout ``folder``, ``table`` or ``hf``; rows are read lazily.

    Raise a UserError if the path is missing, empty, unreadable, or of an unknown type.
    """
    return {"folder": _folder, "table": _table, "hf": _hugging_face}[layout](Path(path))


def _folder(path: Path) -> list[RowSource]:
    if not path.is_dir():
        raise UserError(f"{path}: no such folder")
    files = [file.relative_to(path) for file in path.rglob("*") if file.is_file()]
    files = [file for file in files if not any(part.startswith(".") for part in file.parts)]
    names = sorted(file.as_posix() for file in files if file.suffix.lower() in IMAGE_SUFFIXES)
    listed = set(names)
    others = Counter(file.suffix for file in files if file.as_posix() not in listed)
    unread = {s: n for s, n in others.items() if (guess_type(f"a{s}")[0] or "").startswith("image")}
    if unread:
        told = ", ".join(f"{count} {suffix}" for suffix, count in sorted(unread.items()))
        log.warning("%s: files in unsupported formats are skipped: %s", path, told)
    if not names:
        raise UserError(
            f"{path}: no images in this folder, expected files that end in "
            f"{', '.join(IMAGE_SUFFIXES)}"
        )
    records = [
        Record(readable(str(path / name)), {"image": [name], "item_id": readable(name)})
        for name in names
    ]
    return [RowSource(path, path, "", ["image", "item_id"], lambda _: iter(records))]


def _table(path: Path) -> list[RowSource]:
    if not path.is_file():
        kind = "a folder, expected a file" if path.is_dir() else "no such file"
        raise UserError(f"{path}: {kind}; give the table itself as path")
    opener = _TABLES.get(path.suffix.lower())
    if opener is None:
        raise UserError(f"{path}: table suffix is {path.suffix!r}; {nearest(path.suffix, _TABLES)}")
    return [opener(path)]


def _text_table(read: Callable[[Path], list[Record]], path: Path) -> RowSource:
    records = read(path)
    columns = list(dict.fromkeys(name for record in records for name in record.values))
    return RowSource(path, path.parent, "", columns, lambda _: iter(records))


def _parquet_table(path: Path) -> RowSource:
    columns, records = read_parquet([path])
    return RowSource(path, path.parent, "", columns, records)


def _hugging_face(path: Path) -> list[RowSource]:
    if not path.is_dir():
        raise UserError(f"{path}: no such folder, expected a Hugging Face dataset on disk")
    sources = []
    for split, shards in _find_shards(path).items():
        read = read_arrow if shards[0].suffix == ".arrow" else read_parquet
        columns, records = read(shards)
        sources.append(RowSource(path, path, split, columns, records))
    return sources


def _find_shards(path: Path) -> dict[str, list[Path]]:
    """Return the files of each split, in order; a dataset without splits has the split ``""``.

    Raise a UserError if there are no shards, a numbered shard is missing, or a saved dataset was
    filtered without being flattened.
    """
    if (path / "dataset_dict.json").exists():
        splits = _names(path / "dataset_dict.json", _object(path / "dataset_dict.json"), "splits")
        return {split: _saved(path / split)[1] for split in splits}
    if (path / "state.json").exists():
        split, shards = _saved(path)
        return {split: shards}
    for folder in (path / "data", path):
        found = _named(folder) or _in_folders(folder)
        if found:
            return found
    below = sorted({p.parent.relative_to(path).as_posix() for p in path.rglob("*.parquet")})
    hint = f"; found in {', '.join(below)}: give one of these as path" if below else ""
    raise UserError(
        f"{path}: no Parquet files (<split>-*.parquet, here or in data/) and no saved dataset "
        f"(state.json){hint}"
    )


def _named(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    counts: dict[str, int] = {}
    for file in sorted(folder.glob("*.parquet")):
        match = _SHARD.fullmatch(file.name)
        assert match  # the pattern matches any name with this suffix
        found.setdefault(match["split"], []).append(file)
        counts[match["split"]] = int(match["count"] or 1)
    for split, files in found.items():
        if len(files) != counts[split]:
            raise UserError(
                f"{folder}: split {split!r} has {len(files)} of {counts[split]} shards; download "
                "the dataset again"
            )
    return found


def _in_folders(folder: Path) -> dict[str, list[Path]]:
    shards = {sub.name: sorted(sub.glob("[0-9]*.parquet")) for sub in sorted(folder.glob("*/"))}
    return {split: files for split, files in shards.items() if files}


def _saved(folder: Path) -> tuple[str, list[Path]]:
    state = _object(folder / "state.json")
    if state.get("_indices_data_files"):
        raise UserError(
            f"{folder}: saved with a separate selection of rows; call flatten_indices() and save "
            "it again"
        )
    files = _names(folder / "state.json", state, "_data_files", "filename")
    split = state.get("_split") or ""
    if not isinstance(split, str):
        raise UserError(f"{folder / 'state.json'}: _split is {shown(split)}, expected a name")
    return split, [folder / file for file in files]


def _object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or an empty one for another value."""
    if path.exists() and not path.is_file():
        raise UserError(f"{path}: is not a file")
    held = read_json(path)
    return held if isinstance(held, dict) else {}


def _names(path: Path, held: dict[str, Any], field: str, of: str = "") -> list[str]:
    """Return the names of files next to ``path`` in a field, or in a key of its objects."""
    found = held.get(field)
    listed = found if isinstance(found, list) else [None]
    held_names = [one.get(of) if of and isinstance(one, dict) else one for one in listed]
    names = [n for n in held_names if isinstance(n, str) and n not in ("", "..") and "/" not in n]
    if not names or len(names) < len(listed):
        raise UserError(f"{path}: {field} is {shown(found)}, expected names in its folder")
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise UserError(f"{path}: {field} lists {shown(twice[0])} twice")
    return names


def read_entries(
    sources: list[RowSource],
    settings: dict[str, Any],
    path: Path,
    folder_of: Callable[[Path], Images] | None,
) -> Iterator[OwnEntry]:
    """Yield the rows of the requested splits, or of all splits, in order.

    ``folder_of`` returns the destination of images, given the base folder of their paths; without
    it, rows have no images. The split is the source's own or, if there is none, the column
    ``split``. Without either, all rows belong to the single requested split. Raise a UserError if a
    split or column is missing, or if a row's cells or images cannot be read.
    """
    splits = settings.get("splits")
    seen = {one.split for one in sources if one.split}
    for one in sources:
        if one.split and splits and one.split not in splits:
            continue
        mapping = resolve(one.columns, settings.get("columns", {}), one.path)
        folder = folder_of(Path(settings.get("images") or one.base)) if folder_of else None
        columns = used(mapping) if folder else used(mapping | {"image": []})
        column = None if one.split else mapping.get("split")
        if not one.split and column is None and splits:
            _check_one(splits, path)
        whole = splits[0] if splits else "all"
        for number, record in enumerate(one.records(columns), 1):
            split = one.split or (whole if column is None else label(record, column) or "")
            seen.add(split)
            if not splits or split in splits:
                yield _entry(record, mapping, split, number, folder)
    for split in splits or ():
        if split not in seen:
            raise UserError(f"{path}: no split {split!r}; {nearest(split, seen)}")


def _entry(
    record: Record, mapping: Mapping, split: str, number: int, folder: Images | None
) -> OwnEntry:
    where = record.where
    if "item_id" in mapping and not text(record, mapping["item_id"]):
        raise UserError(f"{where}: {mapping['item_id']} is empty, expected an id")
    found = image_values(record, mapping["image"], folder.has) if folder else []
    return OwnEntry(
        where=where,
        item_id=text(record, mapping.get("item_id")) or f"{split}_{number:06d}",
        split=split,
        images=[folder.take(value, split, where) for value in found if folder],
        prompt=text(record, mapping.get("prompt")),
        choices=texts(record, mapping.get("choices"), bars=True),
        answer=texts(record, mapping.get("answer"), bars=False),
        group=label(record, mapping.get("group")),
        pair=label(record, mapping.get("pair")),
        task=text(record, mapping.get("task")),
        type=label(record, mapping.get("type")),
        region=region(record, mapping),
        labels={name: label(record, column) for name, column in mapping["labels"].items()},
    )


def _check_one(splits: list[str], path: Path) -> None:
    if len(splits) != 1:
        raise UserError(
            f"{path}: has neither splits nor a split column, but splits are {', '.join(splits)}; "
            "give a single name, e.g. [all]"
        )


IN_TEXT = (".csv", ".tsv", ".jsonl")
_TABLES: dict[str, Callable[[Path], RowSource]] = {
    ".csv": partial(_text_table, read_csv),
    ".tsv": partial(_text_table, partial(read_csv, delimiter="\t")),
    ".jsonl": partial(_text_table, read_jsonl),
    ".parquet": _parquet_table,
}
