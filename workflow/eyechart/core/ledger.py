"""The ledger: size, change time and SHA-256 of every file between stages, as written.

It records the outputs of rules and the files that an output *owns*: those listed in a receipt, a
shard or a manifest of figures, and the images prepared next to ``images.parquet``. An owned file is
remade by running its owner's rule. New files are recorded at the start and at the end of a run. A
file is hashed if its size or change time differs from the ledger's (unlike the modification time,
the change time cannot be set back), or always with ``full``. A file written so recently that a
later change may have the same time is hashed again. A check looks up each file once, in many
threads if look-ups are slow, as on a network disk.
"""

import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from eyechart.core.errors import UserError, lacks
from eyechart.core.files import is_partial, read, read_own, sha256, write_text
from eyechart.core.records import read_record, record_path
from eyechart.core.threads import thread_pool
from eyechart.plan import paths

LEDGER = Path(".snakemake/eyechart-ledger.json")
MODELS = paths.READY.text.partition("{")[0]
THREADS = 8  # hashing releases the GIL
FEW, MANY = 200, 64  # number of timed look-ups, and of threads for the others if these are slow
SLOW = 0.001  # seconds per look-up
FINE, COARSE = 20_000_000, 4_000_000_000  # nanoseconds within which a change may keep a file's time
# Outputs that list files, with the folder that the listed paths are relative to: 0 is the output's
# own, 1 its parent. A shard comes before the receipt that lists the same images.
LISTING = {
    paths.SHARD: 1,
    paths.RECEIPT: 0,
    paths.READY: 0,
    paths.TRAINED: 0,
    paths.PACKED: 0,
    paths.FIGURES: 0,
    paths.WHOLE_FIGURES: 0,
    paths.MANIFEST: 0,  # its files are outputs of their own
}
KEPT = [*LISTING, *(p for p in paths.PATTERNS.values() if p.text.startswith(paths.ROOT))]

Stamp = tuple[int, int]


class Known(NamedTuple):
    """A file's entry in the ledger; ``owner`` is the output whose rule makes it."""

    bytes: int
    changed: int  # in nanoseconds; 0 or below if its bytes must be checked
    sha256: str  # empty for an output that is certainly wrong
    owner: str


class Fault(NamedTuple):
    """A file that changed since it was written, the output to remake, and the fault."""

    path: str
    owner: str
    what: str  # "is missing" or "was damaged"

    @property
    def sentence(self) -> str:
        """The fault, and the files that a run makes again."""
        made = "it is" if self.path == self.owner else f"the files listed in {self.owner} are"
        return str(UserError(f"{self.path} {self.what}; {made} made again"))  # shortened, escaped


class Ledger:
    """The ledger of a working folder; only files in one results folder are checked."""

    def __init__(self, results: str = paths.RESULTS) -> None:
        self.results = results
        self.roots = (f"{results}/", f"{paths.raw_of(results)}/", MODELS)
        try:
            known = read_own(LEDGER)
            self.entries = {_text(path): _checked(*entry) for path, entry in known.items()}
        except (ValueError, TypeError):
            self.entries = {}  # existing files are accepted unchecked
        self._before = dict(self.entries)

    def save(self) -> None:
        """Write the ledger if it changed."""
        if self.entries != self._before:
            write_text(LEDGER, json.dumps(self.entries, separators=(",", ":")) + "\n")

    def adopt(self) -> None:
        """Record new outputs and the files that they own."""
        for pattern in KEPT:
            for path in map(str, Path().glob(pattern.glob(self.results))):
                if path not in self.entries:
                    stamp = _stamp(path)
                    self._enter(path, stamp or (0, 0), _digest(path) if stamp else "")

    def _enter(self, path: str, stamp: Stamp, digest: str) -> None:
        """Record an output and the files it owns; an invalid list marks the output as faulty."""
        try:
            owned = dict(_owned(path, self.results))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            if lacks(error):
                raise
            owned, stamp, digest = {}, (stamp[0], 0), ""
        self.entries[path] = _known(stamp, digest, path)
        for name, entry in owned.items():
            self.entries.setdefault(name, entry)

    def _renew(self, path: str, stamp: Stamp, digest: str) -> None:
        """Record an output rewritten by a job or the user, with the files it now owns."""
        kept = {p: e for p, e in self.entries.items() if e.owner != path}
        if len(kept) < len(self.entries) - 1:
            self.entries = kept
        self._enter(path, stamp, digest)

    def check(self, full: bool = False) -> list[Fault]:
        """Return the files that are missing or differ; record rewritten files."""
        faults, suspects = [], {}
        for path, stamp in _stamps([p for p in self.entries if p.startswith(self.roots)]):
            entry = self.entries[path]
            if stamp is None:
                faults.append(Fault(path, entry.owner, "is missing"))
            elif full or stamp != entry[:2]:
                suspects[path] = stamp
        owners_first = sorted(suspects, key=lambda path: path != self.entries[path].owner)
        with thread_pool(THREADS) as pool:
            digests = list(pool.map(_digest, owners_first))
        for path, digest in zip(owners_first, digests, strict=True):
            if not self._accepts(path, suspects[path], digest):
                self.entries[path] = self._suspected(path)
                faults.append(Fault(path, self.entries[path].owner, "was damaged"))
        return [fault for fault in faults if fault.path in self.entries]

    def _suspected(self, path: str) -> Known:
        entry = self.entries[path]
        return entry._replace(changed=-abs(entry.changed))

    def _accepts(self, path: str, stamp: Stamp, digest: str) -> bool:
        """Return whether a file may have these bytes; if so, record them."""
        entry = self.entries.get(path)
        if entry is None:
            return True  # its owner was rewritten without it
        if digest and digest == entry.sha256:
            self.entries[path] = _known(stamp, digest, entry.owner)
        elif path == entry.owner and (
            _is_just_made(path, abs(entry.changed)) or paths.LABELS.match(path)
        ):
            self._renew(path, stamp, digest)
        else:  # Snakemake itself remakes incomplete outputs of killed jobs
            return path == entry.owner and record_path("incomplete", path).exists()
        return True


def _owned(path: str, results: str) -> Iterator[tuple[str, Known]]:
    """Yield the files that an output owns.

    A listed file with the right size that is older than its list is not hashed.
    """
    found = paths.find(path, results)
    pattern = found[0] if found else None
    if pattern == paths.IMAGES:
        for image in map(str, Path(path).parent.glob("images/**/*")):
            if not is_partial(image) and (stamp := _stamp(image)):
                yield image, _known(stamp, _digest(image), path)
    elif pattern in LISTING:
        listed = json.loads(read(path))
        folder, written = Path(path).parents[LISTING[pattern]], Path(path).stat().st_mtime_ns
        is_manifest = pattern == paths.MANIFEST
        for one in listed["parts" if is_manifest else "files"]:
            name, size = _text(f"{folder}/{one['path']}"), one["bytes"]
            stamp = _stamp(name, before=written)
            changed = stamp[1] if stamp and stamp[0] == size else 0
            owner = name if is_manifest else path
            yield name, _checked(*_known((size, changed), one["sha256"], owner))


def _checked(size: Any, changed: Any, digest: Any, owner: Any) -> Known:
    """Return an entry that was read from a file; raise an error for a value of another type."""
    if type(size) is not int or type(changed) is not int:
        raise TypeError(f"size {size!r} and time {changed!r} are not whole numbers")
    return Known(size, changed, _text(digest), _text(owner))


def _text(value: Any) -> str:
    """Return a string that may be a path in this folder, or raise an error."""
    if not isinstance(value, str) or "\0" in value or ".." in value.split("/"):
        raise TypeError(f"{value!r} is not the name of a file")
    value.encode()
    return value


def _known(stamp: Stamp, digest: str, owner: str) -> Known:
    """Return the entry of a file that was just looked up.

    Its time is negative, to mark it as uncertain, if a later change could leave it the same.
    Network disks and some others store times in steps of one or two seconds.
    """
    size, changed = stamp
    unsure = COARSE if changed % 10**9 == 0 else FINE
    return Known(size, changed if time.time_ns() - changed > unsure else -changed, digest, owner)


def _stamps(paths: list[str]) -> Iterator[tuple[str, Stamp | None]]:
    """Yield the stamp of each file, looked up once."""
    began = time.perf_counter()
    yield from ((path, _stamp(path)) for path in paths[:FEW])
    if time.perf_counter() - began < SLOW * FEW:
        yield from ((path, _stamp(path)) for path in paths[FEW:])
    else:  # threads would take longer on a fast disk
        with thread_pool(MANY) as pool:
            yield from zip(paths[FEW:], pool.map(_stamp, paths[FEW:]), strict=True)


def _stamp(path: str, before: int | None = None) -> Stamp | None:
    """Return a file's size and change time, or None if it cannot be opened.

    The time is 0 if the file was not modified ``before`` a time.
    """
    try:
        found = os.stat(path)  # noqa: PTH116  (a Path for each image is slow)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    late = before is not None and found.st_mtime_ns >= before
    return found.st_size, 0 if late else found.st_ctime_ns


def _digest(path: str) -> str:
    """Return the SHA-256 of a file, or '' if it cannot be read."""
    try:
        return sha256(Path(path))
    except OSError as error:
        if lacks(error):  # the file may well be complete
            raise
        return ""


def _is_just_made(path: str, after: int) -> bool:
    """Return whether a finished job wrote an output after a time, according to Snakemake's record.

    Snakemake records each output's modification time. A damaged file may still have that time.
    """
    ended = read_record(path).get("endtime")
    with suppress(OSError):
        found = Path(path).stat()
        return bool(ended is not None and ended == found.st_mtime and found.st_mtime_ns > after)
    return False
