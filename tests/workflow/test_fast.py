"""The complete workflow once, with minimal data, as `make demo-fast` runs it."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml
from project import Project

pytestmark = pytest.mark.workflow

PRESET = Path("config/presets/fast.yaml")
SKILLS = {
    *("semantic_correspondence", "functional_correspondence", "low_level_matching"),
    *("art_style", "depth_order", "odd_one_out"),
}


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The preset after an undisturbed run; tests must not change it."""
    project = Project.create(tmp_path_factory.mktemp("fast") / "project")
    project.config = yaml.safe_load(project.path(str(PRESET)).read_text())
    project.configure({"datasets": {"clevr": {"rendering": {"samples_per_pixel": 2}}}})
    project.finish()
    return project


def edit_logic(module: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        with open(project.path(f"workflow/eyechart/{module}"), "a") as file:
            file.write("\nMORE = 1\n")

    return change


def verdicts(**changes: object) -> Callable[[Project], None]:
    return lambda project: project.configure({"verdict": changes})


PAGES = {"draw_verdict": 1, "build_report": 1}
DECIDED = {"decide": 1, **PAGES}
READ = {"read_out": 1, "draw_readout": 1, **DECIDED}  # for one dataset


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edit_logic("verdict/rules.py"), DECIDED),
        (verdicts(margin=0.2), DECIDED),
        (edit_logic("readout/style.py"), READ),
        (edit_logic("readout/items.py"), {**READ, "read_out": 3, "draw_readout": 3}),
        (edit_logic("readout/depth/training.py"), {"train_depth_heads": 1, **READ}),
        (
            edit_logic("concepts/sweep.py"),
            {"compare_concepts": 1, "draw_concepts": 1, "build_report": 1},
        ),
        (
            edit_logic("attention/summarise.py"),
            {"summarise_attention": 1, "draw_attention": 1, "build_report": 1},
        ),
    ],
    ids=["rules", "margin", "a readout", "all readouts", "depth heads", "concepts", "attention"],
)
def test_a_change_runs_again_only_what_reads_it(
    change: Callable[[Project], None], expected: dict[str, int], fast: Project, tmp_path: Path
) -> None:
    project = fast.clone(tmp_path / "project")
    change(project)
    assert project.plan() == expected


def test_a_finished_run_has_nothing_to_do(fast: Project, tmp_path: Path) -> None:
    assert fast.clone(tmp_path / "project").plan() == {}


def test_every_skill_has_a_verdict_and_a_reason(fast: Project) -> None:
    rows = pl.read_parquet(fast.path("results/verdict/tiny_llava.classes.parquet"))
    assert set(rows["skill"]) >= SKILLS
    assert rows["verdict"].null_count() == rows["why"].null_count() == 0
    assert (rows["n"] > 0).all()


@pytest.mark.parametrize("dataset", ["blink", "cv_bench", "mochi"])
def test_every_readout_has_its_control_chance_and_interval(dataset: str, fast: Project) -> None:
    rows = pl.read_parquet(fast.path(f"results/readout/tiny_llava/{dataset}.parquet"))
    own = set(rows["readout"])
    assert {name for name in own if f"{name}/shuffled" in own} == {
        name for name in own if not name.endswith("/shuffled")
    }
    assert rows.select("chance", "ci_low", "ci_high", "n").null_count().row(0) == (0, 0, 0, 0)
    rooms = {address.split(".")[0] for address in rows["address"]}
    assert rooms == {"vision", "connector", "lm"}


def test_the_page_begins_with_the_exam_card(fast: Project) -> None:
    page = fast.path("results/report/index.html").read_text()
    places = [page.index(f'id="{name}"') for name in ("verdict", "models", "readout", "concepts")]
    assert places == sorted(places)
