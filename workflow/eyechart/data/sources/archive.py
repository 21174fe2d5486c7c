"""Unpack an archive safely: all or nothing, only inside the folder, no links, no zip bombs.

These rules are stricter than the filters of tarfile, which allow links within the folder and drop a
leading slash, and than zipfile, which renames members that lead out of the folder. Both are
rejected here.
"""

import errno
import lzma
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from tqdm import tqdm

from eyechart.core.errors import UserError, shown
from eyechart.core.files import atomic, remove_partials, write_bytes
from eyechart.core.threads import thread_pool
from eyechart.data.sources.tar_stream import check_end, opened_tar

# PNGs hardly compress, and JSON compresses about tenfold; deflate's limit is about 1000
MAX_RATIO = 100
_TAR = re.compile(r".*\.(tar|tar\.gz|tgz)", re.IGNORECASE)
_THREADS = 8  # each flushes its files to disk, and the waiting times overlap
_WAITING = 32  # members of a tar held in memory at once
_CHUNK = 1 << 20
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(NotImplementedError, ValueError, RuntimeError, OverflowError, MemoryError, OSError),
)
_UNWRITABLE = {
    errno.ENAMETOOLONG: "its name is too long",
    errno.ENOTDIR: "a file is where its folder should be",
    errno.EISDIR: "a folder is at its path",
    errno.EEXIST: "a file is where its folder should be",
}
Choose = Callable[[str], str | None]
Check = Callable[[list[str]], None]


class _Member(NamedTuple):
    """A member of an archive; ``fault`` only matters if the member is chosen."""

    name: str
    is_file: bool
    is_plain: bool  # a file or a folder
    fault: str
    info: Any


def is_archive(path: Path) -> bool:
    """Return whether a file name denotes an archive that :func:`unpack` accepts."""
    return path.suffix.lower() == ".zip" or bool(_TAR.fullmatch(path.name))


def unpack(archive: Path, root: Path, choose: Choose, check: Check = lambda names: None) -> None:
    """Write the chosen members of an archive under ``root``, each atomically.

    An existing file with a zip member's size and CRC-32 is kept, so a killed run resumes where it
    stopped. A tar has neither an index nor member checksums, so it is first read to its end, and
    every chosen member is rewritten. Raise a UserError if the archive is missing, truncated or
    damaged, or expands too much; if any member, chosen or not, is a link or would be written
    outside ``root``; if a chosen member is encrypted; or if the disk has too little space.

    Parameters
    ----------
    archive : a tar, gzipped or not, recognised by its name; otherwise a zip
    root : folder to unpack into
    choose : returns the path under ``root`` for a member's name, or None to skip the member
    check : is called with the names of all files before anything is unpacked, and may raise an
        error
    """
    kind = "tar" if _TAR.fullmatch(archive.name) else "zip"
    try:
        (_unpack_tar if kind == "tar" else _unpack_zip)(archive, root, choose, check)
    except FileNotFoundError:
        raise UserError(f"{archive}: no such file") from None
    except IsADirectoryError as error:
        raise UserError(f"{error.filename}: is a folder, expected a file") from None
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            name = Path(error.filename).relative_to(root).as_posix()
            fault = f"cannot be written: {_UNWRITABLE[error.errno]}"
            raise UserError(f"{archive}: member {shown(name)} {fault}") from None
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise UserError(
            f"{archive}: truncated or damaged, not a complete {kind} "
            f"({' '.join(str(error).split())}); replace it and run again"
        ) from None


def _leads_out(name: str) -> bool:
    """Return whether a member's name would lead out of the folder on any operating system.

    >>> _leads_out("a/b:c.json"), _leads_out("../a"), _leads_out("C:/a")
    (False, True, True)
    """
    drive = re.match(r"[A-Za-z]:", name)
    return name[:1] == "/" or "\\" in name or bool(drive) or ".." in PurePosixPath(name).parts


def _swells(found: int, packed: int) -> str:
    """Return a message if ``packed`` bytes must not unpack to ``found`` bytes, otherwise ""."""
    if found <= MAX_RATIO * max(packed, _CHUNK):
        return ""
    return f"unpacks from {packed} to {found} bytes, more than {MAX_RATIO} times"


def _refuse(archive: Path, found: int) -> None:
    """Raise a UserError if an archive unpacks to too many bytes."""
    if fault := _swells(found, archive.stat().st_size):
        raise UserError(f"{archive}: {fault}, so nothing was unpacked")


def _plan(
    archive: Path, members: Iterable[_Member], choose: Choose, check: Check, kind: str
) -> dict[str, Any]:
    """Return the chosen members by path, after checking that all members are safe."""
    chosen: dict[str, Any] = {}
    names = []
    for name, is_file, is_plain, fault_if_chosen, info in members:
        fault = "" if is_plain else "is a link or a device"
        fault = "has no name" if is_file and not PurePosixPath(name).parts else fault
        fault = "would be written outside the folder" if _leads_out(name) else fault
        target = choose(name) if is_file and not fault else None
        if target is not None:
            fault = fault_if_chosen or ("occurs in it twice" if target in chosen else "")
            chosen[target] = info
        names += [name] if is_file else []
        if fault:
            raise UserError(
                f"{archive}: member {shown(name)} {fault}, so nothing was unpacked; "
                f"get the {kind} from a source that you trust"
            )
    folders = {str(folder) for target in chosen for folder in PurePosixPath(target).parents}
    if both := sorted(folders & chosen.keys()):
        raise UserError(
            f"{archive}: member {shown(both[0])} is a file and a folder, so nothing was unpacked"
        )
    check(names)
    return chosen


def _make_room(archive: Path, root: Path, needed: int) -> None:
    """Check the disk space, and remove temporary files left behind by a killed run."""
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if needed > free:
        size, available = (tqdm.format_sizeof(n, "iB", 1024) for n in (needed, free))
        raise UserError(
            f"{archive}: needs {size} to unpack, but {root} has {available} free; free some and "
            "run again"
        )
    remove_partials(root)


@contextmanager
def _writers(count: int) -> Iterator[tuple[ThreadPoolExecutor, tqdm]]:
    progress = tqdm(None, "unpacking", count, unit="file", mininterval=1.0)
    with progress, thread_pool(_THREADS) as pool:
        yield pool, progress


def _unpack_zip(archive: Path, root: Path, choose: Choose, check: Check) -> None:
    with zipfile.ZipFile(archive) as opened:
        chosen = _plan(archive, map(_zip_member, opened.infolist()), choose, check, "zip")
        _check_index(opened)
        _refuse(archive, sum(info.file_size for info in chosen.values()))
        missing = {k: info for k, info in chosen.items() if not _is_whole(root / k, info)}
        _make_room(archive, root, sum(info.file_size for info in missing.values()))
        with _writers(len(missing)) as (pool, progress):
            for _ in pool.map(lambda k: _extract(opened, missing[k], root / k), missing):
                progress.update()


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    is_plain = stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG, stat.S_IFDIR)
    fault = "is encrypted" if info.flag_bits & 1 else _swells(info.file_size, info.compress_size)
    return _Member(info.filename, not info.filename.endswith("/"), is_plain, fault, info)


def _check_index(opened: zipfile.ZipFile) -> None:
    """Raise a BadZipFile if the index and a member differ in its name, or if the index is not last.

    zipfile compares names only when it reads a member, so a member that is not chosen because of
    its altered name would go missing.
    """
    file: IO[bytes] = opened.fp  # type: ignore[assignment]  # it is open
    file.seek(-22 - len(opened.comment), 2)
    if file.read(4) != b"PK\5\6":
        raise zipfile.BadZipFile("something follows its index")
    for info in opened.infolist():
        file.seek(info.header_offset)
        header = file.read(30)
        name = file.read(struct.unpack("<26xHxx", header)[0])
        if name.decode("utf-8" if info.flag_bits & 0x800 else "cp437") != info.orig_filename:
            raise zipfile.BadZipFile(f"its index and member {shown(info.filename)} differ")


def _is_whole(path: Path, info: zipfile.ZipInfo) -> bool:
    if not path.is_file() or path.stat().st_size != info.file_size:
        return False
    crc = 0
    with open(path, "rb") as handle:
        while chunk := handle.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc == info.CRC


def _extract(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    # the reader stops at the declared size, then compares the CRC-32
    with opened.open(info) as source, atomic(path) as partial:
        with open(partial, "wb") as sink:
            shutil.copyfileobj(source, sink, _CHUNK)
        if partial.stat().st_size != info.file_size:
            raise zipfile.BadZipFile(f"{info.filename} ends before its declared size")


def _unpack_tar(archive: Path, root: Path, choose: Choose, check: Check) -> None:
    with opened_tar(archive, partial(_refuse, archive)) as (opened, stream):
        sizes = _plan(archive, map(_tar_member, opened), choose, check, "tar")
        check_end(stream)
    _make_room(archive, root, sum(sizes.values()))
    with (
        opened_tar(archive, partial(_refuse, archive)) as (opened, _),
        _writers(len(sizes)) as (pool, progress),
    ):
        wanted = _read(opened, root, choose)
        while batch := list(islice(wanted, _WAITING)):  # in order; other threads wait for the disk
            progress.update(len(list(pool.map(_write, batch))))


def _read(opened: tarfile.TarFile, root: Path, choose: Choose) -> Iterator[tuple[bytes, int, Path]]:
    for info in opened:
        target = choose(_tar_name(info)) if info.isreg() else None
        source = opened.extractfile(info) if target is not None else None
        if target is not None and source is not None:
            yield source.read(), info.size, root / target


def _tar_name(info: tarfile.TarInfo) -> str:
    return info.name.removeprefix("./")


def _tar_member(info: tarfile.TarInfo) -> _Member:
    fault = "has holes, which unpack to zeros" if info.issparse() else ""
    return _Member(_tar_name(info), info.isreg(), info.isreg() or info.isdir(), fault, info.size)


def _write(member: tuple[bytes, int, Path]) -> None:
    data, size, path = member
    if len(data) != size:
        raise tarfile.ReadError(f"{path.name} ends before its declared size")
    write_bytes(path, data)
