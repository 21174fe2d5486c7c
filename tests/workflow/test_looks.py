"""A small exam whose items are answered in steps: jobs, tables, and answers that are repeated."""

from itertools import pairwise

import polars as pl
import pytest
from project import Project

pytestmark = pytest.mark.workflow

STEPS = {
    "models": ["tiny_llava"],
    "datasets": {
        "clevr": {"tasks": ["shape"], "splits": {"train": 40, "val": 30}, "test_share": 0.6},
        "mmvp": {
            "layout": "mmvp",
            "source": "render",
            "splits": {"test": 36},
            "shards": 1,
            "rendering": {"samples_per_pixel": 2},
        },
    },
    "behavior": {"datasets": ["clevr", "mmvp"], "conditions": ["sighted", "blank", "swapped"]},
    "verdict": {"look": "sequential", "looks": [8, 16, 30], "alpha": 0.2},  # few decide early
}
CHAIN = {  # CLEVR is answered in two parts, at each of two looks and at the last one
    **{"answer_vlm_part": 6, "join_answers_vlm_look": 2, "join_answers_vlm": 1},
    **{"answer_vlm_look": 2, "decide_look": 2, "answer_vlm": 1, "decide": 1},
}
SKILL = ["dataset", "skill"]
LAST = "results/behavior/responses/tiny_llava/{}/{}.parquet"
LOOK = "results/behavior/looks/tiny_llava/{}/{}/{}.parquet"


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The exam after an undisturbed run; tests must not change it."""
    project = Project.create(tmp_path_factory.mktemp("steps") / "project")
    project.configure(STEPS)
    jobs = project.plan()
    assert {name: jobs.get(name) for name in CHAIN} == CHAIN
    project.finish()
    return project


def test_every_look_contains_the_previous_one_and_answers_nothing_twice(steps: Project) -> None:
    for dataset in ("clevr", "mmvp"):
        files = [LOOK.format(dataset, k, "sighted") for k in (1, 2)]
        files.append(LAST.format(dataset, "sighted"))
        tables = [pl.read_parquet(steps.path(file)) for file in files]
        for before, after in pairwise(tables):
            assert before.equals(after.join(before, on="item_id", how="semi"))
        assert not tables[-1]["item_id"].is_duplicated().any()
        blank = pl.read_parquet(steps.path(LAST.format(dataset, "blank")))
        assert blank["item_id"].equals(tables[-1]["item_id"])


def test_only_undecided_skills_are_continued_and_the_table_gives_their_look(steps: Project) -> None:
    final = pl.read_parquet(steps.path("results/verdict/tiny_llava.classes.parquet"))
    early = final.filter(pl.col("answered") < pl.col("planned"))
    assert len(early) and "undecided" not in set(early["verdict"])
    kept = early.select(*SKILL, "verdict", "n", "why").sort(SKILL)
    at = {
        k: pl.read_parquet(steps.path(f"results/verdict/looks/tiny_llava/{k}/classes.parquet"))
        for k in (1, 2)
    }
    then = pl.concat(
        classes.join(early.filter(look=k), on=SKILL, how="semi") for k, classes in at.items()
    )
    assert kept.equals(then.select(kept.columns).sort(SKILL)), "a decided class must not change"
    for k, classes in at.items():
        decided = classes.filter(pl.col("verdict") != "undecided")
        assert not len(decided.join(final.filter(pl.col("look") <= k), on=SKILL, how="anti"))
    pairs = pl.read_parquet(steps.path("results/datasets/mmvp/items.parquet"))
    asked = pl.read_parquet(steps.path(LAST.format("mmvp", "sighted")))
    counts = pairs.join(asked, on="item_id").group_by("pair").len()
    assert set(counts["len"]) == {2}, "pairs are never divided"
    page = steps.path("results/report/index.html").read_text()
    assert "items answered, look" in page


def test_a_finished_exam_has_nothing_to_do_and_asking_at_once_has_no_looks(
    steps: Project, tmp_path: object
) -> None:
    project = steps.clone(tmp_path / "project")  # type: ignore[operator]
    assert project.plan() == {}
    project.configure({"verdict": {"look": "once"}})
    jobs = project.plan()
    assert (jobs["answer_vlm"], jobs["answer_vlm_part"], jobs["decide"]) == (1, 2, 1)
    assert not {name for name in jobs if name.endswith("_look")}
