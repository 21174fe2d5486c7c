"""Checks before a run: leftovers of killed runs, and files that changed since they were written.

Snakemake only checks the age of files and ignores missing intermediate ones. It would treat a
damaged shard as complete, and never notice a lost one or an output that a killed job was about to
replace. The ledger records them all (:mod:`eyechart.core.ledger`). Faulty files that a run needs
are moved to ``.snakemake/eyechart-damaged``, if they exist, and remade with everything
downstream. Results without Snakemake's record are remade, too (:mod:`eyechart.core.records`).
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyechart.core.errors import DISK_IS_FULL, UserError, lacks
from eyechart.core.files import remove_partials
from eyechart.core.ledger import LEDGER, Fault, Ledger
from eyechart.core.lock import NO_LOCKS, alone
from eyechart.core.records import adopt, unrecorded
from eyechart.core.sharing import Share
from eyechart.plan import paths

LOCK = Path(".snakemake/eyechart.lock")
SNAKEMAKE_LOCKS = Path(".snakemake/locks")
BESIDE = ("logs", "benchmarks")  # folders next to results
TEMPORARY_BYTES = 1 << 18  # that Snakemake needs to choose among many jobs
RECORDS = ".snakemake/metadata"
ASIDE = Path(".snakemake/eyechart-damaged")


@dataclass
class _Lock:
    """The lock on the folder that this process holds for its lifetime."""

    handle: int = -1
    is_alone: bool = True


_own = _Lock()


def start(results: str = paths.RESULTS, full: bool = False) -> list[Fault]:
    """Prepare the working folder for a run; return the files that changed since they were written.

    While another run is active in the folder, only missing files are returned, since its new files
    do not match the ledger yet. The kernel releases a lock when its holder dies, so a process that
    gets the exclusive lock also knows that Snakemake's own locks are left over from a killed run.
    With ``full``, every file is read, and other runs may start afterwards; raise a UserError if
    another run is active in the folder.
    """
    check_writable([LOCK.parent, Path(results), *(Path(results).with_name(n) for n in BESIDE)])
    check_temporary()
    LOCK.parent.mkdir(exist_ok=True)
    _own.handle = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    faults = _check_alone(results, full)
    if full and not _own.is_alone:
        raise UserError("another run is active in this folder; verify files after it has ended")
    if full:
        _lock(_own.handle, fcntl.LOCK_UN)
    return faults


def _check_alone(results: str, full: bool = False) -> list[Fault]:
    """Clean up and check all files; if another run is active here, only look for missing files."""
    _own.is_alone = _is_alone(_own.handle)
    if not _own.is_alone:
        return [fault for fault in Ledger(results).check() if not os.path.lexists(fault.path)]
    for lock in SNAKEMAKE_LOCKS.glob("*.lock"):
        lock.unlink()
    for folder in (results, paths.raw_of(results), "data"):
        remove_partials(folder)
    faults = update(results, full)
    _lock(_own.handle, fcntl.LOCK_SH)
    return faults


def _check_again(faults: list[Fault], results: str, dry: bool, waited: bool) -> list[Fault]:
    """Check again once the jobs are known and whether this is a dry run; return the faults.

    A dry run lets others start. If another run was active at the start, or was waited for, files
    are checked now.
    """
    if dry and _own.handle >= 0:
        _lock(_own.handle, fcntl.LOCK_UN)
    return faults if dry or (_own.is_alone and not waited) else _check_alone(results)


def check_writable(folders: Iterable[Path]) -> None:
    """Raise a UserError for a folder that is not writable."""
    for folder in folders:
        there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
        if not os.access(there, os.W_OK | os.X_OK):
            kind = "is read-only, or another user's" if there.is_dir() else "is not a folder"
            raise UserError(
                f"{folder}: nothing can be written there, since {there} {kind}; make it a folder "
                "that you may write to, or work in another one"
            )


def check_names(code: Path) -> None:
    """Raise a UserError if the path of the package or of the working folder cannot be used."""
    if os.pathsep in str(code):
        raise UserError(
            f"{code}: a path with {os.pathsep!r} cannot be in PYTHONPATH; rename the folder"
        )
    for folder in (code, Path.cwd()):
        try:
            str(folder).encode()
        except UnicodeEncodeError:
            raise UserError(f"{folder}: the path is not UTF-8; rename the folder") from None


def check_temporary() -> None:
    """Raise a UserError if a temporary file of the needed size cannot be written."""
    folder = os.environ.get("TMPDIR") or tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(TEMPORARY_BYTES))
    except OSError as error:
        if lacks(error) and error.errno not in DISK_IS_FULL:
            raise
        raise UserError(
            f"TMPDIR: no temporary file of {TEMPORARY_BYTES >> 10} KiB can be written to {folder} "
            f"({error.strerror}); make room there, or set TMPDIR to another folder"
        ) from None


def update(results: str, full: bool = False) -> list[Fault]:
    """Record new files in the ledger; return the files that changed since they were written."""
    with alone(LEDGER):  # another named run may be active in the folder
        ledger = Ledger(results)
        ledger.adopt()
        faults = ledger.check(full)
        ledger.save()
    return faults


def remember(results: str) -> None:
    """Record the files that a run has made; if a resource is lacking, the next run records them."""
    with suppress(OSError, MemoryError):
        update(results)


def make_again(
    found: list[Fault], graph: Any, warn: Callable[[str], None], results: str = paths.RESULTS
) -> Share:
    """Make Snakemake rebuild the owners of these files, if a job of the run makes them.

    This happens when ``graph``, Snakemake's class for a run's jobs, looks for incomplete outputs.
    ``warn`` is called with one sentence per file. A dry run moves nothing; other runs wait until
    runs that share ``data/`` have made what they need there. Return the run's share in ``data/``.
    """
    check, share = graph.check_incomplete, Share()
    share.watch(graph)

    async def check_incomplete(dag: Any) -> None:
        made = {str(file) for job in dag.jobs for file in job.output}
        waited = not dag.workflow.dryrun and share.wait(made, warn)
        if waited:
            _look_again(dag.workflow.iocache)  # the missing files exist now
        await check(dag)
        faults = _check_again(found, results, dag.workflow.dryrun, waited)
        for fault in faults:
            if fault.owner in made:
                moved = "" if dag.workflow.dryrun else _set_aside(fault)
                warn(f"eyechart: {fault.sentence}{moved}")
                _look_again(dag.workflow.iocache)
        dag.forcefiles.update(made & {fault.owner for fault in faults})
        adopt(file for file in sorted(made) if file.startswith("data/"))
        if bare := unrecorded(dag, results):
            warn(
                f"eyechart: {_named(bare)} made again: no valid record in {RECORDS}; to keep "
                "copied results, run snakemake --touch"
            )
            dag.forcefiles.update(bare)

    graph.check_incomplete = check_incomplete
    return share


def _named(outputs: list[str]) -> str:
    """Return the first output, the number of others, and a verb."""
    return f"{outputs[0]} and {len(outputs) - 1} more are" if outputs[1:] else f"{outputs[0]} is"


def _look_again(cache: Any) -> None:
    """Make Snakemake forget which files it has seen.

    Its own method keeps the list of folders that it has read, so all files there would count as
    missing.
    """
    cache.clear()
    cache.exists_local.has_inventory.clear()


def _set_aside(fault: Fault) -> str:
    """Move a file out of the way of an output; return its new location for a warning.

    A listed file stays and is replaced, unless it is a folder, since it may be a link to a file of
    the user.
    """
    path, aside = Path(fault.path), ASIDE / fault.path
    if not os.path.lexists(path) or (fault.path != fault.owner and not path.is_dir()):
        return ""
    if path.is_symlink():
        path.unlink()
        return ""
    aside.parent.mkdir(parents=True, exist_ok=True)
    if aside.is_dir():
        shutil.rmtree(aside)
    aside.unlink(missing_ok=True)
    shutil.move(path, aside)
    return f" (the old version is in {aside})"


def _is_alone(handle: int) -> bool:
    """Return whether no other run is active here; wait while one is checking or verifying."""
    for _ in range(2):
        try:
            return _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _lock(handle, fcntl.LOCK_SH)
    return False


def _lock(handle: int, kind: int) -> bool:
    """Lock a file; return True or, without lock support, whether Snakemake's locks are absent."""
    try:
        fcntl.flock(handle, kind)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return not list(SNAKEMAKE_LOCKS.glob("*.lock"))
    return True
