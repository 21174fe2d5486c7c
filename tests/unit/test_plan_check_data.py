"""The check before a run reports the same faults in users' data as the run, without a model."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mmvp_fixture import draw, write_rows
from own_fixture import HEADER, TABLE, prepare, take

from eyechart.core.errors import UserError
from eyechart.plan import check_data
from eyechart.plan.config.check import check
from eyechart.plan.configuration import read_specs
from eyechart.plan.workflow import WorkflowPlan
from eyechart.probing.examples import read_examples

ROOT = Path(__file__).resolve().parents[2]
LABELS = {"labels": {"sky": "sky"}}


@pytest.fixture
def plan(tmp_path, monkeypatch) -> WorkflowPlan:
    monkeypatch.setattr("eyechart.plan.configuration.MODELS", ROOT / "config/models")
    monkeypatch.chdir(tmp_path)
    rows = []
    for n in range(60):
        draw(Path(f"mine/p{n}.png"), n // 2)  # images 2k and 2k + 1 have the same bytes
        sky = ("foggy", "sunny")[n // 2 % 2] if n > 3 else "hail"
        rows.append([f"p{n}.png", "Is it?", "yes|no", ("yes", "no")[n // 2 % 2], "Dark?", sky])
    rows += [["p0.png|p2.png", "Which?", "first|second", "first", "two", ""]] * 3
    rows += [["p4.png", "What?", "", "a boat", "open", "foggy"]]
    write_rows(TABLE, [*HEADER, "sky"], rows)
    mine = {"layout": "table", "source": "local", "path": str(TABLE), "columns": LABELS}
    config = check({"models": ["tiny_llava", "tiny_clip"], "datasets": {"mine": mine}}, [])
    return WorkflowPlan(config, read_specs())


def test_the_check_reports_the_same_as_the_run(plan: WorkflowPlan) -> None:
    section: dict[str, Any] = plan.config["datasets"]["mine"]
    checked, shown = check_data.rows_of("mine", section, 7)
    told = {line[1]: line[2:] for line in check_data.task_rows(plan, "mine", checked, shown)}
    take(TABLE, columns=LABELS)
    items, images = prepare(test_share=section["test_share"])
    columns = ["item_id", "group", "group_split", "type", "answer"]
    as_checked = pl.DataFrame(checked).select(columns).sort("item_id")
    assert as_checked.rows() == items.select(columns).sort("item_id").rows()
    assert {row["image_id"] for row in shown} == set(images["image_id"])
    for task, scope in (("dark", "item"), ("sky", "image")):
        tables = Path("out/items.parquet"), Path("out/images.parquet")
        found = read_examples(*tables, scope, task, split="group", folds=3)
        sizes = [60, len(found.classes), int(found.train.sum()), int((~found.train).sum())]
        assert told[task][:4] == list(map(str, sizes))
        assert told[task][5] == (
            found.refusal or ", ".join(f"{k} ({n})" for k, n in found.left_out.items())
        )
    assert told["dark"][4] == "tiny_llava"
    assert told["sky"][4:] == ["tiny_llava, tiny_clip", "hail (4)"]
    assert told["two"][4:] == ["none", plan.own.unprobed["mine"]["two"]]
    assert told["open"][4] == "none"
    assert "3 of its 64 items have several images" in check_data.answers(
        plan, {"mine": (checked, shown)}
    )


def test_a_mistake_in_the_files_is_found(plan: WorkflowPlan) -> None:
    Path("mine/p7.png").unlink()
    with pytest.raises(UserError, match=r"line 9: image 'p7.png' is missing in mine"):
        check_data.rows_of("mine", plan.config["datasets"]["mine"], 7)


def test_the_check_imports_no_model_and_no_torch() -> None:
    code = (
        "import sys, eyechart.plan.check_data; print(*{'torch', 'transformers'} & {*sys.modules})"
    )
    environment = {"PYTHONPATH": str(ROOT / "workflow"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
