"""The plan for users' own data: files, splits, tasks, and tasks that are not probed."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eyechart.core.errors import UserError
from eyechart.plan.config.check import check
from eyechart.plan.configuration import read_specs
from eyechart.plan.own import OwnPlan
from eyechart.plan.workflow import WorkflowPlan

JOB = SimpleNamespace(dataset="mine", model="tiny_llava")
HEADER = "image,prompt,choices,answer,task,sky,part\n"


def rows(count: int, task: str = "dark", answers: str = "yn", part: str = "all") -> list[str]:
    words = {"y": "yes", "n": "no"}
    return [
        f"{task}{n}.png,Is it?,yes|no,{words[answers[n % len(answers)]]},{task},"
        f"{'sunny' if n % 2 else 'foggy'},{part}\n"
        for n in range(count)
    ]


def config_of(folder: Path, lines: list[str], **changes: Any) -> dict[str, Any]:
    """Return the checked three-line configuration for a table with these rows."""
    (folder / "mine.csv").write_text(HEADER + "".join(lines), encoding="utf-8")
    mine = {"layout": "table", "source": "local", "path": str(folder / "mine.csv"), **changes}
    return check({"models": ["tiny_llava", "tiny_clip"], "datasets": {"mine": mine}}, [])


def test_tasks_with_enough_rows_are_probed_and_the_others_have_a_reason(tmp_path: Path) -> None:
    lines = [
        *rows(20, "dark"),
        *rows(19, "few"),
        *rows(60, "same", "y"),
        *rows(40, "rare", "y" * 38 + "nn"),
        *["a.png,What?,,something,open,,\n"] * 50,
    ]
    config = config_of(tmp_path, lines, columns={"labels": {"sky": "sky"}})
    assert config["datasets"]["mine"]["tasks"] == ["dark", "sky"]
    plan = WorkflowPlan(config, read_specs())
    plan.check()
    assert list(plan.probing_runs()) == [("tiny_llava", "mine"), ("tiny_clip", "mine")]
    reasons = plan.own.unprobed["mine"]
    assert set(reasons) == {"few", "same", "rare"}
    assert "19 rows, of which a share of 0.25 is tested (test_share), expected" in reasons["few"]
    assert reasons["rare"].endswith("in at least 3 (probing.folds) of its 40 rows")
    assert json.loads(plan.report_settings())["unprobed"] == plan.own.unprobed


def test_a_label_is_counted_once_per_image(tmp_path: Path) -> None:
    lines = ["a.png,Is it?,yes|no,yes,dark,sunny,\n", "b.png,Is it?,yes|no,no,dark,foggy,\n"] * 15
    config = config_of(tmp_path, lines, columns={"labels": {"sky": "sky"}})
    assert config["datasets"]["mine"]["tasks"] == ["dark"]
    reasons = OwnPlan(config).unprobed["mine"]
    assert reasons["sky"].endswith("in at least 3 (probing.folds) of its 2 images")


def test_a_label_with_the_name_of_a_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 2: task 'dark' is also a name under columns.labels"):
        config_of(tmp_path, rows(40), columns={"labels": {"dark": "sky"}})


@pytest.mark.parametrize("stage", ["interventions", "tuning"])
def test_a_task_that_no_row_has_is_refused_in_every_stage(tmp_path: Path, stage: str) -> None:
    config = config_of(tmp_path, rows(40))
    config[stage]["tasks"] = {"mine": ["bright"]}
    with pytest.raises(UserError, match=rf"{stage}.tasks.mine: no task 'bright'.*dark"):
        OwnPlan(config).check()


def test_all_six_rows_are_answered_and_nothing_is_extracted(tmp_path: Path) -> None:
    plan = WorkflowPlan(config_of(tmp_path, rows(6)), read_specs())
    plan.check()
    assert plan.manifests() == []
    assert list(plan.behavior.runs()) == [("mine", m)[::-1] for m in plan.models]
    assert json.loads(plan.behavior.response_settings(JOB))["items"] == "all"


def test_all_splits_of_the_table_are_used_and_their_rows_counted(tmp_path: Path) -> None:
    lines = [*rows(8, part="val"), *rows(12, part="train")]
    config = config_of(tmp_path, lines, columns={"split": "part"})
    assert config["datasets"]["mine"]["splits"] == ["val", "train"]
    ((_, found),) = OwnPlan(config).surveys()
    assert (found.rows, len(found.images), found.asked) == (20, 12, {"dark": 20})
    config = config_of(tmp_path, lines, columns={"split": "part"}, splits=["val"])
    ((_, found),) = OwnPlan(config).surveys()
    assert (found.rows, found.answers["dark"]) == (8, {"yes": 4, "no": 4})


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Größe?", "größe"),
        ("色", "色"),
        ("हिन्दी", "हिन्दी"),
        ("A-b (c)", "a_b_c"),
        ("Ελλ/ά.", "ελλ_ά"),
    ],
)
def test_task_names_may_use_any_script(tmp_path: Path, written: str, name: str) -> None:
    config = config_of(tmp_path, rows(20, written), tasks=[written])
    assert config["datasets"]["mine"]["tasks"] == [name]
    WorkflowPlan(config, read_specs()).check()


def test_a_task_that_no_row_has_is_refused_before_anything_runs(tmp_path: Path) -> None:
    plan = WorkflowPlan(config_of(tmp_path, rows(20), tasks=["drak"]), read_specs())
    with pytest.raises(UserError, match=r"^datasets.mine.tasks: no task 'drak'; did you mean 'da"):
        plan.check()


def test_a_mistake_in_the_table_is_one_sentence_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mine.csv: line 3: answer 'maybe' is not among the choi"):
        config_of(tmp_path, [*rows(1), "a.png,Is it?,yes|no,maybe,dark,,\n"])


ODD = ["x{y}.png", "{dataset}.png", "new\nline.png", b"caf\xe9.png"]
PLAIN = [
    "a b.png",
    "it's.png",
    "$HOME.png",
    "left|right.png",
    "[1].png",
    "写真.png",
    "*.png",
    "-r.png",
]


def test_files_with_braces_in_their_names_are_tracked_by_size_and_time(tmp_path: Path) -> None:
    for name in (*PLAIN, *ODD):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + os.fsencode(name))).write_text("1")
    photos = {"layout": "folder", "path": str(tmp_path), "task": "what", "prompt": "What?"}
    config = check({"models": ["tiny_clip"], "datasets": {"mine": photos}}, [])
    own = OwnPlan(config)
    assert own.files(JOB) == sorted(str(tmp_path / name) for name in PLAIN)
    before = own.other_files(JOB)
    assert [name.rpartition("/")[2] for name, _, _ in json.loads(before)] == sorted(
        ascii(os.fsdecode(name))[1:] for name in ODD
    )
    (tmp_path / "x{y}.png").write_text("22")
    assert own.other_files(JOB) != before
    config["datasets"]["mine"]["layout"] = "clevr"
    assert own.files(JOB) == [], "an official layout has no user tables"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    photos = {"layout": "folder", "path": "~/photos", "images": "~", "task": "a", "prompt": "b"}
    clevr = {"layout": "clevr", "source": "local", "path": "~/clevr"}
    weights = {"clip_vit_l14_336": "~/clip"}
    config = {"models": ["tiny_clip"], "checkpoints": weights}
    found = check({**config, "datasets": {"mine": photos, "clevr": clevr}}, [])
    assert found["datasets"]["mine"]["path"] == str(tmp_path / "photos")
    assert found["datasets"]["mine"]["images"] == str(tmp_path)
    assert found["datasets"]["clevr"]["path"] == str(tmp_path / "clevr")
    assert found["checkpoints"] == {"clip_vit_l14_336": str(tmp_path / "clip")}


def test_yes_and_no_without_quotes_are_pointed_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"choices.0 is True, expected text; YAML reads yes, no"):
        config_of(tmp_path, rows(2), choices=[True, False])


@pytest.mark.parametrize(
    ("section", "key", "values"),
    [
        ("extraction", "addresses", ["vision.*", "connector", "lm.*"]),
        ("extraction", "spans", ["cls", "image_mean", "last"]),
        ("datasets", "splits", ["val", "train"]),
        ("behavior", "conditions", ["sighted", "swapped", "blank"]),
    ],
)
def test_reordering_unordered_lists_reruns_nothing(
    tmp_path: Path, section: str, key: str, values: list[str]
) -> None:
    found = []
    for order in (values, values[::-1], sorted(values)):
        lines = [*rows(20, part="val"), *rows(20, part="train")]
        changes = {"splits": order} if key == "splits" else {}
        config = config_of(tmp_path, lines, columns={"split": "part"}, **changes)
        if section != "datasets":
            config[section][key] = order
        plan = WorkflowPlan(config, read_specs())
        params = [plan.extraction.settings(JOB), plan.acquire_settings(JOB)]
        params += [plan.prepare_settings(JOB), plan.behavior.response_settings(JOB)]
        found.append((params, plan.behavior.responses(JOB), plan.behavior.conditions("vlm")))
    assert found[0] == found[1] == found[2]
