"""Rules for all archives: names that stay in the folder, disk space, temporary files."""

import re
import shutil
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from eyechart.core.errors import UserError

# PNGs hardly compress and JSON about tenfold; deflate's own limit is about 1000
MAX_RATIO = 100
CHUNK = 1 << 20


def leads_out(name: str) -> bool:
    """Return whether a member's name would lead out of the folder, on any system.

    >>> leads_out("a/b:c.json"), leads_out("../a"), leads_out("C:/a")
    (False, True, True)
    """
    parts = PurePosixPath(name).parts
    drive = re.match(r"[A-Za-z]:", name)
    return name.startswith("/") or "\\" in name or bool(drive) or ".." in parts


def swells(found: int, packed: int) -> str:
    """Return a message if the compression ratio is too high, else an empty text."""
    if found <= MAX_RATIO * max(packed, CHUNK):
        return ""
    return f"unpacks from {packed} to {found} bytes, more than {MAX_RATIO} times"


def check_room(archive: Path, root: Path, needed: int) -> None:
    """Raise a UserError if the disk has too little space for this number of bytes."""
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if needed > free:
        size = tqdm.format_sizeof
        raise UserError(
            f"{archive}: needs {size(needed, 'iB', 1024)} to unpack, but {root} has "
            f"{size(free, 'iB', 1024)} free; free some and run again"
        )


def remove_partials(folders: set[Path]) -> None:
    """Remove temporary files, which a killed run leaves behind."""
    for folder in folders:
        for path in folder.glob(".*.partial-*"):
            path.unlink()


def refuse(archive: Path, member: str, fault: str, kind: str) -> UserError:
    """Return the error about a member that must not be unpacked."""
    return UserError(
        f"{archive}: member {member!r} {fault}, so nothing was unpacked; "
        f"get the {kind} from a source that you trust"
    )
