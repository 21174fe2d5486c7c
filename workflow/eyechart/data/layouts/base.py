"""Official layouts, found by name: a module ``<name>.layout`` each, all with the same few names.

A layout is where the files of a published dataset stand. What it says of itself is
:class:`LayoutModule`; how its tables are made is the business of ``prepare`` beside it.
"""

import importlib
from pathlib import Path
from typing import Any, Protocol, cast

from eyechart.core.errors import UserError, nearest
from eyechart.tables import receipt


class LayoutModule(Protocol):
    """What a module ``<name>.layout`` holds.

    Attributes
    ----------
    NAME : str
        The layout's name.
    TOPS : tuple of str
        Folders that an official archive, or a user's folder, may hold everything in.
    RELEASED : tuple of str or None
        Official splits that can be examined; None where any name is allowed.
    """

    NAME: str
    TOPS: tuple[str, ...]
    RELEASED: tuple[str, ...] | None

    def member(self, name: str, splits: list[str]) -> str | None:
        """Give the path from the dataset's folder of an archive's member; None: not needed."""

    def inventory(
        self, root: Path, splits: list[str]
    ) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
        """Give the counts of every split and all of its files, relative to ``root``."""

    def check_released(self, splits: list[str]) -> None:
        """Refuse a split that cannot be examined before anything is downloaded."""


def names() -> list[str]:
    """Give the names of all layouts."""
    found = Path(__file__).parent.iterdir()
    return sorted(path.name for path in found if (path / "layout.py").exists())


def find(name: str) -> LayoutModule:
    """Give a layout by its name.

    Raises
    ------
    UserError
        If there is none of this name.
    """
    if name not in names():
        raise UserError(f"layout is {name!r}; {nearest(name, names())}")
    return cast(LayoutModule, importlib.import_module(f"eyechart.data.layouts.{name}.layout"))


def top_of(folder: Path, layout: LayoutModule) -> Path:
    """Give where in a user's folder the dataset is: in one of the layout's tops, or at once."""
    inside = (folder / top for top in layout.TOPS if top)
    return next((path for path in inside if path.is_dir()), folder)


def within_top(name: str, tops: tuple[str, ...]) -> str:
    """Give the path of an archive's member without the top folder, if it is in one."""
    return next((name.removeprefix(f"{t}/") for t in tops if t and name.startswith(f"{t}/")), name)


def check_output(root: Path, output: Path) -> None:
    """Refuse a receipt that would not stand in its dataset's folder."""
    if output != root / receipt.NAME:
        raise UserError(f"--output is {output}, expected {root / receipt.NAME}")


def check_splits(splits: list[str], released: tuple[str, ...], title: str, what: str) -> None:
    """Raise a UserError for the first split that was not released with ``what`` it takes."""
    for split in splits:
        if split not in released:
            raise UserError(
                f"split {split!r} of {title} cannot be examined, as only {' and '.join(released)} "
                f"were released with {what}; {nearest(split, released)}"
            )


def require(record: Any, fields: tuple[str, ...], where: str) -> None:
    """Raise a UserError that names the first missing field and the nearest one present."""
    if not isinstance(record, dict):
        raise UserError(f"{where}: is {str(record)[:40]!r}, expected an object with {fields[0]!r}")
    for field in fields:
        if field not in record:
            raise UserError(f"{where}: field {field!r} is missing; {nearest(field, record)}")


def require_plain(name: Any, field: str, where: str) -> None:
    """Raise a UserError for a file name that is no plain one: joined, it could lead out."""
    if not isinstance(name, str) or name != Path(name).name or "\\" in name or not name:
        raise UserError(f"{where}: {field} is {name!r}, expected a plain file name")
