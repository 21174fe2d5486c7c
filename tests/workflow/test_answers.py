"""Answers, scores and pages of a small exam with answers only: a first run, and reruns."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from project import Project

pytestmark = pytest.mark.workflow

PAIRS = {
    "source": "render",
    "splits": {"test": 18},
    "shards": 1,
    "rendering": {"samples_per_pixel": 2},
}
ASKED = {
    "models": ["tiny_clip", "tiny_llava"],
    "datasets": {
        "clevr": {"tasks": []},
        **{name: {"layout": name, **PAIRS} for name in ("mmvp", "mmvp_vlm")},
    },
    "behavior": {"datasets": ["mmvp", "mmvp_vlm"], "conditions": ["sighted", "blank"]},
}
PAGES = {"draw_patterns": 2, "build_report": 1}
COMPARED = {"compare_patterns": 1, "compare_with_encoder": 2, **PAGES}
SCORED = {"score_answers": 3, "draw_behavior": 3, **COMPARED}
ONE = {"score_answers": 1, "draw_behavior": 1, "compare_with_encoder": 1, "draw_patterns": 1}
OF_LLAVA = {**COMPARED, **ONE}
JUDGED = {"decide": 1, "draw_verdict": 1}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The exam after an undisturbed run; tests must not change it."""
    project = Project.create(tmp_path_factory.mktemp("asked") / "project")
    project.configure(ASKED)
    project.finish()
    return project


def answering(**changes: object) -> Callable[[Project], None]:
    return lambda project: project.configure({"behavior": changes})


def edit_logic(module: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        with open(project.path(f"workflow/eyechart/{module}"), "a") as file:
            file.write("\nMORE = 1\n")

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            answering(prompt="Q: {question}"),
            {"answer_vlm": 1, "decide": 1, "draw_verdict": 1, **OF_LLAVA},
        ),
        (answering(scoring="sum"), {"answer_vlm": 1, "decide": 1, "draw_verdict": 1, **OF_LLAVA}),
        (answering(bootstrap=200), SCORED),
        (answering(vqa="normalised"), SCORED),
        (answering(permutations=200), COMPARED),
        (edit_logic("behavior/metrics.py"), SCORED),
        (edit_logic("report/sections/patterns/sheet.py"), {"draw_patterns": 2}),
    ],
    ids=[
        "prompt",
        "scoring",
        "bootstrap",
        "VQA accuracy",
        "permutations",
        "logic of scores",
        "logic of the page",
    ],
)
def test_a_change_reruns_only_the_affected_answers(
    change: Callable[[Project], None], expected: dict[str, int], asked: Project, tmp_path: Path
) -> None:
    project = asked.clone(tmp_path / "project")
    change(project)
    assert project.plan() == expected


def test_a_finished_exam_has_nothing_to_do(asked: Project, tmp_path: Path) -> None:
    assert asked.clone(tmp_path / "project").plan() == {}


def test_a_lost_table_of_answers_is_made_again_with_the_same_bytes(
    asked: Project, tmp_path: Path
) -> None:
    project = asked.clone(tmp_path / "project")
    lost = "results/behavior/responses/tiny_llava/mmvp/blank.parquet"
    project.path(lost).unlink()
    project.finish(lost)
    roots = ("results/behavior/responses", "results/behavior/scores", "results/behavior/patterns")
    assert project.hashes(*roots) == asked.hashes(*roots)


def test_every_score_has_chance_interval_and_count(asked: Project) -> None:
    scores = pl.read_parquet(asked.path("results/behavior/scores/tiny_llava/mmvp.parquet"))
    accuracies = scores.filter(pl.col("metric").is_in(["accuracy", "pair_accuracy"]))
    assert set(accuracies["condition"]) == {"sighted", "blank"}
    assert (
        accuracies.select("value", "ci_low", "ci_high", "chance", "n")
        .null_count()
        .sum_horizontal()[0]
        == 0
    )


def test_the_page_names_model_encoder_and_every_pattern(asked: Project) -> None:
    page = asked.path("results/behavior/patterns/tiny_llava.html").read_text()
    for word in ("tiny_llava", "tiny_clip", "orientation", "viewpoint", "n = 9"):
        assert word in page
