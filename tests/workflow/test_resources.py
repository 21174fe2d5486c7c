"""The requests of all jobs of every preset fit the shipped partitions, and the docs show them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import ROOT, Project, snakemake

from eyechart.plan.resource_table import Asked, table
from eyechart.plan.sizes import GROWTH

pytestmark = pytest.mark.workflow

WEEK = 7 * 24 * 60
PRESETS = sorted(path.name for path in (ROOT / "config/presets").glob("*.yaml"))
CODE = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from eyechart.plan.resource_table import jobs
found = jobs({"configfiles": sys.argv[1:], "config": {}}, Path("Snakefile"))
print(json.dumps([asdict(job) for job in found]))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A fresh copy of the project, used only for planning."""
    return Project.create(tmp_path_factory.mktemp("planned") / "project")


@pytest.fixture(scope="module")
def asked(project: Project) -> Any:
    """Return a function from a preset to its jobs' requests; each preset is planned once."""
    known: dict[str, list[Asked]] = {}

    def jobs(preset: str) -> list[Asked]:
        if preset not in known:
            done = subprocess.run(
                [sys.executable, "-c", CODE, f"config/presets/{preset}"],
                cwd=project.folder,
                env={"PYTHONPATH": "workflow", "PATH": "/usr/bin:/bin"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            known[preset] = [Asked(**job) for job in json.loads(done.stdout.splitlines()[-1])]
        return known[preset]

    return jobs


def fits(job: Asked, limits: dict[str, Any], attempt: int) -> bool:
    """Return whether an attempt of a job fits a partition."""
    more = GROWTH ** (attempt - 1)
    return (
        job.minutes * more <= limits["max_runtime"]
        and job.memory * more <= limits["max_mem_mb"]
        and job.gpus <= limits.get("max_gpu", 0)
        and job.threads <= limits["max_threads"]
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_every_job_of_a_preset_fits_a_week_and_the_shipped_partitions(
    preset: str, asked: Any
) -> None:
    """This includes the third attempt."""
    partitions = yaml.safe_load((ROOT / "profiles/slurm/partitions.yaml").read_text())["partitions"]
    found = asked(preset)
    assert len(found) > 10
    assert max(job.minutes for job in found) * GROWTH**2 <= WEEK
    sent = [job for job in found if not job.local]
    unfit = [j for j in sent if not any(fits(j, limits, 3) for limits in partitions.values())]
    assert unfit == []


def test_the_docs_show_the_table_of_the_paper_preset(asked: Any) -> None:
    """The table is printed by `snakemake plan_resources --configfile config/presets/paper.yaml`."""
    page = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    assert table(asked("paper.yaml")) in page


def test_the_command_prints_the_table_and_runs_nothing(asked: Any, project: Project) -> None:
    preset = "config/presets/mmvp.yaml"
    done = snakemake(project.folder, "plan_resources", "--configfile", preset)
    assert done.returncode == 0, done.stdout
    printed = table(asked("mmvp.yaml"))
    assert printed in done.stdout
    hours = re.search(r"they request ([\d,]+) GPU hours", printed)
    assert hours and 1 <= int(hours[1]) <= 12
    assert not Path(project.path("results")).exists()


def test_data_of_the_default_configuration_are_checked_too(project: Project) -> None:
    done = snakemake(project.folder, "check_data", "--cores", "1")
    assert done.returncode == 0, done.stdout
    assert "clevr is answered by tiny_clip, tiny_llava" in done.stdout
    assert not Path(project.path("results")).exists()
