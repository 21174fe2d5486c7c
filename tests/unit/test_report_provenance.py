"""Benchmarks are summed per rule, pictures are drawn by seed, curves keep their ends."""

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from report_fixture import SETTINGS, write_benchmarks, write_dataset

from eyechart.core.errors import UserError
from eyechart.report.images import embed
from eyechart.report.sections.datasets.load import gallery
from eyechart.report.sections.provenance.load import benchmarks
from eyechart.report.sections.training.load import read_curves
from eyechart.tables.parquet import read_table, write_table


def test_time_and_memory_are_summed_per_rule(tmp_path: Path):
    write_benchmarks(tmp_path)
    found = {row["rule"]: row for row in benchmarks(tmp_path / "benchmarks")}
    assert found["draw_scenes"]["jobs"] == 3
    assert found["draw_scenes"]["seconds"] == pytest.approx(3.5 + 4.5 + 5.5)
    assert found["draw_scenes"]["longest"] == 5.5
    assert found["draw_scenes"]["peak"] == 240.5  # the third job was too short to be sampled: NA


def test_a_rule_whose_jobs_were_never_sampled_has_no_peak(tmp_path: Path):
    (tmp_path / "quick.jsonl").write_text(json.dumps({"s": 0.1, "max_rss": "NA"}) + "\n")
    assert benchmarks(tmp_path) == [
        {"rule": "quick", "jobs": 1, "seconds": 0.1, "longest": 0.1, "peak": None}
    ]


@pytest.mark.parametrize("text", ['{"s": 1', '{"seconds": 1}', "s\tmax_rss"])
def test_a_file_that_is_no_benchmark_is_named(tmp_path: Path, text: str):
    (tmp_path / "odd.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"odd\.jsonl: not Snakemake benchmark lines"):
        benchmarks(tmp_path)


def test_the_gallery_depends_on_the_seed_and_not_on_row_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path, 20)
    base = Path("results/datasets/clevr")
    items, images = (pl.DataFrame(read_table(base / f"{n}.parquet")) for n in ("items", "images"))
    first = gallery("clevr", items, images, SETTINGS)
    assert len(first) == SETTINGS["gallery"]
    assert gallery("clevr", items.reverse(), images.reverse(), SETTINGS) == first
    other = gallery("clevr", items, images, {**SETTINGS, "seed": 1})
    assert [p["image_id"] for p in other] != [p["image_id"] for p in first]


def test_a_missing_or_truncated_picture_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"gone\.png: no such image"):
        embed(tmp_path / "gone.png", 100)
    write_dataset(tmp_path, 1)
    path = next(tmp_path.rglob("*.png"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="not a complete image"):
        embed(path, 100)


def test_thinned_curves_keep_the_first_and_the_last_step(tmp_path: Path):
    rows = [{"stage": "s", "step": i, "metric": "loss", "value": 1 / (i + 1)} for i in range(1000)]
    rows += [{"stage": "s", "step": 999, "metric": "blank/color", "value": 0.25}]
    write_table(tmp_path / "curve.parquet", pa.Table.from_pylist(rows))
    found = read_curves([tmp_path / "curve.parquet"], 50)
    steps = [r["step"] for r in found if r["panel"] == "loss"]
    assert (steps[0], steps[-1]) == (0, 999)
    assert len(steps) <= 51
    assert [(r["line"], r["condition"]) for r in found if r["panel"] == "accuracy"] == [
        ("color", "blank")
    ]
