"""Unpack an archive safely: nothing outside the folder, no links, no bombs, no partial files."""

import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from eyechart.core.errors import UserError
from eyechart.core.files import atomic
from eyechart.data.sources.archive_rules import (
    CHUNK,
    check_room,
    leads_out,
    refuse,
    remove_partials,
    swells,
)
from eyechart.data.sources.archive_tar import unpack_tar

_TAR = re.compile(r".*\.(tar|tar\.gz|tgz)", re.IGNORECASE)
_THREADS = 8  # each file is flushed to disk, so several waits overlap


def is_archive(path: Path) -> bool:
    """Return whether a file's name is that of an archive :func:`unpack` accepts."""
    return path.suffix.lower() == ".zip" or bool(_TAR.fullmatch(path.name))


def unpack(archive: Path, root: Path, choose: Callable[[str], str | None]) -> None:
    """Write the chosen members of an archive under ``root``, each atomically.

    An existing file with a zip member's size and CRC-32 is kept, so a killed run resumes where it
    stopped.

    Parameters
    ----------
    archive : Path
        A tar, gzipped or not, judged by its name; else a zip.
    root : Path
        Folder to unpack into.
    choose : callable
        Returns the path under ``root`` for a member's name, or None to leave the member out.

    Raises
    ------
    UserError
        If the archive is missing, truncated or damaged; if any member, chosen or not, is a link or
        would be written outside ``root``; if a chosen one is encrypted or expands too much; if the
        disk has too little space.
    """
    if _TAR.fullmatch(archive.name):
        unpack_tar(archive, root, choose)
        return
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _plan(archive, opened.infolist(), choose)
            missing = {k: v for k, v in members.items() if not _is_whole(root / k, v)}
            check_room(archive, root, sum(info.file_size for info in missing.values()))
            remove_partials({(root / name).parent for name in members})
            with ThreadPoolExecutor(_THREADS) as pool:
                done = pool.map(lambda name: _extract(opened, missing[name], root / name), missing)
                for _ in tqdm(done, "unpacking", len(missing), unit="file", mininterval=1.0):
                    pass
    except FileNotFoundError:
        raise UserError(f"{archive}: no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(
            f"{archive}: truncated or damaged, no complete zip ({error}); replace it and run again"
        ) from None


def _plan(
    archive: Path, members: list[zipfile.ZipInfo], choose: Callable[[str], str | None]
) -> dict[str, zipfile.ZipInfo]:
    chosen: dict[str, zipfile.ZipInfo] = {}
    for info in members:
        fault = _fault(info)
        target = None if fault or info.is_dir() else choose(info.filename)
        if target is not None and info.flag_bits & 1:
            fault = "is encrypted"
        elif target is not None and swells(info.file_size, info.compress_size):
            fault = swells(info.file_size, info.compress_size)
        elif target in chosen:
            fault = "occurs in it twice"
        if fault:
            raise refuse(archive, info.filename, fault, "zip")
        if target is not None:
            chosen[target] = info
    return chosen


def _fault(info: zipfile.ZipInfo) -> str | None:
    if leads_out(info.filename):
        return "would land outside of the folder"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    return None


def _is_whole(path: Path, info: zipfile.ZipInfo) -> bool:
    if not path.is_file() or path.stat().st_size != info.file_size:
        return False
    crc = 0
    with open(path, "rb") as handle:
        while chunk := handle.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc == info.CRC


def _extract(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    # the reader stops at the declared size, then compares the CRC-32
    with opened.open(info) as source, atomic(path) as partial:
        with open(partial, "wb") as sink:
            shutil.copyfileobj(source, sink, CHUNK)
        if partial.stat().st_size != info.file_size:
            raise zipfile.BadZipFile(f"{info.filename} ends before its declared size")
