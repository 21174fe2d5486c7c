"""Two folders that share `data/`: a run waits for files that another makes, and uses them."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from project import Project
from stopping_steps import hold, release, wait_until

from eyechart.rendering import drawing

pytestmark = pytest.mark.workflow

SHARED = ("data/models/tiny_clip/ready.json", "data/raw/clevr/acquired.json")
ITEMS = "results/datasets/clevr/items.parquet"
ROOTS = ("data/raw/clevr", "data/models/tiny_clip")


def sharing(one: Project, folder: Path) -> Project:
    """Return a fresh project that uses the data of another one."""
    project = Project.create(folder)
    shutil.rmtree(project.path("data"))
    project.path("data").symlink_to(one.path("data"))
    return project


def start(project: Project, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(project.command(*words), cwd=project.folder, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)  # fmt: skip


def begin(
    tmp_path: Path,
) -> tuple[Project, Project, "subprocess.Popen[str]", "subprocess.Popen[str]"]:
    """Return two projects, a run of the first, held while it draws, and a run of the second."""
    one = Project.create(tmp_path / "one")
    other = sharing(one, tmp_path / "other")
    reached = hold(one.path("workflow"), drawing.save_view, call=3)
    first = start(one, *SHARED)
    wait_until(reached.exists, first)
    return one, other, first, start(other, *SHARED)


def waits(run: "subprocess.Popen[str]") -> bool:
    return f"-> FLOCK  ADVISORY  READ {run.pid} " in Path("/proc/locks").read_text()


def end(*runs: "subprocess.Popen[str]") -> None:
    for run in runs:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()


def test_a_run_uses_files_made_by_another_folders_run(finished: Project, tmp_path: Path) -> None:
    one, other, first, second = begin(tmp_path)
    try:
        wait_until(lambda: waits(second), second)
        release(one.path("workflow"))
        told, done = (run.communicate()[0] for run in (second, first))
    finally:
        end(first, second)
    assert first.returncode == second.returncode == 0, told + done
    assert f"waiting for the run in {one.folder}, which makes it" in told
    assert "Nothing to be done" in told and "draw_scenes" not in told
    for project in (one, other):
        assert project.hashes(*ROOTS) == finished.hashes(*ROOTS)
        assert project.plan(*SHARED) == {}
    other.configure({"seed": other.config.get("seed", 0) + 1})
    assert other.plan(*SHARED) == {"draw_scenes": 4, "write_drawn": 1}


def test_a_run_makes_the_files_of_another_folders_killed_run(
    finished: Project, tmp_path: Path
) -> None:
    one, other, first, second = begin(tmp_path)
    try:
        wait_until(lambda: waits(second), second)
        end(first)
        told, _ = second.communicate()
    finally:
        end(first, second)
    release(one.path("workflow"))
    assert second.returncode == 0, told
    assert other.hashes(*ROOTS) == finished.hashes(*ROOTS)
    one.finish(*SHARED)
    assert one.hashes(*ROOTS) == finished.hashes(*ROOTS)


def test_files_read_by_another_folders_run_are_not_remade_meanwhile(tmp_path: Path) -> None:
    one = Project.create(tmp_path / "one")
    one.finish(ITEMS)
    other = sharing(one, tmp_path / "other")
    reached = hold(one.path("workflow"), "eyechart.core.files:atomic")
    first = start(one, ITEMS, "--forcerun", "prepare_marked")
    try:
        wait_until(reached.exists, first)
        refused = other.run(*SHARED, "--forcerun", "draw_scenes")
        release(one.path("workflow"))
        done = first.communicate()[0]
    finally:
        end(first)
    assert refused.returncode == 1 and "Traceback" not in refused.stdout
    assert (
        f"eyechart: error: data/raw/clevr/acquired.json: the run in {one.folder} reads it, and "
        "this run would make it again; run again when the other has ended"
    ) in refused.stdout
    assert first.returncode == 0, done
