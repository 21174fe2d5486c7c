"""Official layouts, found by name: each is a module ``<name>.layout`` with the same interface.

A layout describes where the files of a published dataset are. :class:`LayoutModule` is its
interface. The module ``prepare`` next to it creates the tables.
"""

import importlib
import re
from pathlib import Path
from typing import Any, Protocol, cast

from eyechart.core.errors import UserError, nearest
from eyechart.core.files import Hook, parse_json, read
from eyechart.tables import receipt

Inventory = tuple[dict[str, receipt.SplitCounts], list[Path]]


class LayoutModule(Protocol):
    """Interface of a module ``<name>.layout``.

    Attributes
    ----------
    NAME, TITLE : name of the layout, and name of the dataset in messages
    TOPS : possible top-level folders of an official archive or a user's folder
    FILES : patterns of the required files, relative to the dataset's folder; ``{split}`` stands for
        any requested split
    RELEASED : official splits that can be evaluated; None if there are no splits, and the only
        split may have any name
    WITH : what these splits were released with, for messages, if there are splits
    OPEN : whether the user's own dataset may have other split names; defaults to no
    """

    NAME: str
    TITLE: str
    TOPS: tuple[str, ...]
    FILES: tuple[str, ...]
    RELEASED: tuple[str, ...] | None
    WITH: str

    def inventory(self, root: Path, splits: list[str]) -> Inventory:
        """Return the counts per split, and all files relative to ``root``.

        Raise a UserError if a file is missing or damaged.
        """


def names() -> list[str]:
    """Return the names of all layouts."""
    found = Path(__file__).parent.iterdir()
    return sorted(path.name for path in found if (path / "layout.py").exists())


def find(name: str) -> LayoutModule:
    """Return the layout with this name; raise a UserError if there is none."""
    if name not in names():
        raise UserError(f"layout is {name!r}; {nearest(name, names())}")
    return cast(LayoutModule, importlib.import_module(f"eyechart.data.layouts.{name}.layout"))


def top_of(folder: Path, layout: LayoutModule) -> Path:
    """Return the dataset's folder in a user's folder: one of the layout's tops, or itself."""
    inside = (folder / top for top in layout.TOPS if top)
    return next((path for path in inside if path.is_dir()), folder)


def member(layout: LayoutModule, name: str, splits: list[str]) -> str | None:
    """Return an archive member's path in the dataset's folder, or None if it is not needed."""
    tops = (f"{top}/" for top in layout.TOPS if top)
    path = next((name.removeprefix(top) for top in tops if name.startswith(top)), name)
    wanted = f"({'|'.join(map(re.escape, splits))})"
    needed = any(re.fullmatch(each.replace("{split}", wanted), path) for each in layout.FILES)
    return path if needed else None


def check_output(root: Path, output: Path) -> None:
    """Raise a UserError if the receipt would not be in its dataset's folder."""
    if output != root / receipt.NAME:
        raise UserError(f"--output is {output}, expected {root / receipt.NAME}")


def check_released(layout: LayoutModule, splits: list[str]) -> None:
    """Raise a UserError for a split that cannot be evaluated, before any download."""
    released = layout.RELEASED
    if released is None and len(splits) != 1:
        raise UserError(
            f"splits are {', '.join(splits)}, but the layout {layout.NAME!r} has no splits; give a "
            "single name, e.g. [test]"
        )
    for split in splits:
        if released and split not in released:
            raise UserError(
                f"split {split!r} of {layout.TITLE} cannot be evaluated: only "
                f"{' and '.join(released)} were released with {layout.WITH}; "
                f"{nearest(split, released)}"
            )


def inventory(layout: LayoutModule, root: Path, splits: list[str]) -> Inventory:
    """Return the inventory of the user's own folder, after checking the split names."""
    if not getattr(layout, "OPEN", False):
        check_released(layout, splits)
    return layout.inventory(root, splits)


def check_file(path: Path, needed_by: str, kind: str = "image") -> None:
    """Raise a UserError if a file is missing; ``needed_by`` ends its message."""
    if not path.is_file():
        raise UserError(f"{path}: no such {kind}, {needed_by}")


def read_lists(path: Path, keys: tuple[str, ...], hook: Hook, hint: str) -> dict[str, Any]:
    """Read a JSON object with a list under each key; ``hook`` reduces objects while parsing.

    Reducing early keeps memory low. Raise a UserError if the file is missing (``hint`` states the
    consequence), is not valid JSON, or lacks a list.
    """
    try:
        data = read(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file, so {hint}") from None
    found: dict[str, Any] = parse_json(data, str(path), hook)
    for key in keys:
        require(found, (key,), str(path))
        if not isinstance(found[key], list):
            raise UserError(f"{path}: {key} is {str(found[key])[:40]!r}, expected a list")
    return found


def require(record: Any, fields: tuple[str, ...], where: str) -> None:
    """Raise a UserError that names the first missing field and the nearest one present."""
    if not isinstance(record, dict):
        raise UserError(f"{where}: is {str(record)[:40]!r}, expected an object with {fields[0]!r}")
    for field in fields:
        if field not in record:
            raise UserError(f"{where}: field {field!r} is missing; {nearest(field, record)}")


def require_plain(name: Any, field: str, where: str) -> None:
    """Raise a UserError unless a file name is plain; other names could lead out of the folder."""
    if not isinstance(name, str) or name != Path(name).name or "\\" in name or not name:
        raise UserError(f"{where}: {field} is {name!r}, expected a plain file name")


def require_inside(name: Any, field: str, where: str) -> None:
    """Raise a UserError unless a path stays inside its base folder."""
    parts = Path(name).parts if isinstance(name, str) else ()
    if not parts or ".." in parts or Path(name).is_absolute() or "\\" in name:
        raise UserError(f"{where}: {field} is {name!r}, expected a path below the image folder")
