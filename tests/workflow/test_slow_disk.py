"""The small exam on a network disk: slow look-ups, times in steps of two seconds, stale answers."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import ROOTS, Project

pytestmark = pytest.mark.workflow

SOURCE = Path(__file__).with_name("slow_disk.c")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("library") / "slow_disk.so"
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(found), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return found


@pytest.fixture
def slow(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Return a fresh project on a slow disk."""
    project = Project.create(tmp_path / "project")
    settings = {"ROOT": str(project.folder), "MS": "1", "SECONDS": "2", "STALE": "1000"}
    for name, value in settings.items():
        monkeypatch.setenv(f"SLOW_{name}", value)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    yield project
    monkeypatch.delenv("LD_PRELOAD")


def test_on_a_slow_disk_the_exam_ends_with_the_same_bytes_and_changes_are_noticed(
    finished: Project, slow: Project
) -> None:
    slow.finish()
    assert slow.hashes(*ROOTS) == finished.hashes(*ROOTS)
    page = slow.path("results/report/index.html")  # written last, within the last two seconds
    whole, before = page.read_bytes(), page.stat()
    page.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    os.utime(page, ns=(before.st_atime_ns, before.st_mtime_ns))
    told = slow.finish()
    assert "results/report/index.html was damaged; it is made again" in told
    assert slow.hashes(*ROOTS) == finished.hashes(*ROOTS)
    assert "Nothing to be done" in slow.finish()
