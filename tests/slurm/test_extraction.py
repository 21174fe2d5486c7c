"""The small exam's extraction on a real Slurm, with the users' profile."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from cluster import Job, finish_with_one_cancelled, memory_mb, minutes, of_rule, seconds
from project import Project

from eyechart.extraction.shards import Shard
from eyechart.plan import configuration
from eyechart.plan.config.check import check
from eyechart.plan.resources import JobResources

pytestmark = pytest.mark.slurm

TARGETS = [
    f"results/extraction/tiny_llava/clevr/{scope}/manifest.json" for scope in ("image", "item")
]
ROOTS = ("data/raw", "data/models", "results/datasets", "results/models", "results/extraction")


@dataclass(frozen=True)
class Run:
    """A finished run: its project, all jobs, and the number of the cancelled job."""

    project: Project
    jobs: list[Job]
    cancelled: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The extraction on Slurm; the first part that is seen running is cancelled."""
    project = Project.create(tmp_path_factory.mktemp("slurm") / "project")
    return Run(project, *finish_with_one_cancelled(project, "extract_vlm", Shard.add, *TARGETS))


def test_results_equal_those_of_a_local_run(run: Run, tmp_path: Path) -> None:
    here = Project.create(tmp_path / "project")
    here.finish(*TARGETS)
    assert run.project.plan(*TARGETS) == {}  # half-written files of the cancelled job are removed
    assert run.project.hashes(*ROOTS) == here.hashes(*ROOTS)


def test_a_cancelled_job_is_tried_again_with_more_memory_and_time(run: Run) -> None:
    (cancelled,) = [job for job in run.jobs if job["JobId"] == run.cancelled]
    first, again = (job for job in run.jobs if job["Comment"] == cancelled["Comment"])
    assert (first["JobState"], again["JobState"]) == ("CANCELLED", "COMPLETED")
    assert memory_mb(again) == pytest.approx(1.5 * memory_mb(first), abs=1)
    assert minutes(again) == pytest.approx(1.5 * minutes(first), abs=1)
    others = [job["JobState"] for job in run.jobs if job["JobId"] != run.cancelled]
    assert set(others) == {"COMPLETED"}


@pytest.mark.parametrize(
    ("rule", "memory", "time"),
    [
        ("describe_model", JobResources.card_mb, JobResources.card_minutes),
        ("extract_vlm", JobResources.model_mb, JobResources.extraction_minutes),
    ],
)
def test_jobs_request_the_resources_that_their_models_need(
    rule: str,
    memory: Callable[..., int],
    time: Callable[..., int],
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(run.project.folder)
    sizes = JobResources(filled(run.project), configuration.read_specs())
    job = of_rule(run.jobs, rule)[0]
    asked = SimpleNamespace(model="tiny_llava", dataset="clevr")
    assert memory_mb(job) == memory(sizes, asked, attempt=1)
    assert minutes(job) == time(sizes, asked, attempt=1)


def test_small_jobs_are_grouped(run: Run) -> None:
    assert len(of_rule(run.jobs, "draw")) == 1  # four shards
    assert len(of_rule(run.jobs, "tables")) == 1  # questions and tables
    assert of_rule(run.jobs, "install_weights") == []  # no job at all
    assert len(run.jobs) == 1 + 1 + 1 + 2 + 1 + 2  # model, parts, repeated part, scopes


def test_jobs_with_a_gpu_go_to_the_gpu_partition_and_others_do_not(run: Run) -> None:
    on_gpu = of_rule(run.jobs, "extract_vlm")
    assert len(on_gpu) == 3
    assert {(job["Partition"], job["NumCPUs"]) for job in on_gpu} == {("gpu", "4")}
    assert all(job["TresPerJob"].endswith("gpu:1") for job in on_gpu)
    assert {job["Partition"] for job in run.jobs if job not in on_gpu} == {"cpu"}


def test_the_local_gpu_limit_does_not_apply_to_the_cluster(run: Run) -> None:
    first, second, _ = of_rule(run.jobs, "extract_vlm")
    assert seconds(second, "SubmitTime") <= seconds(first, "EndTime")


def filled(project: Project) -> dict[str, Any]:
    """Return the configuration of a project, as the rules see it."""
    return check(yaml.safe_load(project.path("small.yaml").read_text()), ["small.yaml"])
