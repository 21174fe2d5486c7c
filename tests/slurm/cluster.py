"""Run the workflow through Slurm, and read Slurm's records of its jobs."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from project import ROOT, Project
from stopping_steps import hold, release, wait_until

PROFILES = ["--profile", "profiles/slurm", "--profile", str(ROOT / "tests/slurm/profile")]
_FIELD = re.compile(r"(\S+?)=(\S*)")

Job = dict[str, str]  # the output of `scontrol show job` for one job, by field


def is_up() -> bool:
    """Return whether Slurm is running here."""
    try:
        subprocess.run(["sinfo"], capture_output=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def jobs(project: Project) -> list[Job]:
    """Return a project's Slurm jobs so far, by number."""
    shown = subprocess.run(
        ["scontrol", "--oneliner", "show", "jobs"], capture_output=True, text=True, check=True
    )
    found = [dict(_FIELD.findall(line)) for line in shown.stdout.splitlines() if "JobId" in line]
    own = [job for job in found if job["WorkDir"] == str(project.folder)]
    return sorted(own, key=lambda job: int(job["JobId"]))


def of_rule(found: list[Job], name: str) -> list[Job]:
    """Return the jobs of a rule or group, given its name and optionally its wildcards."""
    return [job for job in found if re.match(rf"rule_{name}(_|$)", job.get("Comment", ""))]


def seconds(job: Job, field: str) -> float:
    """Return one of a job's times."""
    return time.mktime(time.strptime(job[field], "%Y-%m-%dT%H:%M:%S"))


def cancel_one(project: Project, rule: str, run: subprocess.Popen[str]) -> str:
    """Cancel the first job of a rule once two of its jobs run; return its number.

    Slurm's times are whole seconds. If a job were cancelled at once, they could not show whether
    the next job waited for it.
    """
    for found in _watch(project, run, timeout_s=600):
        states = {job["JobId"]: job["JobState"] for job in of_rule(found, rule)}
        running = [job for job, state in states.items() if state == "RUNNING"]
        if running and len(states) > 1:
            subprocess.run(["scancel", running[0]], check=True)
            return running[0]
    raise AssertionError(f"no job of {rule} was seen running beside another")


def _watch(project: Project, run: subprocess.Popen[str], timeout_s: float) -> Iterator[list[Job]]:
    deadline = time.monotonic() + timeout_s
    while run.poll() is None and time.monotonic() < deadline:
        yield jobs(project)
        time.sleep(0.5)


def start(project: Project, log: IO[str], *arguments: str) -> subprocess.Popen[str]:
    """Start a run that sends its jobs to Slurm."""
    return subprocess.Popen(
        project.command(*PROFILES, *arguments),
        cwd=project.folder,
        stdout=log,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish_with_one_cancelled(
    project: Project, rule: str, at: Callable[..., Any], *targets: str
) -> tuple[list[Job], str]:
    """Run to the end with one job of a rule cancelled; return all jobs and the number of that job.

    No job of the rule ends before that, since each waits at its first call of ``at``.
    """
    log = project.path("run.log")
    reached = hold(project.path("workflow"), at)
    with open(log, "w") as file:
        run = start(project, file, *targets)
        wait_until(reached.exists, run)
        cancelled = cancel_one(project, rule, run)
        release(project.path("workflow"))
        status = run.wait(timeout=900)
    assert status == 0, log.read_text() + logs(project)
    return jobs(project), cancelled


def memory_mb(job: Job) -> int:
    """Return the memory that a job requested; Slurm prints 2200M, or 2.5G if this is exact."""
    amount = job["MinMemoryNode"]
    return round(float(amount[:-1]) * {"M": 1, "G": 1024}[amount[-1]])


def minutes(job: Job) -> int:
    """Return the time that a job requested, from a text such as 01:30:00."""
    hours, rest, _ = job["TimeLimit"].split(":")
    return 60 * int(hours) + int(rest)


def logs(project: Project) -> str:
    """Return Slurm's own logs of a project's jobs, for a failed test."""
    folder = project.path(".snakemake/slurm_logs")
    return "\n".join(f"{p}:\n{p.read_text()}" for p in sorted(Path(folder).rglob("*.log")))
