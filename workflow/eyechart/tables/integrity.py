"""A sweep before every run: what was damaged since it was written is set aside and made again.

Snakemake asks only whether a file is there and how old it is, so a damaged shard would be taken for
whole, and a lost picture never missed. Manifests say what should be there; a file that is no longer
that is renamed to ``<name>.damaged``, so that Snakemake makes it, and what is below, again.

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

from eyechart.tables.files import sha256, write_json

STAMPS = Path(".snakemake/eyechart-stamps.json")
LOCK = Path(".snakemake/eyechart.lock")
SNAKEMAKE_LOCKS = Path(".snakemake/locks")
METADATA = Path(".snakemake/metadata")
ACTIVATIONS = "results/activations/*/*/*/manifest.json"
# Manifests that the job which wrote their files wrote last, with the depth of the folder from which
# their paths count
OTHERS = {
    "data/raw/*/shards/*.json": 3,
    "data/raw/*/acquired.json": 3,
    "data/models/*/ready.json": 3,
    "results/training/*/model/ready.json": 4,
    "results/report/figures/**/figures.json": -1,
}
PARTIAL = re.compile(r"\..+\.partial-(?P<pid>\d+)")  # as eyechart.tables.files.atomic names them

Entry = dict[str, Any]
Stamps = dict[str, list[int]]


def start() -> list[str]:
    """Make the working folder fit for a run and give a warning for each thing that was mended.

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
        remove_partials(("results", "data"))
        return sweep()
    finally:
        fcntl.flock(handle, fcntl.LOCK_SH)


def remove_partials(roots: Iterable[str]) -> None:
    """Remove what processes that are dead left of files that they were writing."""
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                if (partial := PARTIAL.fullmatch(name)) and not _is_alive(int(partial["pid"])):
                    Path(folder, name).unlink(missing_ok=True)


def sweep() -> list[str]:
    """Compare all files with their manifests, set aside what differs, and give the warnings."""
    before: Stamps = json.loads(STAMPS.read_text()) if STAMPS.exists() else {}
    after: Stamps = {}
    warnings = []
    for manifest in sorted(Path().glob(ACTIVATIONS)):
        for part in _damaged(manifest, "parts", manifest.parent, before, after):
            if _just_made(part):
                continue
            warnings.append(f"{part} {_set_aside(part)}; it is made again")
            manifest.unlink(missing_ok=True)  # or Snakemake would not miss the part
    for pattern, depth in OTHERS.items():
        for manifest in sorted(Path().glob(pattern)):
            root = Path(*manifest.parts[:depth])
            lost = next(_damaged(manifest, "files", root, before, after), None)
            if lost:
                how = "differs from" if lost.exists() else "is missing, but stands in"
                warnings.append(f"{lost} {how} {manifest}, which {_set_aside(manifest)}")
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
    record = METADATA / urlsafe_b64encode(str(path).encode()).decode()
    try:
        return bool(json.loads(record.read_text())["endtime"] == path.stat().st_mtime)
    except (OSError, ValueError, KeyError):
        return False


def _set_aside(path: Path) -> str:
    if not path.exists():
        return "is missing"
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    return f"was damaged and is set aside as {aside.name}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
