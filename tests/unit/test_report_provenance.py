"""Benchmarks are summed per rule, pictures are drawn by seed, curves keep their ends."""

import json
import subprocess
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from report_fixture import SETTINGS, write_benchmarks, write_dataset

from eyechart.core.errors import UserError
from eyechart.core.version import VERSION
from eyechart.report.files import Inputs
from eyechart.report.images import embed
from eyechart.report.sections.datasets.load import gallery
from eyechart.report.sections.provenance import load, page
from eyechart.report.sections.provenance.load import benchmarks
from eyechart.report.sections.training.load import read_curves
from eyechart.report.templates import render_section
from eyechart.tables.parquet import read_table, write_table


def test_time_and_memory_are_summed_per_rule(tmp_path: Path):
    write_benchmarks(tmp_path)
    found = {row["rule"]: row for row in benchmarks(tmp_path / "benchmarks")}
    assert found["draw_scenes"]["jobs"] == 3
    assert found["draw_scenes"]["seconds"] == pytest.approx(3.5 + 4.5 + 5.5)
    assert found["draw_scenes"]["longest"] == 5.5
    assert found["draw_scenes"]["peak"] == 240.5  # the third job was too short to be sampled: NA


def test_the_workflow_is_named_by_version_and_commit(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(load, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert load.workflow() == {"eyechart": VERSION, "commit": "unknown"}

    def git(*words: str) -> str:
        own = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(
            ["git", "-C", tmp_path, *own, *words], capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "One")
    commit = git("rev-parse", "HEAD")
    assert load.workflow()["commit"] == commit and len(commit) == 40
    (tmp_path / "file").write_text("two")
    assert load.workflow()["commit"] == f"{commit} with changes"


def test_the_page_shows_the_configuration_and_links_its_files_and_sources(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path, 2)
    write_benchmarks(tmp_path)
    receipt = "data/raw/clevr/acquired.json"
    settings = {"configuration": {"models": ["tiny_clip"], "run": "a b"}, "seed": 7}
    settings |= {"benchmarks": "benchmarks", "folder": "results/report"}
    inputs = Inputs([Path(receipt), Path("results/datasets/clevr/items.parquet")])
    shown = page.context(inputs, settings)
    assert shown["configuration"] == "models:\n- tiny_clip\nrun: a b\n"
    assert [one["link"] for one in shown["inputs"]] == [
        "../../data/raw/clevr/acquired.json", "../datasets/clevr/items.parquet"
    ]  # fmt: skip
    shown["receipts"] = [shown["receipts"][0] | {"source": "see https://example.org/a.zip"}]
    text = render_section("provenance", settings=settings, **shown)
    assert '<a href="https://example.org/a.zip" rel="noopener">' in text
    assert '<a href="../datasets/clevr/items.parquet">' in text
    assert "run: a b" in text and VERSION in text


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
