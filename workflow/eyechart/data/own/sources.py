"""Read rows of the user's data from a folder of images, a table, or a Hugging Face dataset."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from eyechart.core.errors import UserError, nearest
from eyechart.data.own.shards import find_shards
from eyechart.data.records import Record, Rows, read_arrow, read_csv, read_jsonl, read_parquet

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


class RowSource(NamedTuple):
    """Rows of one or more files.

    ``path`` is named in errors, ``base`` is the folder that image paths are relative to, ``split``
    the source's own split of these rows ("" for none).
    """

    path: Path
    base: Path
    split: str
    columns: list[str]
    records: Rows


def open_source(layout: str, path: Path) -> list[RowSource]:
    """Open a source of layout ``folder``, ``table`` or ``hf``; rows are read lazily.

    Raises
    ------
    UserError
        If the path is missing, empty, of an unknown type, or cannot be read.
    """
    return {"folder": _folder, "table": _table, "hf": _hugging_face}[layout](Path(path))


def _folder(path: Path) -> list[RowSource]:
    if not path.is_dir():
        raise UserError(f"{path}: no such folder")
    files = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
    names = sorted(
        file.as_posix()
        for file in files
        if file.suffix.lower() in IMAGE_SUFFIXES
        if not any(part.startswith(".") for part in file.parts)
    )
    if not names:
        raise UserError(
            f"{path}: no images in this folder, expected files that end in "
            f"{', '.join(IMAGE_SUFFIXES)}"
        )
    records = [Record(str(path / name), {"image": name, "item_id": name}) for name in names]
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
    for split, shards in find_shards(path).items():
        read = read_arrow if shards[0].suffix == ".arrow" else read_parquet
        columns, records = read(shards)
        sources.append(RowSource(path, path, split, columns, records))
    return sources


_TABLES: dict[str, Callable[[Path], RowSource]] = {
    ".csv": partial(_text_table, read_csv),
    ".tsv": partial(_text_table, partial(read_csv, delimiter="\t")),
    ".jsonl": partial(_text_table, read_jsonl),
    ".parquet": _parquet_table,
}
