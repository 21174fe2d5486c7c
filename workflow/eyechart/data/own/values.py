"""Convert cells of the user's rows, of any source, to text."""

import ast
import json
import math
from typing import Any

from eyechart.core.errors import UserError, nearest
from eyechart.data.own.entries import COLUMNS
from eyechart.data.records import Record

Mapping = dict[str, Any]


def resolve(columns: list[str], mapping: Mapping, where: object) -> Mapping:
    """Return the source's column per field: the mapped one, or the one of that name.

    ``image`` may be several columns; ``labels`` maps task names to columns.

    Raises
    ------
    UserError
        If a mapped column is missing, or there is no image column.
    """
    found: Mapping = {}
    for name in COLUMNS:
        if name in mapping or name in columns:
            found[name] = mapping.get(name, name)
    columns_of_images = mapping.get("image", "image")
    found["image"] = (
        [columns_of_images] if isinstance(columns_of_images, str) else list(columns_of_images)
    )
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

    A whole float loses its decimals; a bool becomes yes or no.

    Raises
    ------
    UserError
        If the cell is a list, an object or bytes.
    """
    return None if column is None else _text(record.values.get(column), record.where, column)


def texts(record: Record, column: str | None, bars: bool) -> list[str] | None:
    """Return a cell as texts: a list, a JSON or Python list, or, with ``bars``, ``a|b``.

    Raises
    ------
    UserError
        If the cell looks like a list but is not one, or contains an empty text.
    """
    value = None if column is None else record.values.get(column)
    if isinstance(value, str):
        value = _split(value, bars, f"{record.where}: {column}")
    if value is None or value == []:
        return None
    values = value if isinstance(value, list) else [value]
    found = [_text(one, record.where, str(column)) for one in values]
    if found == [None]:
        return None
    if None in found:
        raise UserError(f"{record.where}: {column} is {value!r}, which contains an empty text")
    return [one.strip() for one in found if one is not None]


def image_values(record: Record, columns: list[str]) -> list[Any]:
    """Return all images of a row, in order: each a path, bytes, or ``{"bytes": …, "path": …}``.

    Raises
    ------
    UserError
        If there are no images.
    """
    found: list[Any] = []
    for column in columns:
        value = record.values.get(column)
        if isinstance(value, str):
            value = _split(value, True, f"{record.where}: {column}")
        found += value if isinstance(value, list) else [value]
    found = [one.strip() if isinstance(one, str) else one for one in found if one]
    if not found:
        raise UserError(f"{record.where}: {', '.join(columns)} is empty, expected an image")
    return found


def _text(value: Any, where: str, column: str) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value) if str(value).strip() else None
    raise UserError(f"{where}: {column} holds a {type(value).__name__}, expected text or a number")


def _split(value: str, bars: bool, where: str) -> Any:
    """Parse a text: a JSON or Python list, ``a|b``, or the text itself."""
    stripped = value.strip()
    if stripped.startswith("[") and stripped.endswith("]"):
        try:
            return json.loads(stripped)
        except json.JSONDecodeError:
            pass
        try:  # ['a', 'b'], common in tables on the hub; literals only, no code is run
            return list(ast.literal_eval(stripped))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            raise UserError(f"{where} is {stripped[:60]!r}, which is not a list of texts") from None
    return value.split("|") if bars and "|" in value else value
