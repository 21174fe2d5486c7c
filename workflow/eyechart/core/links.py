"""Links to files that stay the user's own."""

from collections.abc import Iterable
from pathlib import Path

from eyechart.core.errors import UserError


def link_files(top: Path, root: Path, files: Iterable[Path]) -> None:
    """Link every file of a folder under ``root``; nothing is copied.

    Files and not folders are linked, so that whoever writes under ``root`` later, by renaming,
    replaces a link and never reaches the user's own file. A folder that is ``root`` itself is left
    as it is.

    Raises
    ------
    UserError
        If a real file stands where a link must go.
    """
    if top.resolve() == root.resolve():
        return
    for file in files:
        path = root / file
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            raise UserError(
                f"{path}: stands there from another source; delete or move {root}, then run again"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to((top / file).resolve())
