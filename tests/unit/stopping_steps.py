"""Stop steps at a chosen point, where they wait to be killed, whatever the machine's speed."""

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
    """Make every Python with ``folder`` on its path stop before a call of some functions.

    Parameters
    ----------
    folder : Path
        Folder for ``sitecustomize.py``.
    functions : callable or str
        Functions or methods of modules that the step imports, or ``"module:name"``. They cannot be
        in the step's own module, which runs as ``__main__``.
    call : int
        The number of the call in each process, counted from 1 over all functions. With 0, no
        process stops; each appends its number of calls and its command to the file.
    only : str
        Only processes whose command contains this text are held.

    Returns
    -------
    Path
        The file that exists once a process is held; it contains the process id.
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
    """Let held processes continue and later ones run freely."""
    for name in (SITE.name, "hold.json", "held"):
        (folder / name).unlink(missing_ok=True)


def wait_until(there: Callable[[], bool], run: "subprocess.Popen[Any]") -> None:
    """Return once a run is held at a point; fail if it ends instead."""
    while not there():
        assert run.poll() is None, f"the run ended with {run.returncode} and was never held"
        time.sleep(0.01)


def kill_step(step: str, flags: list[str], held: Path, there: Callable[[], bool]) -> None:
    """Run ``python -m step`` until ``there`` is true, and kill it with SIGKILL.

    ``held`` is the folder of a hold, or an empty one if something else stops the step.
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
