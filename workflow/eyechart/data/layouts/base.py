"""Official layouts, found by name: one module ``<name>.layout`` each, with the same interface.

A layout describes where the files of a published dataset are; :class:`LayoutModule` is its
interface. The module ``prepare`` beside it makes the tables.
"""

import importlib
from pathlib import Path
from typing import Any, Protocol, cast

from eyechart.core.errors import UserError, nearest
from eyechart.tables import receipt


class LayoutModule(Protocol):
    """Interface of a module ``<name>.layout``.

    Attributes
    ----------
    NAME : str
        Name of the layout.
    TOPS : tuple of str
        Possible top folders of an official archive or of a user's folder.
    RELEASED : tuple of str or None
        Official splits that can be evaluated; None if any name is allowed.
    """

    NAME: str
    TOPS: tuple[str, ...]
    RELEASED: tuple[str, ...] | None

    def member(self, name: str, splits: list[str]) -> str | None:
        """Return an archive member's path in the dataset's folder; None if it is not needed."""

    def inventory(
        self, root: Path, splits: list[str]
    ) -> tuple[dict[str, receipt.SplitCounts], list[Path]]:
        """Return the counts per split, and all files relative to ``root``."""

    def check_released(self, splits: list[str]) -> None:
        """Raise a UserError for a split that cannot be evaluated, before any download."""


def names() -> list[str]:
    """Return the names of all layouts."""
    found = Path(__file__).parent.iterdir()
    return sorted(path.name for path in found if (path / "layout.py").exists())


def find(name: str) -> LayoutModule:
    """Return the layout with this name.

    Raises
    ------
    UserError
        If there is no such layout.
    """
    if name not in names():
        raise UserError(f"layout is {name!r}; {nearest(name, names())}")
    return cast(LayoutModule, importlib.import_module(f"eyechart.data.layouts.{name}.layout"))


def top_of(folder: Path, layout: LayoutModule) -> Path:
    """Return the folder of the dataset in a user's folder: one of the layout's tops, or itself."""
    inside = (folder / top for top in layout.TOPS if top)
    return next((path for path in inside if path.is_dir()), folder)


def within_top(name: str, tops: tuple[str, ...]) -> str:
    """Return the path of an archive member without its top folder, if it has one."""
    return next((name.removeprefix(f"{t}/") for t in tops if t and name.startswith(f"{t}/")), name)


def check_output(root: Path, output: Path) -> None:
    """Raise a UserError if the receipt would not be in its dataset's folder."""
    if output != root / receipt.NAME:
        raise UserError(f"--output is {output}, expected {root / receipt.NAME}")


def check_splits(splits: list[str], released: tuple[str, ...], title: str, what: str) -> None:
    """Raise a UserError for the first split that was not released with ``what`` is needed."""
    for split in splits:
        if split not in released:
            raise UserError(
                f"split {split!r} of {title} cannot be evaluated: only {' and '.join(released)} "
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
    """Raise a UserError unless a file name is plain: others could lead out of the folder."""
    if not isinstance(name, str) or name != Path(name).name or "\\" in name or not name:
        raise UserError(f"{where}: {field} is {name!r}, expected a plain file name")
