"""Answers in parts and readouts on a real Slurm, with the users' profile."""

from pathlib import Path

import pytest
from cluster import Job, finish_with_one_cancelled, memory_mb, minutes, of_rule
from project import Project

from eyechart.behavior.conditions import StimulusBuilder

pytestmark = pytest.mark.slurm

TARGETS = [
    "results/readout/tiny_llava/cv_bench.parquet",
    "results/behavior/scores/tiny_llava/cv_bench.parquet",
]
ROOTS = ("results/datasets", "results/behavior", "results/readout")
CONFIG = {
    "models": ["tiny_llava"],
    "datasets": {
        "cv_bench": {
            "layout": "cv_bench",
            "source": "render",
            "splits": {"test": 24},
            "parts": 2,
            "rendering": {"samples_per_pixel": 2},
            "wording": {"depth_order": "Which is nearer, A or B?"},
        }
    },
    "canvas": {"canvas_px": 80},
    "behavior": {"datasets": ["cv_bench"], "conditions": ["sighted", "blank"]},
    "attention": {"datasets": []},
}


def configured(folder: Path) -> Project:
    project = Project.create(folder)
    del project.config["datasets"]["clevr"]
    project.configure(CONFIG)
    return project


def test_only_a_cancelled_part_is_answered_again(tmp_path: Path) -> None:
    """The joined answers and the readouts equal those of a local run."""
    project = configured(tmp_path / "slurm/project")
    jobs, cancelled = finish_with_one_cancelled(
        project, "answer_vlm_part", StimulusBuilder.stimuli, *TARGETS
    )
    check_answers(of_rule(jobs, "answer_vlm_part"), cancelled)
    assert [job["JobState"] for job in of_rule(jobs, "join_answers_vlm")] == ["COMPLETED"]
    assert [job["JobState"] for job in of_rule(jobs, "read_out")] == ["COMPLETED"]
    here = configured(tmp_path / "here/project")
    here.finish(*TARGETS)
    assert project.plan(*TARGETS) == {}
    assert project.hashes(*ROOTS) == here.hashes(*ROOTS)


def check_answers(parts: list[Job], cancelled: str) -> None:
    """Assert that there are two parts and that only the cancelled one has a second attempt."""
    (stopped,) = [job for job in parts if job["JobId"] == cancelled]
    first, again = (job for job in parts if job["Comment"] == stopped["Comment"])
    (other,) = [job for job in parts if job["Comment"] != stopped["Comment"]]
    states = [job["JobState"] for job in (first, again, other)]
    assert states == ["CANCELLED", "COMPLETED", "COMPLETED"]
    assert memory_mb(again) == pytest.approx(1.5 * memory_mb(first), abs=1)
    assert minutes(again) == pytest.approx(1.5 * minutes(first), abs=1)
