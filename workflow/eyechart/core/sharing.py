"""Runs in several folders that share one ``data/`` never make the same file there at once.

Each run records in ``data/.eyechart-runs`` which files there its jobs make and which they read. A
new run waits until others have made the files that it needs, and reuses them. Only one run plans at
a time, so that no two decide to make the same file. Snakemake's records of these files are copied
to ``data/.eyechart-records``, so that a run in another folder notices that its settings differ. The
kernel releases the locks of a run that dies. If a file system has no locks, runs do not see one
another.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from eyechart.core.errors import UserError
from eyechart.core.files import MACHINE, read
from eyechart.core.records import publish

RUNS = Path("data/.eyechart-runs")


class Share:
    """One run's claims on files of ``data/`` that other runs may also make."""

    def __init__(self) -> None:
        self.planning = self.making = -1  # handles of locked files
        self.makes: set[str] = set()

    def watch(self, graph: Any) -> None:
        """Make ``graph``, Snakemake's class for a run's jobs, report which of them are done."""
        finish = graph.finish

        async def finish_job(dag: Any, job: Any, *more: Any, **named: Any) -> None:
            await finish(dag, job, *more, **named)
            made = _outputs(job if job.is_group() else [job])
            publish(made)
            self.made(made)

        graph.finish = finish_job

    def wait(self, made: set[str], say: Callable[[str], None]) -> bool:
        """Wait while other runs make data files that this one may make; return whether any did.

        No other run then plans until :meth:`begin` or the end of the process. ``say`` is called
        with one sentence per run that is waited for.
        """
        waited = False
        files = {file for file in made if _is_shared(file)}
        with suppress(OSError):  # no locks there, or no permission to write
            while files and self._plan(say) and (found := _others("makes", files)):
                handle, file, where = found
                self.planning = _close(self.planning)
                say(f"eyechart: {file}: waiting for the run in {where}, which makes it")
                _lock(handle, fcntl.LOCK_SH)
                _close(handle)
                waited = True
        return waited

    def _plan(self, say: Callable[[str], None]) -> bool:
        """Return True once this run may plan; raise an OSError if there are no locks."""
        if self.planning < 0:
            RUNS.mkdir(parents=True, exist_ok=True)
            handle = os.open(RUNS / "planning.lock", os.O_RDWR | os.O_CREAT, 0o644)
            if not _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
                say("eyechart: data: waiting for another run that is about to begin")
                _lock(handle, fcntl.LOCK_EX)
            self.planning = handle
        return True

    def begin(self, jobs: Iterable[Any]) -> None:
        """Tell other runs which files this run makes and reads, and let them plan.

        Raise a UserError if another run reads a file that this one would remake.
        """
        if self.planning < 0:
            return
        jobs = list(jobs)
        self.makes = _outputs(jobs)
        if found := _others("reads", self.makes):
            raise UserError(
                f"{found[1]}: the run in {found[2]} reads it, and this run would make it again; "
                "run again when the other has ended"
            )
        _claim("reads", {str(file) for job in jobs for file in job.input if _is_shared(file)})
        self.making = _claim("makes", self.makes)
        self.planning = _close(self.planning)

    def made(self, files: set[str]) -> None:
        """Let others use these files once all files that this run makes exist."""
        self.makes -= files
        if not self.makes:
            self.making = _close(self.making)


def _outputs(jobs: Iterable[Any]) -> set[str]:
    return {str(file) for job in jobs for file in job.output if _is_shared(file)}


def _is_shared(file: Any) -> bool:
    return str(file).startswith("data/")


def _claim(kind: str, files: set[str]) -> int:
    """Write which files this process makes or reads; return the handle, locked until closed."""
    if not files:
        return -1
    path = RUNS / f"{kind}-{MACHINE}-{os.getpid()}.json"
    partial = path.with_suffix(".new")
    told = {"where": str(Path.cwd()), "folder": _folder(), "files": sorted(files)}
    partial.write_text(json.dumps(told))
    handle = os.open(partial, os.O_RDONLY)
    _lock(handle, fcntl.LOCK_EX)
    partial.rename(path)
    return handle


def _others(kind: str, files: set[str]) -> tuple[int, str, str] | None:
    """Return another run's claim on one of these files: its handle, the file and the folder."""
    for path in sorted(RUNS.glob(f"{kind}-*.json")):
        handle = os.open(path, os.O_RDONLY)
        if _lock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB):  # left by a finished run
            path.unlink()
        else:
            told = json.loads(read(path))
            both = files.intersection(told["files"])
            if both and told["folder"] != _folder():  # in one folder, Snakemake refuses the second
                return handle, min(both), told["where"]
        _close(handle)
    return None


def _folder() -> list[int]:
    """Return an identity of the working folder, since containers may reuse a path."""
    status = Path.cwd().stat()
    return [status.st_dev, status.st_ino]


def _lock(handle: int, kind: int) -> bool:
    """Return whether a file is locked now; raise an OSError if the file system has no locks."""
    try:
        fcntl.flock(handle, kind)
    except BlockingIOError:
        return False
    return True


def _close(handle: int) -> int:
    """Close a file, which also unlocks it; return -1, the value for no handle."""
    if handle >= 0:
        os.close(handle)
    return -1
