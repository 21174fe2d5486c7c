"""Symbolic links to the user's own files."""

import os
from collections.abc import Iterable
from pathlib import Path

from eyechart.core.errors import UserError


def link_files(top: Path, root: Path, files: Iterable[Path]) -> None:
    """Link every file of a folder under ``root`` without copying.

    Files are linked, not folders, so that a later atomic write under ``root`` replaces a link and
    never the user's own file. A link has a :func:`readable` name. If the folder is ``root`` itself,
    nothing is done. Raise a UserError if a real file is where a link belongs.
    """
    if top.resolve() == root.resolve():
        return
    for file in files:
        path = root / readable(file.as_posix())
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            raise UserError(
                f"{path}: exists already, from another source; delete or move {root}, then "
                "run again"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to((top / file).resolve())


def is_file(path: Path) -> bool:
    """Return whether there is a file; False for a name that the system cannot have."""
    return os.path.isfile(path)  # noqa: PTH113  (a Path raises an error for a name that is too long)


def readable(name: str) -> str:
    """Return a file name as text for tables and links, with bytes that are not UTF-8 escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
