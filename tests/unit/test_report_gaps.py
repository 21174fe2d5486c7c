"""Tasks that are not probed are on the page with a reason, and affect nothing else."""

import json
import re
from html import unescape
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from report_fixture import SETTINGS as SHARED
from report_fixture import write_results

from eyechart.report import build_report
from eyechart.report.draw import main as draw
from eyechart.report.files import Inputs
from eyechart.report.sections.probing.charts import NAMES
from eyechart.report.sections.probing.load import read_gaps, read_results
from eyechart.tables.parquet import write_table
from eyechart.tables.probes import PREDICTIONS, PROBES

SETTINGS = SHARED | {"benchmarks": "benchmarks", "folder": "results/report"}
SETTINGS |= {"configuration": {}}
REASON = "only one class is in at least 3 training groups (probing.folds), expected two"
COUNTS = "hail (1), <b>snow</b> (2)"


def refuse(path: Path, dataset: str = "clevr") -> None:
    """Replace a table of probes with the table of a task that is not probed."""
    model, task = path.parts[-3], path.stem
    row = {"model": model, "dataset": dataset, "task": task, "scope": "image", "kind": "majority"}
    row |= {"address": "", "span": "", "probe": "", "reason": REASON, "left_out": COUNTS}
    write_table(path, pa.Table.from_pylist([row], PROBES))
    write_table(path.with_suffix(".predictions.parquet"), PREDICTIONS.empty_table())


def count(path: Path) -> None:
    """Add left-out classes to a table of probes."""
    rows = pq.read_table(path).to_pylist()
    rows[0]["left_out"] = COUNTS
    write_table(path, pa.Table.from_pylist(rows, PROBES))


@pytest.fixture
def tables(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    found = write_results(Path(), 40, 1, 12)
    return [path for paths in found.values() for path in paths]


def text_of(page: str) -> str:
    plain = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", plain).split())


def test_unprobed_tasks_have_a_row_and_the_others_are_shown(tables):
    refuse(Path("results/probing/tiny_clip/clevr/has_red.parquet"))
    count(Path("results/probing/tiny_llava/clevr/objects.parquet"))
    inputs = Inputs(map(Path, tables))
    gaps = [(g["model"], g["task"], g["reason"], g["left_out"]) for g in read_gaps(inputs)]
    assert gaps == [
        ("tiny_clip", "has_red", REASON, COUNTS),
        ("tiny_llava", "objects", None, COUNTS),
    ]
    shown = {(r.model, r.task) for r in read_results(inputs)}
    assert ("tiny_clip", "has_red") not in shown
    assert {("tiny_llava", "has_red"), ("tiny_llava", "objects")} <= shown
    planned = {"clevr": {"boats": "6 rows, expected at least 20"}}
    text = text_of(build_report.build([Path(p) for p in tables], SETTINGS | {"unprobed": planned}))
    assert "clevr boats all The task is not probed: 6 rows, expected at least 20." in text
    row = unescape(text)
    assert f"clevr has_red tiny_clip The task is not probed: {REASON}. Classes in too few" in row
    assert f"(number of examples): {COUNTS}." in row, "labels are data, not markup"


def test_figures_state_that_nothing_was_probed(tables):
    for path in Path("results/probing/tiny_clip/clevr").glob("*.parquet"):
        if "predictions" not in path.name:
            refuse(path)
    own = [p for p in tables if "/tiny_clip/" in p and ("probing" in p or "card" in p)]
    output = Path("figures/figures.json")
    settings = json.dumps({"alpha": 0.01, "png_scale": 1})
    draw(
        ["--section", "probing", "--tables", *own, "--settings", settings, "--output", str(output)]
    )
    for name in NAMES:
        assert "No task is probed" in (output.parent / f"{name}.svg").read_text()
    page = text_of(build_report.build([Path(p) for p in tables], SETTINGS))
    assert page.count("The task is not probed") == 6
    assert "tiny_llava on clevr" in page
