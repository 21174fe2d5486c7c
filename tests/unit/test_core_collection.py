"""Garbage collection is paused while a step starts or loads a model, and skipped at its end."""

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eyechart.core import collection

CORE = Path(collection.__file__).parent
STEP = '''"""A step that creates a cycle with a finalizer."""

import gc
import os

from eyechart.core.step import command

IMPORTING = gc.isenabled()


class Cycle:
    def __init__(self) -> None:
        self.own = self

    def __del__(self, write=os.write) -> None:
        write(1, b"collected\\n")  # at the end of a process, print may be gone


@command
def main() -> None:
    """Create garbage before and after a collection; the end of a step skips the second."""
    Cycle()
    gc.collect()
    Cycle()
    print("frozen", gc.get_freeze_count() > 0, "enabled", IMPORTING, gc.isenabled(), flush=True)


main()
'''


@pytest.mark.parametrize("enabled", [True, False])
def test_collections_are_as_before_after_a_pause_even_with_an_error(enabled: bool) -> None:
    @collection.paused()
    def fails() -> None:
        assert not gc.isenabled()
        raise ValueError

    (gc.enable if enabled else gc.disable)()
    try:
        for _ in range(2):
            with pytest.raises(ValueError):
                fails()
            assert gc.isenabled() == enabled
    finally:
        gc.enable()


@pytest.mark.parametrize("as_module", [True, False])
def test_a_step_starts_without_collections_and_excludes_its_modules(
    as_module: bool, tmp_path: Path
) -> None:
    package = tmp_path / "eyechart"
    shutil.copytree(CORE, package / "core")
    shutil.copy(CORE.parent / "__init__.py", package)
    (package / "step.py").write_text(STEP)
    words = ["-m", "eyechart.step"] if as_module else ["eyechart/step.py"]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["collected", f"frozen True enabled {not as_module} True"]
