"""A fault, where it is injected, and how the run must end; and the injector that tries faults.

A module ``of_<kind>.py`` in this folder has the faults of one kind: ``KIND``, a docstring about
them, and the list ``FAULTS``. ``test_faults.py`` tries each fault, and ``write_docs.py`` lists all
in docs/reliability.md.
"""

import importlib
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from eyechart.core.errors import UserError, shown

MOST_SECONDS = 60
MOST_CHARACTERS = 300  # characters of a sentence, without the paths in it
OUTCOMES = {
    "refused": "ends with a one-sentence error",
    "accepted": "read with the same content as without the fault",
    "recovered": "the next run completes to the same bytes",
    "noticed": "reported in one sentence, and the run continues",
}
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    what : the fault, in a few words
    where : the step, file or setting that it affects
    outcome : how the run must end, a key of OUTCOMES
    inject : makes the fault, then runs the step, in the empty working folder. ``refused``: it must
        raise a UserError; ``noticed``: it returns the message; otherwise it returns the result
        and the expected result, which must be equal and not empty
    says : a pattern that the sentence must contain
    long : only ``make test-faults`` tries it
    """

    what: str
    where: str
    outcome: str
    inject: Callable[[], Any]
    says: str = ""
    long: bool = False


class HangError(BaseException):
    """A fault took too long; no step may catch it."""


def modules() -> list[ModuleType]:
    """Return the modules with faults, sorted by name."""
    return [importlib.import_module(f"faults.{path.stem}") for path in sorted(HERE.glob("of_*.py"))]


def attempt(fault: Fault, folder: Path) -> None:
    """Try a fault in a separate folder; assert that it ends as expected.

    All written files must be in the working folder ``folder/work`` or in the temporary folder.
    """
    work, temporary = folder / "work", folder / "temporary"
    work.mkdir(), temporary.mkdir()
    with working_in(work, temporary), time_limit(MOST_SECONDS):
        try:
            found = fault.inject()
        except UserError as error:
            assert fault.outcome == "refused", error
            found = str(error)
        else:
            assert fault.outcome != "refused", f"not refused, but {shown(found, 500)}"
    if fault.outcome in ("refused", "noticed"):
        check_sentence(found, fault.says)
    else:
        got, expected = found
        assert expected and got == expected, f"{shown(got, 500)} != {shown(expected, 500)}"
    assert sorted(path.name for path in folder.iterdir()) == ["temporary", "work"]


def check_sentence(text: str, says: str) -> None:
    """Assert that a text is one short sentence that matches the pattern ``says``."""
    assert re.search(says, text), text
    assert "\n" not in text and "Traceback" not in text, text
    without_paths = re.sub(r"/[^\s:;,)]+", "/", text)
    assert 0 < len(without_paths) <= MOST_CHARACTERS, f"{len(without_paths)} characters: {text}"


@contextmanager
def working_in(work: Path, temporary: Path) -> Iterator[None]:
    """Work in one folder, with temporary files in another."""
    before = Path.cwd(), os.environ.get("TMPDIR")
    os.chdir(work)
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
    try:
        yield
    finally:
        os.chdir(before[0])
        os.environ.pop("TMPDIR")
        os.environ.update({"TMPDIR": before[1]} if before[1] else {})
        tempfile.tempdir = None


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise a HangError in the block after the given number of seconds."""

    def over(signum: int, frame: Any) -> None:
        raise HangError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
