"""A sweep before every run: what was damaged since it was written is set aside and made again.

Snakemake asks only how old a file is, and does not miss one that stands between others, so a
damaged shard would be taken for whole, and a lost one never be missed. Manifests say what should be
there. An output that is no longer that is renamed to ``<name>.damaged`` and marked incomplete, as
Snakemake itself marks what a killed job leaves: whoever asks for it, or for anything below it, gets
it made again.

Nothing is hashed that is as old as its manifest and of the size written there; what is younger
(touched, copied, restored) is hashed once and remembered in ``.snakemake/eyechart-stamps.json``.
"""

import fcntl
import json
import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from eyechart.core.files import sha256, write_json
from eyechart.plan import paths

STAMPS = Path(".snakemake/eyechart-stamps.json")
LOCK = Path(".snakemake/eyechart.lock")
SNAKEMAKE_LOCKS = Path(".snakemake/locks")
# Manifests that the job which wrote their files wrote last, with the folder from which their paths
# count: 0 is the manifest's own, 1 the one above it
OTHERS = {
    paths.SHARD: 1,
    paths.RECEIPT: 0,
    paths.READY: 0,
    paths.TRAINED: 0,
    paths.FIGURES: 0,
    paths.WHOLE_FIGURES: 0,
}
PARTIAL = re.compile(r"\..+\.partial-(?P<pid>\d+)")  # as eyechart.core.files.atomic names them

Entry = dict[str, Any]
Stamps = dict[str, list[int]]


def start(results: str = paths.RESULTS) -> list[str]:
    """Make the working folder fit for a run and return a warning for each thing that was mended.

    Does nothing while another Snakemake works in the folder: its files are not yet what their
    manifests will say. The kernel gives a lock back when its holder dies, however it dies; so who
    gets it for himself alone also knows that Snakemake's own locks are left from a killed run.
    """
    LOCK.parent.mkdir(exist_ok=True)
    handle = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)  # held as long as the process lives
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(handle, fcntl.LOCK_SH)
        return []
    try:
        for lock in SNAKEMAKE_LOCKS.glob("*.lock"):
            lock.unlink()
        remove_partials((results, "data"))
        return sweep(results)
    finally:
        fcntl.flock(handle, fcntl.LOCK_SH)


def remove_partials(roots: Iterable[str]) -> None:
    """Remove what processes that are dead left of files that they were writing."""
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                if (partial := PARTIAL.fullmatch(name)) and not _is_alive(int(partial["pid"])):
                    Path(folder, name).unlink(missing_ok=True)


def sweep(results: str = paths.RESULTS) -> list[str]:
    """Compare all files with their manifests, see to it that what differs is made again; warn."""
    before: Stamps = json.loads(STAMPS.read_text()) if STAMPS.exists() else {}
    after: Stamps = {}
    warnings = []
    for manifest in sorted(Path().glob(paths.MANIFEST.glob(results))):
        for part in _damaged(manifest, "parts", manifest.parent, before, after):
            if not _just_made(part):
                warnings.append(f"{part} {_set_aside(part)}; it is made again")
                _mark_incomplete(part)
    for pattern, up in OTHERS.items():
        for manifest in sorted(Path().glob(pattern.glob(results))):
            root = manifest.parents[up]
            lost = next(_damaged(manifest, "files", root, before, after), None)
            if lost:
                how = "was changed" if lost.exists() else "is missing"
                how = _set_aside(lost) if lost == manifest else how
                warnings.append(f"{lost} {how}; what {manifest} lists is made again")
                _mark_incomplete(manifest)
    if after != before:
        write_json(STAMPS, after)
    return warnings


def _damaged(
    manifest: Path, field: str, folder: Path, before: Stamps, after: Stamps
) -> Iterator[Path]:
    """Yield each file of a manifest that is missing or differs, or a manifest that is broken."""
    try:
        entries: list[Entry] = json.loads(manifest.read_text(encoding="utf-8"))[field]
    except (ValueError, KeyError, TypeError):
        yield manifest
        return
    written = manifest.stat().st_mtime_ns
    for entry in entries:
        path = f"{folder}/{entry['path']}"
        try:
            found = os.stat(path)  # noqa: PTH116  (a Path for each picture is slow)
        except FileNotFoundError:
            yield Path(path)
            continue
        stamp = [found.st_size, found.st_mtime_ns]
        if found.st_size != entry["bytes"]:
            yield Path(path)
        elif found.st_mtime_ns > written:
            if before.get(path) != stamp and sha256(Path(path)) != entry["sha256"]:
                yield Path(path)
            else:
                after[path] = stamp


def _just_made(path: Path) -> bool:
    """Say whether a finished job wrote the file as it stands: then its manifest is what is old.

    Snakemake notes the time of every output when its job ends.
    """
    record = _record("metadata", path)
    try:
        return bool(json.loads(record.read_text())["endtime"] == path.stat().st_mtime)
    except (OSError, ValueError, KeyError):
        return False


def _set_aside(output: Path) -> str:
    """Put an output out of the way, if it is there, and say what was done."""
    if not output.exists() or not output.stat().st_size:
        return "is missing"
    aside = output.with_name(f"{output.name}.damaged")
    output.replace(aside)
    return f"was damaged and is set aside as {aside.name}"


def _mark_incomplete(output: Path) -> None:
    """Have Snakemake make an output again; it looks for the mark only of files that exist."""
    output.touch()
    record = _record("incomplete", output)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"external_jobid": None}))


def _record(kind: str, output: Path) -> Path:
    """Give where Snakemake keeps what it knows of an output, as its file persistence names it."""
    key = urlsafe_b64encode(str(output).encode()).decode()
    *folders, name = [key[i : i + 254] for i in range(0, len(key), 254)]
    return Path(".snakemake", kind, *(f"@{folder}" for folder in folders), name)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
