"""Benchmarks are summed per rule, images are drawn by seed, and curves keep their ends."""

import base64
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from browser import CONTRAST, WIDE, opened
from PIL import Image
from report_fixture import SETTINGS, write_benchmarks, write_dataset
from sklearn.datasets import load_sample_image

from eyechart.core.errors import UserError
from eyechart.core.version import VERSION
from eyechart.report.files import Inputs
from eyechart.report.images import embed
from eyechart.report.sections.datasets import page as datasets_page
from eyechart.report.sections.datasets.page import gallery
from eyechart.report.sections.provenance import page
from eyechart.report.sections.provenance.page import benchmarks
from eyechart.report.sections.training.load import read_curves
from eyechart.report.templates import open_templates, render_section
from eyechart.tables.parquet import read_table, write_table


def test_time_and_memory_are_summed_per_rule(tmp_path: Path):
    write_benchmarks(tmp_path)
    found = {row["rule"]: row for row in benchmarks(tmp_path / "benchmarks")}
    assert found["draw_scenes"]["jobs"] == 3
    assert found["draw_scenes"]["seconds"] == pytest.approx(3.5 + 4.5 + 5.5)
    assert found["draw_scenes"]["longest"] == 5.5
    assert found["draw_scenes"]["peak"] == 240.5  # the third job was too short to be measured: NA


def test_the_page_gives_the_workflows_version_and_commit(tmp_path: Path, monkeypatch):
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
    monkeypatch.setattr(page, "ROOT", tmp_path)
    assert page.workflow() == {"eyechart": VERSION, "commit": commit} and len(commit) == 40
    (tmp_path / "file").write_text("two")
    assert page.workflow()["commit"] == f"{commit} with changes"
    (tmp_path / "unpacked").mkdir()  # not a checkout, but inside one
    monkeypatch.setattr(page, "ROOT", tmp_path / "unpacked")
    assert page.workflow() == {"eyechart": VERSION, "commit": "unknown"}


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
def test_a_file_that_is_not_a_benchmark_is_reported(tmp_path: Path, text: str):
    (tmp_path / "odd.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"odd\.jsonl: not Snakemake benchmark lines"):
        benchmarks(tmp_path)


def test_the_gallery_depends_on_the_seed_and_not_on_row_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path, 20)
    base = Path("results/datasets/clevr")
    items, images = (pl.DataFrame(read_table(base / f"{n}.parquet")) for n in ("items", "images"))
    first = gallery("clevr", items, images, (), SETTINGS)
    assert len(first) == SETTINGS["gallery"]
    assert gallery("clevr", items.reverse(), images.reverse(), (), SETTINGS) == first
    other = gallery("clevr", items, images, (), {**SETTINGS, "seed": 1})
    assert [p["image_id"] for p in other] != [p["image_id"] for p in first]


def test_a_missing_or_truncated_image_is_reported(tmp_path: Path):
    with pytest.raises(UserError, match=r"gone\.png: no such image"):
        embed(tmp_path / "gone.png", 100)
    write_dataset(tmp_path, 1)
    path = next(tmp_path.rglob("*.png"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="not a complete image"):
        embed(path, 100)


def test_a_drawing_is_embedded_losslessly_and_a_photograph_compressed(tmp_path: Path):
    drawn = Image.new("RGB", (80, 60), "gold")
    drawn.putpixel((3, 4), (1, 2, 3))
    photograph = Image.fromarray(load_sample_image("china.jpg"))
    addresses = {}
    for name, image in (("drawn", drawn), ("photograph", photograph)):
        image.save(tmp_path / f"{name}.png")
        addresses[name], *size = embed(tmp_path / f"{name}.png", 160)
        assert size == ([80, 60] if name == "drawn" else [160, 107])
    kind, content = addresses["drawn"].split(",")
    assert kind == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).tobytes() == drawn.tobytes()
    kind, content = addresses["photograph"].split(",")
    assert kind == "data:image/jpeg;base64"
    shown = Image.open(io.BytesIO(base64.b64decode(content)))
    small = photograph.resize(shown.size, reducing_gap=2.0)
    assert np.abs(np.asarray(shown, int) - np.asarray(small, int)).mean() < 6
    assert 200 * len(content) < 3e6  # 100 mined pairs on one sheet of at most 10 MB


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


def image_row(folder: Path, name: str, **more: Any) -> dict[str, Any]:
    """Write an upright image; return its row, with the labels of 80 categories."""
    Image.new("RGB", (60, 80), "gold").save(folder / "upright.png")
    labels = {f"label/has_category_{n}": "yes" if n == 3 else "no" for n in range(80)}
    row = {"image_id": name, "path": str(folder / "upright.png"), "split": "val", **labels}
    return row | {"label/object_count": "0", "label/sky": None, "group_split": "test"} | more


def test_the_gallery_shows_present_or_probed_labels_and_each_question_once(tmp_path):
    row = image_row(tmp_path, "a")
    asked = [
        ("caption", "Describe it.", "A dog."),
        ("caption", "Describe it.", "A cat."),
        ("caption", "Describe it.", "A dog."),
        ("counting", "How many dogs?", "1"),
        ("counting", "How many cats?", "2"),
        ("open", "Why?", None),
    ]
    items = pl.DataFrame(
        [
            {"item_id": str(n), "images": ["a", "a"], "task": t, "prompt": p, "answer": a}
            for n, (t, p, a) in enumerate(asked)
        ]
    )
    found = {"has_category_7", "sky"}
    (entry,) = gallery("mine", items, pl.DataFrame([row]), found, {**SETTINGS, "gallery": 1})
    assert entry["labels"] == {"has_category_3": "yes", "has_category_7": "no", "object_count": "0"}
    assert entry["split"] == ""  # all are held out, since there is one official split
    both = pl.DataFrame([row, {**row, "image_id": "b", "group_split": "train", "split": "train"}])
    two = gallery("mine", items, both, found, {**SETTINGS, "gallery": 2})
    assert [one["split"] for one in two] == ["val; held out", "train; trains probes"]
    assert [(q["task"], q["prompt"], q["answers"]) for q in entry["questions"]] == [
        ("caption", "Describe it.", ["A dog.", "A cat."]),
        ("counting", "How many dogs?", ["1"]),
        ("open", "Why?", []),
        ("counting", "How many cats?", ["2"]),
    ]


@pytest.mark.browser
def test_many_categories_and_long_names_are_readable_on_a_phone_and_in_the_dark(tmp_path):
    long = "photograph_of_a_very_long_name_" * 4
    images = pl.DataFrame([image_row(tmp_path, long + str(n)) for n in range(3)])
    items = pl.DataFrame(
        {"item_id": ["p", "q"], "images": [[long + "0"]] * 2, "task": [long] * 2,
         "prompt": [long * 2, "Is there a bottle in the image?"], "answer": [long, "yes"]}
    )  # fmt: skip
    tasks = {("image", f"has_category_{n}") for n in range(80)} | {("item", long)}
    found = datasets_page.describe(long, items, images, tasks, SETTINGS)
    markup = render_section("datasets", datasets=[found], settings=SETTINGS)
    shown = tmp_path / "page.html"
    style = open_templates().globals["style"]
    shown.write_text(f"<!doctype html><style>{style}</style><main>{markup}</main>", "utf-8")
    with opened(shown, 390, dark=True) as (view, _):
        short = "document.querySelectorAll('.qa dt')[1].getBoundingClientRect().height"
        assert view.evaluate(short) < 30  # with a long answer in another place
        tall = "document.querySelector('.tile').getBoundingClientRect().height"
        assert view.evaluate(tall) < 600  # 80 tasks are folded
        behind = "getComputedStyle(document.querySelector('figure img')).backgroundColor"
        assert view.evaluate(behind) == "rgba(0, 0, 0, 0)"
        assert view.evaluate(WIDE) <= 390
        ratio, *where = view.evaluate(CONTRAST)
        assert ratio >= 4.5, where
