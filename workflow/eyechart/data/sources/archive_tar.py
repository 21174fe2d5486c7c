"""Unpack a tar, gzipped or not, under the rules for all archives: checked first, then read."""

import tarfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from eyechart.core.errors import UserError
from eyechart.core.files import atomic
from eyechart.data.sources.archive_rules import (
    check_room,
    leads_out,
    refuse,
    remove_partials,
    swells,
)

_THREADS = 8  # each file is flushed to disk, so several waits overlap
_WAITING = 32  # members held in memory at once


def unpack_tar(archive: Path, root: Path, choose: Callable[[str], str | None]) -> None:
    """Write the chosen members of a tar under ``root``, each atomically.

    A tar has neither an index nor checksums, so it is read twice, and every chosen member is
    rewritten. Parameters and errors are those of :func:`eyechart.data.sources.archive.unpack`.
    """
    with _whole(archive):
        sizes = _plan(archive, choose)
        check_room(archive, root, sum(sizes.values()))
        remove_partials({(root / name).parent for name in sizes})
        progress = tqdm(None, "unpacking", len(sizes), unit="file", mininterval=1.0)
        with progress, ThreadPoolExecutor(_THREADS) as pool, tarfile.open(archive, "r:*") as opened:
            waiting: deque[Future[None]] = deque()
            for info in opened:
                target = choose(_name(info)) if info.isreg() else None
                source = opened.extractfile(info) if target is not None else None
                if target is not None and source is not None:
                    data = source.read()  # in order; other threads wait for the disk
                    waiting.append(pool.submit(_write, data, info.size, root / target))
                    progress.update()
                if len(waiting) > _WAITING:
                    waiting.popleft().result()
            for future in waiting:
                future.result()


@contextmanager
def _whole(archive: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{archive}: no such file") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(
            f"{archive}: truncated or damaged, no complete tar ({error}); replace it and run again"
        ) from None


def _name(info: tarfile.TarInfo) -> str:
    return info.name.removeprefix("./")


def _plan(archive: Path, choose: Callable[[str], str | None]) -> dict[str, int]:
    """Return the size of every chosen member by path, after checking that all members are safe."""
    chosen: dict[str, int] = {}
    with tarfile.open(archive, "r:*") as opened:
        for info in opened:
            name = _name(info)
            fault = "would land outside of the folder" if leads_out(name) else ""
            if not (info.isreg() or info.isdir()):
                fault = "is a link or a device"
            target = choose(name) if info.isreg() and not fault else None
            if target in chosen:
                fault = "occurs in it twice"
            if fault:
                raise refuse(archive, info.name, fault, "tar")
            if target is not None:
                chosen[target] = info.size
    fault = swells(sum(chosen.values()), archive.stat().st_size)
    if fault:
        raise UserError(f"{archive}: {fault}, so nothing was unpacked")
    return chosen


def _write(data: bytes, size: int, path: Path) -> None:
    if len(data) != size:
        raise tarfile.ReadError(f"{path.name} ends before its declared size")
    with atomic(path) as partial:
        partial.write_bytes(data)
