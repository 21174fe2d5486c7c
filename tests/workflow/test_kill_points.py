"""Kill a small run at 100 random points; after each, one plain run gives the same bytes.

A point is a moment at which a job begins, is about to write, flush or rename a file, has renamed
it, is between two images, activations or probes, or ends; or at which Snakemake is about to write a
record. Every job is killed once. Jobs with few dependants are killed more often, because dependants
are made again. Each batch begins with a run from nothing.
"""

import os
import random
import select
import signal
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from project import ROOTS, Project
from snakemake.persistence.file import FilePersistence
from stopping_steps import SITE, hold, release, wait_until

from eyechart.core import files, integrity
from eyechart.core.files import is_partial
from eyechart.extraction.shards import Shard
from eyechart.probing import search
from eyechart.rendering import drawing

pytestmark = [pytest.mark.workflow, pytest.mark.faults]

POINTS, BATCHES, SEED = 100, 4, 16
OF_A_JOB = (
    *("argparse:ArgumentParser.parse_args", files.atomic, "os:fsync", "pathlib:Path.replace"),
    *("pathlib:Path.unlink", Shard.add, search.refit, drawing.save_view, "threading:_shutdown"),
)
OF_SNAKEMAKE = (
    *(FilePersistence._mark_incomplete, FilePersistence._write_record),
    *(FilePersistence._unmark_incomplete, FilePersistence._delete_locks, integrity.update),
)
HOW = (
    *["everything is killed"] * 4,
    *["everything is killed while Snakemake writes"] * 2,
    *("everything is asked to end", "the job is killed", "Snakemake is killed, the job goes on"),
)
Job = dict[str, Any]


class Point(NamedTuple):
    """The job that is killed, the moment, the way, and the files that are deleted before."""

    job: Job
    call: int
    how: str
    deleted: list[str]


def dependent(jobs: list[Job]) -> dict[str, list[Job]]:
    """Return the jobs that depend on each job, itself included, by its first output."""
    found: dict[str, list[Job]] = {}
    takes = [(job, {file for files in job["inputs"].values() for file in files}) for job in jobs]
    for job in jobs:  # jobs without dependants come first
        takers = [other["outputs"][0] for other, taken in takes if taken & set(job["outputs"])]
        below = {j["outputs"][0]: j for taker in takers for j in found[taker]}
        found[job["outputs"][0]] = [job, *below.values()]
    return found


def drawn(jobs: list[Job], calls: dict[str, int]) -> list[Point]:
    """Return random points in random order."""
    chance, below = random.Random(SEED), dependent(jobs)
    often = [1 / len(below[job["outputs"][0]]) for job in jobs]
    chosen = jobs + chance.choices(jobs, often, k=POINTS - len(jobs))
    points = []
    for job in chosen:
        how, first = chance.choice(HOW), job["outputs"][0]
        most = 3 + 2 * len(job["outputs"]) if "Snakemake writes" in how else calls[first]
        others = [output for other in below[first][1:] for output in other["outputs"]]
        deleted = [output for output in others if chance.random() < 0.5]
        deleted = [*job["outputs"], *deleted] if chance.random() < 0.5 else []
        points.append(Point(job, chance.randint(1, most), how, deleted))
    chance.shuffle(points)
    return points


def start(project: Project, point: Point, *words: str) -> tuple["subprocess.Popen[bytes]", int]:
    """Start a run; return it and the number of the process that waits at the point."""
    itself = "while Snakemake writes" in point.how
    folder = project.path("held" if itself else "workflow")
    functions, only = (OF_SNAKEMAKE, "") if itself else (OF_A_JOB, point.job["outputs"][0])
    reached = hold(folder, *functions, call=point.call, only=only)
    run = subprocess.Popen(
        project.command("--cores", "1", *words),
        cwd=project.folder,
        env={**os.environ, **({"PYTHONPATH": str(folder)} if itself else {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(reached.exists, run)
    except AssertionError:
        raise AssertionError(f"never reached: {point}") from None
    return run, int(reached.read_text())


def end(run: "subprocess.Popen[bytes]", held: int, how: str) -> None:
    """Kill the processes of the given kind."""
    match how:
        case "the job is killed":
            os.kill(held, signal.SIGKILL)
        case "Snakemake is killed, the job goes on":
            run.kill()
        case "everything is asked to end":
            os.killpg(run.pid, signal.SIGTERM)
        case _:
            os.killpg(run.pid, signal.SIGKILL)
    assert run.wait() in (-signal.SIGKILL, 1)


def kill_and_finish(project: Project, point: Point, expected: dict[str, str], *words: str) -> None:
    """Kill a run at a point; assert that one plain run then ends with the expected files."""
    for name in point.deleted:
        project.path(name).unlink()
    run, held = start(project, point, *words)
    alive = os.pidfd_open(held)
    end(run, held, point.how)
    for folder in ("held", "workflow"):
        (project.path(folder) / SITE.name).unlink(missing_ok=True)  # held processes stay held
    project.finish()
    whole = {name: found for name, found in project.hashes(*ROOTS).items() if not is_partial(name)}
    assert whole == expected, point
    for folder in ("held", "workflow"):
        release(project.path(folder))
    select.select([alive], [], [])  # now the job that continued ends
    os.close(alive)
    assert project.hashes(*ROOTS) == expected, point
    if "goes on" in point.how:
        assert project.plan() == {}, point


@pytest.fixture(scope="module")
def points(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> list[Point]:
    """The points, drawn from the moments of each job when all jobs run again."""
    project = finished.clone(tmp_path_factory.mktemp("counted") / "project")
    told = hold(project.path("workflow"), *OF_A_JOB, call=0)
    project.finish("--cores", "1", "--forceall")
    lines = [line.split(" ", 1) for line in told.read_text().splitlines()]
    jobs = [job for job in project.jobs() if job["outputs"]]
    calls = {}
    for output in (job["outputs"][0] for job in jobs):  # the job that writes it ends first
        calls[output] = next(int(count) for count, command in lines if output in command)
    return drawn(jobs, calls)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_after_any_kill_one_plain_run_ends_as_an_undisturbed_one(
    finished: Project, points: list[Point], batch: int, tmp_path: Path
) -> None:
    project, expected = Project.create(tmp_path / "project"), finished.hashes(*ROOTS)
    nothing, *others = points[batch::BATCHES]
    kill_and_finish(project, nothing._replace(deleted=[]), expected)
    for point in others:
        rule, output = point.job["rule"], point.job["outputs"][0]
        words = () if point.deleted else (output, "--forcerun", rule)
        kill_and_finish(project, point, expected, *words)
    assert project.plan() == {}
    assert "every file is as it was written" in project.finish("verify")
