"""The user's own data under ``data/raw/<dataset>``: images and one table of items with its cells.

Whatever the source (a folder, a table or a Hugging Face dataset),
:mod:`eyechart.data.own.import_local` writes

* ``images/…``: the images, as links to the user's files, or written from a table's bytes;
* ``table.jsonl``: one row per item, see :class:`OwnEntry`.

so the step ``prepare`` reads a single format.
"""

import ast
import json
import math
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

from eyechart.core.errors import UserError, nearest, shown
from eyechart.core.files import parse_json
from eyechart.data.records import Record

NAMES = ("folder", "table", "hf")
TABLE = "table.jsonl"
IMAGES = "images"
# Fields with one column each; `image` may have several columns, `labels` has one per task
COLUMNS = ("prompt", "choices", "answer", "group", "item_id", "task", "pair", "split", "type")
# Columns of an item's region: a single cell, a point, or a box. Only mapped columns are read,
# because a user's column `left` may mean anything
FORMS = (("region",), ("x", "y"), ("left", "top", "right", "bottom"))
KEYS = ("image", *COLUMNS, "labels", *(key for form in FORMS for key in form))
# Soft hyphen, zero-width space, marks of direction, word joiner, byte order mark; and narrow or
# no-break spaces. Joiners stay, since they change letters of some languages and emoji.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
_SPACE = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]")
_EXACT = 2**53  # from here on, a float may stand for several whole numbers
Mapping = dict[str, Any]


class OwnEntry(TypedDict):
    """One row of ``table.jsonl``.

    ``where`` is the user's file and row, for errors; ``images`` are image ids, which are paths
    relative to ``images/``. Empty cells and missing columns are None.
    """

    where: str
    item_id: str
    split: str
    images: list[str]
    prompt: str | None
    choices: list[str] | None
    answer: list[str] | None
    group: str | None
    pair: str | None
    task: str | None
    type: str | None
    labels: dict[str, str | None]
    region: list[float] | None


def check_layout(layout: str) -> None:
    """Raise a UserError for a layout that is not meant for the user's own data."""
    if layout not in NAMES:
        raise UserError(f"layout is {layout!r}; {nearest(layout, NAMES)}")


def check_columns(columns: dict[str, object]) -> None:
    """Raise a UserError for an unknown key of ``columns``, an invalid label or a partial region."""
    for name in columns:
        if name not in KEYS:
            raise UserError(f"columns: unknown key {name!r}; {nearest(name, KEYS)}")
    given = {key for form in FORMS for key in form} & set(columns)
    if given and given not in map(set, FORMS):
        raise UserError(
            f"columns: the region is given by {', '.join(sorted(given))}, expected region alone, "
            "x and y, or left, top, right and bottom"
        )
    labels = columns.get("labels", {})
    for name in labels if isinstance(labels, dict) else ():
        if name != task_name(name, "columns.labels"):
            raise UserError(
                f"columns.labels: {name!r} is not a valid task name, expected lower-case letters, "
                f"digits and underscores, such as {task_name(name, 'columns.labels')!r}"
            )


def task_name(text: str, where: str) -> str:
    """Return a task name for file names: lower-case letters of any script, digits, underscores.

    >>> task_name("Object counting (hard)", "mine.csv: line 2")
    'object_counting_hard'
    >>> task_name("Größe?", "mine.csv: line 2")
    'größe'
    """
    plain = unicodedata.normalize("NFC", text.lower())
    kept = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in plain)
    name = "_".join("".join(kept).split())
    if not any(map(str.isalnum, name)):
        raise UserError(f"{where}: task is {text!r}, expected a name with a letter or digit")
    return name


def read_entries(root: Path) -> list[OwnEntry]:
    """Read all rows of ``table.jsonl``, which may be larger than a user's table of text."""
    path = Path(root) / TABLE
    try:
        with open(path, "rb") as lines:
            numbered = enumerate(lines, 1)
            rows = [parse_json(line, f"{path}: line {n}", encoding="utf-8") for n, line in numbered]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    return [OwnEntry(**row) for row in rows]  # type: ignore[typeddict-item]


def resolve(columns: list[str], mapping: Mapping, where: object) -> Mapping:
    """Return the source's column for each field: the mapped column, or the one with that name.

    ``image`` may be several columns; ``labels`` maps task names to columns. Raise a UserError if a
    mapped column is missing, or if there is no image column.
    """
    found: Mapping = {}
    for name in COLUMNS:
        if name in mapping or name in columns:
            found[name] = mapping.get(name, name)
    found |= {key: mapping[key] for form in FORMS for key in form if key in mapping}
    images = mapping.get("image", "image")
    found["image"] = [images] if isinstance(images, str) else list(images)
    found["labels"] = dict(mapping.get("labels", {}))
    flat = {f"columns.{name}": column for name, column in found.items() if isinstance(column, str)}
    flat |= {f"columns.labels.{name}": column for name, column in found["labels"].items()}
    wanted = [*(("columns.image", column) for column in found["image"]), *flat.items()]
    for key, column in wanted:
        if column not in columns:
            raise UserError(
                f"{where}: column {column!r} ({key}) is missing; {nearest(column, columns)}"
            )
    return found


def used(mapping: Mapping) -> list[str]:
    """Return the distinct columns used by a resolved mapping."""
    single = [column for column in mapping.values() if isinstance(column, str)]
    return list(dict.fromkeys([*mapping["image"], *mapping["labels"].values(), *single]))


def text(record: Record, column: str | None) -> str | None:
    """Return a cell as text, verbatim; None for an empty cell or no column.

    A whole-number float loses its decimals; a bool becomes yes or no. Raise a UserError if the cell
    is a list, an object, bytes or infinite, or contains a NUL character.
    """
    return None if column is None else _text(record.values.get(column), record.where, column)


def label(record: Record, column: str | None) -> str | None:
    """Return a cell that names a class or a group; see :func:`alike`."""
    found = text(record, column)
    return None if found is None else alike(found) or None


def alike(name: str) -> str:
    """Return a name so that names that look the same are equal.

    It is in Unicode's composed form (NFC), without invisible characters or blanks around it, and
    with plain spaces.
    """
    visible = _SPACE.sub(" ", _INVISIBLE.sub("", name))
    return unicodedata.normalize("NFC", visible.strip())


def texts(record: Record, column: str | None, bars: bool) -> list[str] | None:
    """Return a cell as strings: from a list, a JSON or Python list, or, with ``bars``, ``a|b``.

    Raise a UserError if the cell looks like a list but is not one, or contains an empty string.
    """
    value = None if column is None else record.values.get(column)
    if isinstance(value, str):
        value = _split(value, bars, f"{record.where}: {column}")
    if value is None or value == []:
        return None
    values = value if isinstance(value, list) else [value]
    found = [alike(_text(one, record.where, str(column)) or "") or None for one in values]
    if found == [None]:
        return None
    if None in found:
        raise UserError(f"{record.where}: {column} is {value!r}, which contains an empty string")
    return [one for one in found if one is not None]


def region(record: Record, mapping: Mapping) -> list[float] | None:
    """Return the region of a row: x and y, or left, top, right and bottom; None if it is empty.

    Raise a UserError if a cell is not a number, or if there are too few or too many cells.
    """
    form = next((form for form in FORMS if form[0] in mapping), ())
    cells: list[Any] = [record.values.get(mapping[key]) for key in form]
    if form == ("region",):
        cell = cells[0]
        if isinstance(cell, str):
            cells = re.split(r"[\s,;]+", cell.strip(" \t[]()"))
        elif isinstance(cell, list):
            cells = cell
    if all(cell is None or cell == "" for cell in cells):
        return None
    try:
        found = [float(cell) for cell in cells]
    except (TypeError, ValueError, OverflowError):
        found = []
    if len(found) not in (2, 4) or not all(map(math.isfinite, found)):
        columns = ", ".join(mapping[key] for key in form)
        raise UserError(
            f"{record.where}: {columns} is {', '.join(map(str, cells))}, expected x, y or left, "
            "top, right, bottom in pixels"
        )
    return found


def image_values(record: Record, columns: list[str], is_file: Callable[[str], bool]) -> list[Any]:
    """Return all images of a row, in order; each is a path, bytes, or ``{"bytes": …, "path": …}``.

    A cell that is the name of an existing file, such as ``left|right.png``, is a single path. Raise
    a UserError if there are no images.
    """
    found: list[Any] = []
    for column in columns:
        value = record.values.get(column)
        if isinstance(value, str) and not (set(value) & set("|[") and is_file(value.strip())):
            value = _split(value, True, f"{record.where}: {column}")
        found += value if isinstance(value, list) else [value]
    found = [one.strip() if isinstance(one, str) else one for one in found if one]
    if not found:
        raise UserError(f"{record.where}: {', '.join(columns)} is empty, expected an image")
    return found


def content(value: Any, where: str) -> bytes | str:
    """Return the bytes of an image cell, or its path if it has no bytes.

    The cell is a path, bytes, or an object with one of them; otherwise raise a UserError.
    """
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if not isinstance(value, bytes | str) or not value:
        kind = type(value).__name__
        raise UserError(f"{where}: the image is of type {kind}, expected a path, bytes, or both")
    return value


def _text(value: Any, where: str, column: str) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{where}: {column} is {value}, expected text or a finite number")
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, str) and "\0" in value:
        raise UserError(f"{where}: {column} is {shown(value)}, which contains a NUL character")
    if isinstance(value, str | int | float):
        return str(value) if str(value).strip() else None
    raise UserError(f"{where}: {column} is a {type(value).__name__}, expected text or a number")


def _split(value: str, bars: bool, where: str) -> Any:
    """Parse a cell: a JSON or Python list, ``a|b``, or the text itself."""
    stripped = value.strip()
    if stripped.startswith("[") and stripped.endswith("]"):
        with suppress(UserError):
            return parse_json(stripped.encode(), where)
        try:  # ['a', 'b'], common in tables on the hub; only literals, so no code is run
            found = list(ast.literal_eval(stripped))
            # rejects half a surrogate pair
            json.dumps(found, ensure_ascii=False, default=str).encode()
            return found
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            raise UserError(
                f"{where} is {stripped[:60]!r}, which is not a list of strings"
            ) from None
    return value.split("|") if bars and "|" in value else value
