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


def hold(folder: Path, *functions: Callable[..., Any] | str, call: int = 1, only: str = "") -> Path:
    """Make every Python that has ``folder`` on its path stop before a call of some functions.

    Parameters
    ----------
    folder : Path
        Where ``sitecustomize.py`` is put.
    functions : callable or str
        Functions or methods of modules that the step imports, or ``"module:name"``; not of the
        step's own module, which Python runs under the name ``__main__``.
    call : int
        The number of the call in each process, counted from 1, of all functions together. With 0
        none stops: each process adds a line with its count of calls and its command to the file.
    only : str
        Other processes than those whose command has this text are left alone.

    Returns
    -------
    Path
        The file that is there once a process is held; it has the number of the process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reached = (folder / "held").resolve()
    reached.unlink(missing_ok=True)
    shutil.copy2(SITE, folder)
    names: dict[str, list[str]] = {}
    for function in functions:
        named = function if isinstance(function, str) else _name(function)
        names.setdefault(named.split(":")[0], []).append(named.split(":")[1])
    what = {"functions": names, "call": call, "only": only, "reached": str(reached)}
    (folder / "hold.json").write_text(json.dumps(what))
    return reached


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}:{function.__qualname__}"


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
