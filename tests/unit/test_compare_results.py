"""Comparing two results folders finds a single changed value and maps renamed names."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from behavior_fixture import write_behaviour
from compare_results import DIFFERENCE, FOLDERS, STAGE, Names, compare_folders, long_form, main
from exam_fixture import MODELS, skills_of, write_verdicts
from old_verdict_format import wide_row, write_wide
from readout_tables_fixture import write_readouts
from report_fixture import write_probes

from eyechart.verdict.rules import VerdictThresholds
from eyechart.verdict.table import apply_rules

BAR = VerdictThresholds(alpha=0.01, margin=0.1)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("old")
    write_behaviour(root, pictures=6)
    write_probes(root, 10, 1, ["tiny_clip"])
    write_readouts(root, "tiny_llava", ["vision.0", "lm.norm"], answers=False)
    write_verdicts(root, 20)
    for old, name in FOLDERS.items():  # the former names
        if (root / "results" / name).exists():
            (root / "results" / name).rename(root / "results" / old)
    return root / "results"


@pytest.fixture
def moved(results, tmp_path) -> Path:
    """Return a copy with the folders' new names."""
    new = tmp_path / "new"
    shutil.copytree(results, new)
    for old, name in FOLDERS.items():
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        if (new / old).exists():
            (new / old).rename(new / name)
    return new


def change(path: Path, *columns: pl.Expr) -> None:
    pl.read_parquet(path).with_columns(*columns).write_parquet(path)


def test_folders_with_new_names_and_equal_values_are_equal(results, moved, capsys):
    assert main([str(results), str(moved)]) == 0
    said = capsys.readouterr().out
    assert "probes/tiny_clip/clevr/has_red.predictions.parquet: " in said
    assert "verdict/tiny_llava.differences.parquet" in said and " 0 differ" in said
    assert len(list(results.rglob("*.parquet"))) == said.count(" rows, largest difference 0\n") + 4
    assert main([str(moved), str(moved)]) == 0


ROW = pl.int_range(pl.len()) == 3
ONE = [
    ("probing/tiny_clip/clevr/has_red.parquet", pl.col("accuracy") + pl.when(ROW).then(2e-6)
     .otherwise(0), "accuracy in 1 rows"),
    ("behavior/scores/tiny_llava/coco.parquet", pl.when(~ROW).then("ci_low"), "ci_low in 1 rows"),
    ("behavior/responses/tiny_llava/coco/sighted.parquet",
     pl.when(ROW).then(pl.lit("x")).otherwise("predicted").alias("predicted"), "'x'"),
    ("behavior/responses/tiny_llava/coco/sighted.parquet",
     pl.col("log_probability").list.eval(pl.element() + 1), "log_probability in "),
    ("behavior/patterns/correlations.parquet", pl.col("r") + 0.1, "r in "),
    ("verdict/tiny_llava.differences.parquet", pl.when(ROW).then(0).otherwise("q").alias("q"),
     "q in 1 rows"),
    ("readout/tiny_llava/six.parquet", pl.col("n") + 1, "n in "),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "said"), ONE, ids=[one[2] for one in ONE])
def test_one_changed_value_is_found(results, moved, capsys, path, value, said):
    change(moved / path, value)
    assert main([str(results), str(moved)]) == 1
    wrong = [line for line in capsys.readouterr().out.splitlines() if "DIFFERS" in line]
    assert len(wrong) == 1 and said in wrong[0]


def test_a_difference_within_the_tolerance_is_reported_and_passes(results, moved, capsys):
    change(moved / "probing/tiny_clip/clevr/has_red.parquet", pl.col("accuracy") + 5e-7)
    assert main([str(results), str(moved)]) == 0
    assert "largest difference 5e-07" in capsys.readouterr().out
    assert main([str(results), str(moved), "--tolerance", "1e-9"]) == 1


def test_missing_and_additional_rows_columns_and_tables_are_found(results, moved):
    path = moved / "probing/tiny_clip/clevr/has_red.parquet"
    table = pl.read_parquet(path)
    table[1:].drop("q").write_parquet(path)
    (moved / "behavior/scores/tiny_llava/coco.parquet").unlink()
    table.write_parquet(moved / "probing/tiny_clip/clevr/new.parquet")
    found = compare_folders(results, moved, Names(), 1e-6)
    lost, rows = found["probes/tiny_clip/clevr/has_red.parquet"].wrong
    assert lost == "has no column q" and "1 rows are not in the new table" in rows
    assert "is missing" in found["scores/tiny_llava/coco.parquet"].wrong[0]
    assert found["probing/tiny_clip/clevr/new.parquet"].wrong == ["is in the new folder only"]


def test_renamed_columns_and_entries_are_mapped(results, moved, tmp_path):
    for path in (moved / "behavior/responses").rglob("*.parquet"):
        table = pl.read_parquet(path).rename({"predicted": "response", "text": "words"})
        table.with_columns(pl.col("condition").replace({"blank": "white"})).write_parquet(path)
    assert main([str(results), str(moved)]) == 1
    names = {"columns": {"answers:predicted": "response"}, "ignored": ["text"]}
    names["values"] = {"answers:condition": {"blank": "white"}}
    names["values"] |= {f"{part}:condition": {"blank": "white"} for part in ("scores", "retrieval")}
    (moved / "behavior/patterns/patterns.parquet").rename(moved / "behavior/patterns/all.parquet")
    names["files"] = {"patterns.parquet": "all.parquet"}
    for path in (moved / "behavior/scores").rglob("*.parquet"):
        change(path, pl.col("condition").replace({"blank": "white"}))
    for path in (moved / "behavior/retrieval").rglob("*.parquet"):
        change(path, pl.col("condition").replace({"blank": "white"}))
    (tmp_path / "map.json").write_text(json.dumps(names))
    assert main([str(results), str(moved), "--renamed", str(tmp_path / "map.json")]) == 0


@pytest.mark.parametrize("model", MODELS)
def test_the_long_verdict_holds_every_value_of_the_wide_one(tmp_path, model):
    kind, contains = MODELS[model]
    judged = apply_rules(skills_of(model, 40), kind, BAR)
    rows = [wide_row(skill, found, rule, BAR, kind) for skill, found, rule in judged]
    old, new = tmp_path / "old/results", tmp_path / "new/results"
    head = {"model": model, "kind": kind, "contains": contains}
    write_wide(old / f"verdict/{model}.parquet", rows, head)
    write_verdicts(new.parent, 40)
    for path in (new / "verdict").iterdir():
        if path.name.split(".")[0] != model:
            path.unlink()
    assert main([str(old), str(new)]) == 0
    wide = pl.read_parquet(old / f"verdict/{model}.parquet")
    values, classes, differences = long_form(wide)
    split = (values.select(STAGE), classes, differences.select(DIFFERENCE))
    assert sum(map(filled, split)) == filled(wide), "no value may be lost"
    change(new / f"verdict/{model}.parquet", pl.col("ci_low") + pl.when(ROW).then(1).otherwise(0))
    assert main([str(old), str(new)]) == 1


def filled(table: pl.DataFrame) -> int:
    """Return the number of entries that are not null."""
    return sum(len(table) - table[name].null_count() for name in table.columns)
