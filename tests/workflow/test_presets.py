"""Presets can be planned, in time proportional to their jobs."""

import json
import re
import resource
from pathlib import Path

import pytest
import yaml
from project import ROOT, Project, snakemake

pytestmark = pytest.mark.workflow


def planned(project: Project, preset: str, *arguments: str) -> str:
    """Return the plan of a preset, without the list of single jobs."""
    words = ["-n", "-q", "rules", "--configfile", preset, *arguments]
    done = snakemake(project.folder, *words)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_twice_as_many_models_are_planned_in_about_twice_the_time(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    preset = "config/presets/paper.yaml"
    models = yaml.safe_load(project.path(preset).read_text())["models"]
    spent = []
    for some in (models[::2], models):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        plan = planned(project, preset, "--config", f"models={json.dumps(some)}")
        spent.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    assert f"describe_model {len(models)}" in " ".join(plan.split())
    assert spent[1] < 3 * spent[0]


def test_small_public_models_are_planned_with_rendered_images(tmp_path: Path) -> None:
    plan = planned(Project.create(tmp_path / "project"), "config/presets/laptop.yaml")
    assert "pull_model 3" in " ".join(plan.split())
    assert "draw_scenes" in plan


def test_the_paper_preset_omits_only_unpinned_models(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    models = yaml.safe_load(project.path("config/presets/paper.yaml").read_text())["models"]
    registered = {path.stem for path in project.path("config/models").glob("*.yaml")}
    left_out = {name for name in registered - set(models) if not name.startswith("tiny_")}
    assert left_out == {"molmoe_1b", "clip_vit_b16_vision"}  # no hub has the latter


def test_a_derived_model_is_planned_from_its_base_like_any_other(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    project.configure({"models": ["tiny_llava_prior"]})
    jobs = project.plan()
    assert jobs["derive_model"] == jobs["install_weights"] == jobs["describe_model"] == 1
    assert jobs["extract_vlm"] == jobs["train_probes"] == 2
    project.path("config/models/mine.yaml").write_text("derived: {from: mine_too, by: eyes}")
    done = project.run("-n", "results/models/mine/card.json")
    sentence = "config/models/mine.yaml: derived.from: unknown model 'mine_too'"
    assert done.returncode == 1
    assert sentence in done.stdout
    assert "Traceback" not in done.stdout


def test_two_models_and_six_patients_of_each_are_examined_with_any_seed(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project")
    words = ["--config", "run=seed_8", "seed=8"]
    plan = " ".join(planned(project, "config/presets/patient_seeds.yaml", *words).split())
    for rule, count in {
        "derive_model": 12,
        "answer_vlm": 14,
        "train_probes": 56,
        "decide": 14,
    }.items():
        assert f" {rule} {count} " in plan
    assert "trace_items" not in plan and "intervene" not in plan


ROWS = "image,prompt,choices,answer,task\na.png,What?,b|c,b,t\n"


def own(project: Project, text: str, rows: str = ROWS) -> dict[str, int]:
    """Return the plan of a user's config, by rule."""
    project.path("mine").mkdir()
    project.path("mine/questions.csv").write_text(rows)
    project.path("mine.yaml").write_text(text)
    found = re.findall(r"^(\w+) +(\d+)$", planned(project, "mine.yaml"), re.MULTILINE)
    return {rule: int(count) for rule, count in found}


def test_a_user_config_plans_only_its_own_data(tmp_path: Path) -> None:
    plan = own(
        Project.create(tmp_path / "project"),
        "models: [tiny_llava, tiny_clip]\n\n"
        "datasets:\n"
        "  mine:\n    layout: table\n    source: local\n    path: mine/questions.csv\n",
    )
    # data; models and their curves; answers, scores and their figures; verdicts; the page
    assert plan == {
        **{"acquire_local": 1, "prepare_marked": 1},
        **{"install_weights": 2, "describe_model": 2, "draw_training": 1},
        **{"answer_encoder": 1, "answer_vlm": 1, "score_answers": 2, "draw_behavior": 2},
        **{"decide": 2, "draw_verdict": 1, "build_report": 1, "all": 1, "total": 18},
    }


def test_the_user_data_example_is_planned_as_printed(tmp_path: Path) -> None:
    page = (ROOT / "docs/own_data.md").read_text(encoding="utf-8")
    example = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0]
    (rows,) = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    plan = own(Project.create(tmp_path / "project"), example, rows)
    assert plan["acquire_local"] == plan["prepare_marked"] == plan["answer_vlm"] == 1
    assert plan["total"] == 18
