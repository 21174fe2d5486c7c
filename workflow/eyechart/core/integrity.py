"""A sweep before every run that marks damaged files to be made again.

Snakemake only looks at the age of a file, and does not miss an intermediate one, so it would take
a damaged shard for complete, and never notice a lost one. Manifests list the expected files. An
output that differs is renamed to ``<name>.damaged`` and marked incomplete, as Snakemake marks the
outputs of a killed job. The next run that needs it, or anything below it, makes it again.

A file that is not newer than its manifest and has the listed size is not hashed. A newer one
(touched, copied, restored) is hashed once, and remembered in ``.snakemake/eyechart-stamps.json``.
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
# Manifests that a job writes after their files, with the folder that their paths are relative to: 0
# is the manifest's own, 1 its parent
MANIFESTS = {
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
    """Prepare the working folder for a run and return a warning for each repair.

    Does nothing while another Snakemake works in the folder, since its files do not match their
    manifests yet. The kernel releases a lock when its holder dies, so a process that gets the
    exclusive lock also knows that Snakemake's own locks are left over from a killed run.
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
        remove_partials((results, paths.raw_of(results), "data"))
        return sweep(results)
    finally:
        fcntl.flock(handle, fcntl.LOCK_SH)


def remove_partials(roots: Iterable[str]) -> None:
    """Remove the partial files of dead processes."""
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                if (partial := PARTIAL.fullmatch(name)) and not _is_alive(int(partial["pid"])):
                    Path(folder, name).unlink(missing_ok=True)


def sweep(results: str = paths.RESULTS) -> list[str]:
    """Mark the files that differ from their manifests to be made again, and return warnings."""
    before: Stamps = json.loads(STAMPS.read_text()) if STAMPS.exists() else {}
    after: Stamps = {}
    warnings = []
    for manifest in sorted(Path().glob(paths.MANIFEST.glob(results))):
        for part in _damaged(manifest, "parts", manifest.parent, before, after):
            if not _just_made(part):
                warnings.append(f"{part} {_set_aside(part)}; it is made again")
                _mark_incomplete(part)
    for pattern, up in MANIFESTS.items():
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
    """Yield each file of a manifest that is missing or differs, or an invalid manifest."""
    try:
        entries: list[Entry] = json.loads(manifest.read_text(encoding="utf-8"))[field]
    except (ValueError, KeyError, TypeError):
        yield manifest
        return
    written = manifest.stat().st_mtime_ns
    for entry in entries:
        path = f"{folder}/{entry['path']}"
        try:
            found = os.stat(path)  # noqa: PTH116  (a Path for each image is slow)
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
    """Return whether a finished job wrote the file in this state; then its manifest is outdated.

    Snakemake records the time of every output when its job ends.
    """
    record = _record("metadata", path)
    try:
        return bool(json.loads(record.read_text())["endtime"] == path.stat().st_mtime)
    except (OSError, ValueError, KeyError):
        return False


def _set_aside(output: Path) -> str:
    """Rename an output that exists, and return what was done, for a warning."""
    if not output.exists() or not output.stat().st_size:
        return "is missing"
    aside = output.with_name(f"{output.name}.damaged")
    output.replace(aside)
    return f"was damaged and is set aside as {aside.name}"


def _mark_incomplete(output: Path) -> None:
    """Mark an output to be made again; Snakemake only reads the marks of files that exist."""
    output.touch()
    record = _record("incomplete", output)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"external_jobid": None}))


def _record(kind: str, output: Path) -> Path:
    """Return the path of Snakemake's record of an output, named as in its file persistence."""
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
