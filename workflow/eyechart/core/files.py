"""Atomic writes: a file with its final name is always complete."""

import hashlib
import json
import os
import re
import shutil
import stat
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError, lacks, shown

PARTIAL = re.compile(
    r"\..+\.partial-(?:(?P<machine>[0-9a-f]{8})-)?(?P<pid>\d+)(?:-(?P<began>\d+))?"
)
Hook = Callable[[dict[str, Any]], Any]
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_SEPARATOR = re.compile(r"([,;\t\r\n])")
_FORMULA = re.compile(r"\A[\s\"\ufeff]*(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
LEFT_ALONE = 7 * 24 * 3600  # seconds; age at which other machines' partial files are removed


def _machine() -> str:
    """Return the name of the host, or container on it, in which process ids are unique."""
    space = Path("/proc/self/ns/pid")
    names = f"{os.uname().nodename} {space.stat().st_ino if space.exists() else 0}"
    return f"{zlib.crc32(names.encode()):08x}"


MACHINE = _machine()


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling to write; on success, flush it to disk and rename it to ``path``.

    If the block raises, the sibling is removed and ``path`` is unchanged.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    try:
        yield partial
        flush(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Yield a folder in ``parent`` that is removed at the end, or by :func:`remove_partials`."""
    folder = _partial(parent / "folder")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _partial(path: Path) -> Path:
    own = f"{MACHINE}-{os.getpid()}-{_began(os.getpid())}"
    return path.with_name(f".{path.name}.partial-{own}")


def reserve(path: Path) -> None:
    """Reserve the disk space of a sparse file; raise an OSError if there is too little.

    Otherwise, writing to the memory-mapped file would end the process when the disk is full.
    """
    with open(path, "r+b") as handle:
        if hasattr(os, "posix_fallocate"):  # not on macOS
            os.posix_fallocate(handle.fileno(), 0, path.stat().st_size)


def flush(path: Path) -> None:
    """Flush a file's bytes to the disk; return once they are there."""
    with open(path, "rb") as handle:
        os.fsync(handle.fileno())


def is_partial(path: Path | str) -> bool:
    """Return whether a path is a temporary file of this module that is still being written.

    >>> is_partial("a/.b.json.partial-0123abcd-7"), is_partial("a/.gitattributes")
    (True, False)
    """
    return bool(PARTIAL.fullmatch(Path(path).name))


def remove_partials(folder: Path | str) -> None:
    """Remove the temporary files and folders in a folder that dead processes left behind."""
    for at, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            partial = PARTIAL.fullmatch(name)
            if partial and _is_left(path := Path(at, name), **partial.groupdict()):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _is_left(path: Path, machine: str | None, pid: str, began: str | None) -> bool:
    """Return whether the process is dead or, on another machine, has not written in a long time.

    A process with another start time has reused the writer's process id.
    """
    try:
        if machine != MACHINE:
            return path.stat().st_mtime < time.time() - LEFT_ALONE
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, FileNotFoundError):
        pass
    return 0 not in (now := _began(int(pid)), then := int(began or now)) and now != then


def _began(pid: int) -> int:
    """Return a process's start time in ticks, -1 if it is dead, or 0 if unknown."""
    try:
        state, *others = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return -1 if state in "ZX" else int(others[18])


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes atomically."""
    with atomic(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; keys keep their order, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def cell(value: Any) -> Any:
    """Return a value for a CSV file so that spreadsheets do not evaluate it as a formula.

    Text that begins like a formula gets an apostrophe, as OWASP recommends. So does text that would
    do so if the file were split at another separator, as spreadsheets in some languages do.

    >>> cell("=1+1"), cell("a;=1"), cell("a=b"), cell(-3)
    ("'=1+1", "a;'=1", 'a=b', -3)
    """
    if not isinstance(value, str):
        return value
    text = "".join(_FORMULA.sub(r"\g<0>'", piece) for piece in _SEPARATOR.split(value))
    return f"'{text}" if text[:1] in tuple("\t\r\n") else text


def read_json(path: Path) -> Any:
    """Load JSON; raise a UserError for a missing or invalid file."""
    try:
        data = read(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    return parse_json(data, str(path), encoding="utf-8")


def read_own(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file that the program keeps for itself; empty if it is damaged.

    A folder, pipe or link in its place is removed.
    """
    if not path.is_symlink() and path.is_dir():
        shutil.rmtree(path)
    elif os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        path.unlink()
    try:
        found = json.loads(read(path))
    except (OSError, ValueError, RecursionError) as error:
        if lacks(error):  # the file may well be valid
            raise
        return {}
    return found if isinstance(found, dict) else {}


def parse_json(
    data: bytes, where: str, hook: Hook | None = None, encoding: str = "", unique: bool = False
) -> Any:
    """Return the value of a JSON text, in UTF-8, UTF-16 or UTF-32 if no ``encoding`` is given.

    ``hook`` replaces objects while parsing. Raise a UserError that begins with ``where`` if the
    text is invalid, is nested too deeply, has a number or a character that Python cannot represent,
    or, if ``unique``, has an object in which a key occurs twice.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise UserError(f"{where}: the key {shown(twice)} occurs twice")
        return found

    try:
        text = data.decode(encoding or json.detect_encoding(data))
        found = json.loads(text, object_hook=hook, object_pairs_hook=once if unique else None)
        if _HALF.search(text):  # such as \ud800, which cannot be written to a file
            json.dumps(found, ensure_ascii=False, default=str).encode()
        return found
    except RecursionError:
        why = "nested too deeply"
    except json.JSONDecodeError as error:
        why = str(error) if "\n" in error.doc else f"{error.msg}, column {error.colno}"
    except UnicodeDecodeError as error:
        why = str(error)
    except UnicodeEncodeError:
        why = "half of a surrogate pair is not a character"
    except ValueError:
        why = "a number with too many digits"
    raise UserError(f"{where}: not valid JSON ({why})")


class PipeError(UserError, OSError):
    """A pipe or a device in the place of a file; reading it may never end."""


def read(path: Path | str) -> bytes:
    """Return a file's bytes; raise a PipeError for a pipe or a device, otherwise an OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise PipeError(f"{path}: is a pipe or a device, expected a file")
        return file.read()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hex digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def describe(path: Path) -> dict[str, Any]:
    """Return the manifest entry of a file: path, bytes, sha256."""
    return {"path": str(path), "bytes": Path(path).stat().st_size, "sha256": sha256(path)}
