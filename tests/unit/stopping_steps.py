"""Steps that stop at a chosen point and wait there to be killed, whatever the machine's speed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SITE = Path(__file__).parent / "hold/sitecustomize.py"


def hold(folder: Path, function: Callable[..., Any], call: int = 1) -> Path:
    """Make every Python that has ``folder`` on its path stop before a call of ``function``.

    Parameters
    ----------
    folder : Path
        Where ``sitecustomize.py`` is put.
    function : callable
        A function or method of a module that the step imports; not of the step's own module, which
        Python runs under the name ``__main__``.
    call : int
        The number of the call in each process, counted from 1.

    Returns
    -------
    Path
        The file that is there once a process is held.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reached = (folder / "held").resolve()
    reached.unlink(missing_ok=True)
    shutil.copy2(SITE, folder)
    what = {"module": function.__module__, "function": function.__qualname__, "call": call}
    (folder / "hold.json").write_text(json.dumps({**what, "reached": str(reached)}))
    return reached


def release(folder: Path) -> None:
    """Let held processes go on, and those that start from now on run freely."""
    for name in (SITE.name, "hold.json", "held"):
        (folder / name).unlink(missing_ok=True)


def wait_until(there: Callable[[], bool], run: "subprocess.Popen[Any]") -> None:
    """Return once a run, which cannot go past this point, is there; fail if it ends instead."""
    while not there():
        assert run.poll() is None, f"the run ended with {run.returncode} and was never held"
        time.sleep(0.01)


def kill_step(step: str, flags: list[str], held: Path, there: Callable[[], bool]) -> None:
    """Run ``python -m step`` until it is there, and kill it with SIGKILL.

    ``held`` is the folder of a hold, or an empty one where something else stops the step.
    """
    run = subprocess.Popen(
        [sys.executable, "-m", step, *flags],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(held.resolve()), *sys.path])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(there, run)
    finally:
        run.kill()
    assert run.wait() == -signal.SIGKILL
