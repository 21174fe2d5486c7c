"""What is looked after before a run: leftovers of killed runs, and files that are not as written.

Snakemake only looks at the age of a file, and does not miss an intermediate one: it would take a
damaged shard for complete, and never notice a lost one, nor an output that a killed job was about
to replace. The ledger knows them all (:mod:`eyechart.core.ledger`). What a run needs of them is
moved to ``.snakemake/eyechart-damaged``, if it is there, and made again, with all that is below.
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

from eyechart.core.errors import UserError
from eyechart.core.files import remove_partials
from eyechart.core.ledger import LEDGER, Fault, Ledger
from eyechart.core.lock import NO_LOCKS, alone
from eyechart.core.sharing import Share
from eyechart.plan import paths

LOCK = Path(".snakemake/eyechart.lock")
SNAKEMAKE_LOCKS = Path(".snakemake/locks")
BESIDE = ("logs", "benchmarks")  # results
TEMPORARY_BYTES = 1 << 18  # as Snakemake needs to choose among many jobs
ASIDE = Path(".snakemake/eyechart-damaged")


@dataclass
class _Lock:
    """The hold that this process has of the folder's lock, as long as it lives."""

    handle: int = -1
    is_alone: bool = True


_own = _Lock()


def start(results: str = paths.RESULTS, full: bool = False) -> list[Fault]:
    """Prepare the working folder for a run and return what is not as it was written.

    While another Snakemake works in the folder, only missing files are, since what it writes does
    not match the ledger yet. The kernel releases a lock when its holder dies, so a process that
    gets the exclusive lock also knows that Snakemake's own locks are left over from a killed run.
    With ``full`` every file is read, and others may begin afterwards; raise a UserError if another
    Snakemake works in the folder.
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
    """Tidy up and check all files; only for missing ones if another Snakemake works here."""
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
    """Return what is found once the jobs are known, when it is known whether this run is dry.

    A dry run lets others begin. If one was active at the start, or was waited for, files are
    checked now.
    """
    if dry and _own.handle >= 0:
        _lock(_own.handle, fcntl.LOCK_UN)
    return faults if dry or (_own.is_alone and not waited) else _check_alone(results)


def check_writable(folders: Iterable[Path]) -> None:
    """Raise a UserError for a folder that files cannot be written to."""
    for folder in folders:
        there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
        if not os.access(there, os.W_OK | os.X_OK):
            kind = "is read-only, or another user's" if there.is_dir() else "is not a folder"
            raise UserError(
                f"{folder}: nothing can be written there, since {there} {kind}; make it a folder "
                "that you may write to, or work in another one"
            )


def check_temporary() -> None:
    """Raise a UserError if no temporary file of some size can be written."""
    folder = os.environ.get("TMPDIR") or tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(TEMPORARY_BYTES))
    except OSError as error:
        raise UserError(
            f"TMPDIR: no temporary file of {TEMPORARY_BYTES >> 10} KiB can be written to {folder} "
            f"({error.strerror}); make room there, or set TMPDIR to another folder"
        ) from None


def update(results: str, full: bool = False) -> list[Fault]:
    """Enter into the ledger what is new, and return what is not as it was written."""
    with alone(LEDGER):  # a run with another name may be active in the folder
        ledger = Ledger(results)
        ledger.adopt()
        faults = ledger.check(full)
        ledger.save()
    return faults


def remember(results: str) -> None:
    """Enter what a run has made; where the disk is full, the start of the next run does it."""
    with suppress(OSError):
        update(results)


def make_again(
    found: list[Fault], graph: Any, warn: Callable[[str], None], results: str = paths.RESULTS
) -> Share:
    """Have Snakemake make the owners of these files again, where a job of the run makes them.

    It is done when ``graph``, Snakemake's class of a run's jobs, looks for incomplete outputs.
    ``warn`` is called with a sentence for each file. A dry run moves nothing; another waits until
    runs that share ``data/`` have made what it needs there. Return what it has to do with those.
    """
    check, share = graph.check_incomplete, Share()
    share.watch(graph)

    async def check_incomplete(dag: Any) -> None:
        made = {str(file) for job in dag.jobs for file in job.output}
        waited = not dag.workflow.dryrun and share.wait(made, warn)
        if waited:
            dag.workflow.iocache.clear()  # what was missing is there now
        await check(dag)
        faults = _check_again(found, results, dag.workflow.dryrun, waited)
        for fault in faults:
            if fault.owner in made:
                moved = "" if dag.workflow.dryrun else _set_aside(fault)
                warn(f"eyechart: {fault.sentence}{moved}")
        dag.forcefiles.update(made & {fault.owner for fault in faults})

    graph.check_incomplete = check_incomplete
    return share


def _set_aside(fault: Fault) -> str:
    """Move what stands in the place of an output, and return where it went, for a warning.

    A listed file stays, to be replaced, unless it is a folder: it may be a link to the user's own.
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
    return f" (what was there is in {aside})"


def _is_alone(handle: int) -> bool:
    """Return whether no other Snakemake works here; wait while one looks about or verifies."""
    for _ in range(2):
        try:
            return _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _lock(handle, fcntl.LOCK_SH)
    return False


def _lock(handle: int, kind: int) -> bool:
    """Lock; where the file system has no locks, return whether Snakemake's own are absent."""
    try:
        fcntl.flock(handle, kind)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return not list(SNAKEMAKE_LOCKS.glob("*.lock"))
    return True
