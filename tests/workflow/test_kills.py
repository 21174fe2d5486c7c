"""`kill -9` of Snakemake and all its jobs: the next run completes, as if nothing had happened."""

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from project import ROOTS, Project
from stopping_steps import hold, release, wait_until

from eyechart.core import files, integrity
from eyechart.extraction.shards import Shard
from eyechart.probing import search
from eyechart.rendering import drawing

pytestmark = pytest.mark.workflow

CORRUPTED = 200
PIPED: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}


def test_a_run_killed_while_drawing_extracting_and_probing_ends_as_an_undisturbed_one(
    finished: Project, tmp_path: Path
) -> None:
    project = Project.create(tmp_path / "project")
    # the undisturbed run uses two cores; bytes do not depend on this either
    run = ("--cores", "1")
    project.kill_at(drawing.save_view, *run, call=5)
    assert len(list(project.folder.glob("data/raw/clevr/images/*/*.png"))) == 4
    project.kill_at(Shard.add, *run)
    assert list(project.folder.glob("results/extraction/*/*/*/.part-*.partial-*"))
    project.kill_at(search.refit, *run)
    assert not list(project.folder.glob("results/probing/*/*/*.parquet"))
    project.finish(*run)
    assert project.hashes(*ROOTS) == finished.hashes(*ROOTS)
    assert project.plan() == {}


def test_two_runs_at_once_are_refused_but_no_lock_outlives_its_run(
    copy: Callable[[], Project],
) -> None:
    project = copy()
    project.configure({"report": {"title": "Other"}})

    def others_are_refused() -> None:
        refused, unverified = project.run(), project.run("verify")
        assert refused.returncode == unverified.returncode == 1
        assert "Directory cannot be locked" in refused.stdout
        assert "another run is active in this folder; verify files after it" in unverified.stdout
        assert "Traceback" not in refused.stdout + unverified.stdout

    project.kill_at(search.refit, "--forcerun", "train_probes", meanwhile=others_are_refused)
    assert list(project.folder.glob(".snakemake/locks/*.lock"))
    project.finish()


def test_a_run_started_during_verification_waits_and_regenerates_faulty_files(
    finished: Project, copy: Callable[[], Project]
) -> None:
    project, folder = copy(), "verifying"
    table = "results/probing/tiny_clip/clevr/has_metal.parquet"
    project.path(table).write_bytes(b"damaged")
    reached = hold(project.path(folder), integrity.update)
    environment = {**os.environ, "PYTHONPATH": str(project.path(folder))}
    with ThreadPoolExecutor(2) as pool:
        verified = subprocess.Popen(
            project.command("verify"), cwd=project.folder, env=environment, **PIPED
        )
        wait_until(reached.exists, verified)
        run = subprocess.Popen(project.command(), cwd=project.folder, **PIPED)
        wait_until(lambda: f"-> FLOCK  ADVISORY  READ {run.pid} " in locks(), run)
        release(project.path(folder))
        told, done = pool.map(lambda process: process.communicate()[0], (verified, run))
    assert verified.returncode == 1 and f"{table} was damaged" in told
    assert run.returncode == 0 and f"{table} was damaged; it is made again" in done, done
    assert project.hashes(*ROOTS) == finished.hashes(*ROOTS)


def locks() -> str:
    """Return the kernel's list of locks and of the processes that wait for them."""
    return Path("/proc/locks").read_text()


def lost(project: Project) -> set[str]:
    """Return the files that the next run will make again."""
    with contextlib.chdir(project.folder):
        return {fault.path for fault in integrity.update("results")}


def test_a_rule_killed_while_rewriting_is_noticed_and_one_run_completes(
    finished: Project, copy: Callable[[], Project]
) -> None:
    project = copy()
    jobs = {job["rule"]: job for job in project.jobs() if job["outputs"]}
    assert len(jobs) >= 14
    expected = set()
    for number, (rule, job) in enumerate(jobs.items()):
        how = (signal.SIGKILL, signal.SIGTERM)[number % 2]
        project.kill_at(files.atomic, job["outputs"][0], "--forcerun", rule, how=how)
        expected |= set(job["outputs"])
        assert not any(project.path(output).exists() for output in job["outputs"])
        assert lost(project) == expected
    project.finish()
    assert project.hashes(*ROOTS) == finished.hashes(*ROOTS)
    assert project.plan() == {}


def test_random_bytes_of_many_files_are_noticed_and_one_run_restores_them(
    finished: Project, copy: Callable[[], Project]
) -> None:
    project, chance = copy(), random.Random(16)
    assert "every file is as it was written" in project.finish("verify")
    kept = [name for name in project.hashes(*ROOTS) if not project.path(name).is_symlink()]
    corrupted = chance.sample(kept, CORRUPTED)
    for name in corrupted:
        content = bytearray(project.path(name).read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        project.path(name).write_bytes(content)
    told = project.run("verify")
    assert told.returncode == 1 and "Traceback" not in told.stdout
    said = {line.removesuffix(" was damaged").removeprefix("eyechart: error: ")
            for line in told.stdout.splitlines() if line.endswith(" was damaged")}  # fmt: skip
    assert said == set(corrupted)
    assert f"changed since they were written: {CORRUPTED}; run again" in told.stdout
    project.finish()
    assert project.hashes(*ROOTS) == finished.hashes(*ROOTS)
    assert "every file is as it was written" in project.finish("verify")
