"""Python's garbage collection is paused while a model is loaded, and skipped at a step's end."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eyechart.core import collection

STEP = '''"""A step that creates a cycle with a finalizer."""

import gc
import os

from eyechart.core.step import command


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
    print("frozen", gc.get_freeze_count() > 0, "enabled", gc.isenabled(), flush=True)


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


def test_a_step_excludes_its_modules_from_collections(tmp_path: Path) -> None:
    (tmp_path / "step.py").write_text(STEP)
    code = Path(collection.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, tmp_path / "step.py"],
        env={**os.environ, "PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["collected", "frozen True enabled True"]
