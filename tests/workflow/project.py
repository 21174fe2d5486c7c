"""A copy of the project with a small configuration, for real Snakemake runs."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import planner
from stopping_steps import hold, release, wait_until

ROOT = Path(__file__).resolve().parents[2]
PARTS = [
    *("Snakefile", "workflow", "config", "profiles", "envs", "requirements.lock"),
    *("data/versions.tsv", "data/weights"),
]
CACHES = shutil.ignore_patterns("__pycache__")
SMALL: dict[str, Any] = {
    "models": ["tiny_clip", "tiny_llava"],
    "datasets": {
        "clevr": {
            "layout": "clevr",
            "source": "render",
            "truth": True,
            "splits": {"train": 40, "val": 20},
            "shards": 2,
            "parts": 2,
            "tasks": ["shape", "has_metal"],
            "rendering": {"samples_per_pixel": 2},
        }
    },
    "behavior": {"datasets": []},
    "extraction": {"addresses": ["vision.*", "lm.*"], "batch_size": 64},
    "probing": {"folds": 3, "seeds": 2, "bootstrap": 100, "probes": {"mlp": {"hidden": 128}}},
}
ROOTS = (
    "data/raw",
    "data/models",
    "results/datasets",
    "results/models",
    "results/extraction",
    "results/probing",
    "results/verdict",
)
SNAKEMAKE = [sys.executable, "-m", "snakemake"]  # with the Python of the tests
_JOB = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


def snakemake(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder to the end; its output includes its errors."""
    if "-n" in words:
        return planner.plan(folder, *words)
    return subprocess.run(
        [*SNAKEMAKE, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


class Project:
    """A working folder for running the workflow."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = json.loads(json.dumps(SMALL))

    @classmethod
    def create(cls, folder: Path) -> "Project":
        """Copy all tracked files, as in a fresh clone."""
        folder.mkdir(parents=True)
        for name in PARTS:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=CACHES)
            else:
                (folder / name).parent.mkdir(exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        project = cls(folder)
        project.configure({})
        return project

    def clone(self, folder: Path) -> "Project":
        """Copy everything with its times, including results and Snakemake's metadata."""
        shutil.copytree(self.folder, folder, symlinks=True)
        project = Project(folder)
        project.config = json.loads(json.dumps(self.config))
        project.configure({})
        return project

    def configure(self, changes: dict[str, Any]) -> None:
        """Merge changes into the small configuration."""
        _merge(self.config, changes)
        # JSON is YAML; keys keep their order
        self.path("small.yaml").write_text(json.dumps(self.config, indent=1))

    def path(self, name: str) -> Path:
        """Return a path inside the folder."""
        return self.folder / name

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text that occurs exactly once in a file."""
        text = self.path(name).read_text()
        assert text.count(old) == 1, f"{name}: {old!r} occurs {text.count(old)} times"
        self.path(name).write_text(text.replace(old, new))

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a run with the small config."""
        return [*SNAKEMAKE, *self.words(*arguments)]

    def words(self, *arguments: str) -> list[str]:
        """Return the arguments of that command after Snakemake's name."""
        return ["--cores", "2", *arguments, "--configfile", "small.yaml"]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return snakemake(self.folder, *self.words(*arguments))

    def finish(self, *arguments: str) -> str:
        """Run to the end, assert success, and return the output."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def jobs(self, *targets: str) -> list[dict[str, Any]]:
        """Return all jobs for the targets, starting with those whose outputs no other job reads."""
        found = planner.jobs(self.folder, ["small.yaml"], {}, targets)
        maker = {output: job for job in found for output in job["outputs"]}

        def depth(job: dict[str, Any]) -> int:
            inputs = [file for files in job["inputs"].values() for file in files]
            above = (depth(maker[file]) for file in inputs if file in maker)
            return 1 + max(above, default=0)

        return sorted(found, key=depth, reverse=True)

    def pretend(self, *targets: str) -> None:
        """Write a file for each missing output, as if its job had run.

        Snakemake then records every job with its current params, code and inputs.
        """
        for job in self.jobs(*targets):
            for output in map(self.path, job["outputs"]):
                if not output.exists():
                    output.parent.mkdir(parents=True, exist_ok=True)
                    listing = output.suffix == ".json"  # the ledger reads lists of files
                    output.write_text('{"files": []}' if listing else str(output))
        self.finish("--touch", "--forceall", *targets)

    def plan(self, *arguments: str) -> dict[str, int]:
        """Return the number of jobs of each rule that a run would start, without ``all``."""
        output = self.finish("-n", *arguments)
        if "Nothing to be done" in output:
            return {}
        table = output.split("Job stats:")[-1].split("\n\n")[0]
        jobs = {rule: int(count) for rule, count in _JOB.findall(table)}
        assert sum(jobs.values()) == 2 * jobs.pop("total"), output
        jobs.pop("all", None)
        return jobs

    def kill_at(
        self,
        function: Callable[..., Any],
        *arguments: str,
        call: int = 1,
        meanwhile: Callable[[], None] = lambda: None,
        how: signal.Signals = signal.SIGKILL,
    ) -> None:
        """Start a run, and kill Snakemake and all its jobs at one point.

        The first job that reaches this call of the function waits there while ``meanwhile()`` runs;
        see :func:`stopping_steps.hold`. If ``how`` is SIGTERM, Snakemake ends by itself.
        """
        reached = hold(self.path("workflow"), function, call=call)  # only on the path of jobs
        run = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until(reached.exists, run)
            meanwhile()
        finally:
            if run.poll() is None:
                os.killpg(run.pid, how)
        assert run.wait() == (-how if how == signal.SIGKILL else 1)
        release(self.path("workflow"))

    def hashes(self, *roots: str) -> dict[str, str]:
        """Return the SHA-256 of every file under some folders, including hidden ones."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for root in roots
            for path in sorted(self.path(root).rglob("*"))
            if path.is_file()
        }


def _merge(target: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value
