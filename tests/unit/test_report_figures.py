"""Figures as files agree with their CSV and have the same bytes each time."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from behavior_fixture import write_behaviour
from report_fixture import SETTINGS, write_models, write_probes

from eyechart.core.errors import UserError
from eyechart.core.files import read_json, sha256
from eyechart.report import draw
from eyechart.tables.parquet import read_table, write_table

NAMES = ["layer_curves", "selectivity", "confusion", "components"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("figures")
    write_probes(root, 40, 2, ["tiny_clip"])
    run(arguments(root, root / "figures"))
    return root


def run(words: list[str]) -> None:
    """Draw in a separate process, like the rule, since Vega numbers gradients per process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    step = [sys.executable, "-m", "eyechart.report.draw"]
    subprocess.run([*step, *words], check=True, env=environment)


def arguments(root: Path, output: Path) -> list[str]:
    predictions = sorted((root / "results/probing/tiny_clip/clevr").glob("*.predictions.parquet"))
    probes = [str(p).replace(".predictions", "") for p in predictions]
    settings = f'{{"alpha": {SETTINGS["alpha"]}, "png_scale": 1}}'
    words = ["--section", "probing", "--settings", settings, "--tables", *probes]
    return [*words, *map(str, predictions), "--output", f"{output}/figures.json"]


def marks(svg: Path, word: str) -> list[dict[str, str]]:
    """Return the marks of an SVG whose description contains a word."""
    texts = [e.get("aria-label") or "" for e in ElementTree.parse(svg).iter()]
    described = [t for t in texts if f"; {word}: " in t]
    return [dict(re.findall(r"(?:^|; )([^:;]+): ([^;]*)", text)) for text in described]


def test_every_figure_is_written_in_three_forms_and_listed(root):
    manifest = read_json(root / "figures/figures.json")
    listed = {f["path"]: f["sha256"] for f in manifest["files"]}
    assert list(listed) == [f"{n}.{end}" for n in NAMES for end in ("svg", "png", "csv")]
    assert all(sha256(root / "figures" / path) == digest for path, digest in listed.items())
    assert (root / "figures/components.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize(
    ("figure", "value", "key"),
    [
        ("components", "accuracy", ["task", "component"]),
        ("selectivity", "selectivity", ["task", "address", "span", "probe"]),
    ],
)
def test_the_csv_matches_the_figure(root, figure, value, key):
    rows = pl.read_csv(root / f"figures/{figure}.csv")
    drawn = marks(root / f"figures/{figure}.svg", "q")
    shown = {tuple(m[k] for k in key): float(m[value].replace("−", "-")) for m in drawn}
    said = {tuple(r[k] for k in key): r[value] for r in rows.to_dicts()}
    assert len(drawn) == len(rows)
    assert shown == pytest.approx(said, abs=0.0006)  # descriptions have three decimals


def test_layer_curves_mark_every_point_of_their_csv(root):
    rows = pl.read_csv(root / "figures/layer_curves.csv")
    svg = ElementTree.parse(root / "figures/layer_curves.svg")
    symbols = [e for e in svg.iter() if e.get("aria-roledescription") == "point"]
    assert len(symbols) == len(rows)


@pytest.mark.slow
def test_drawing_again_gives_the_same_bytes(root, tmp_path):
    run(arguments(root, tmp_path))
    for path in (root / "figures").iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_probes_of_another_model_are_refused(root, tmp_path):
    other = tmp_path / "results/probing/tiny_llava/clevr"
    shutil.copytree(root / "results/probing/tiny_clip/clevr", other)
    words = [w.replace(f"{root}/results/probing/tiny_clip/clevr", str(other))
             for w in arguments(root, tmp_path)]  # fmt: skip
    with pytest.raises(UserError, match="a row is about tiny_clip on clevr, unlike its path"):
        draw.main(words)
    assert not (tmp_path / "figures.json").exists()


def test_probes_without_their_predictions_are_refused(root, tmp_path):
    words = arguments(root, tmp_path)
    del words[next(i for i, word in enumerate(words) if "predictions" in word)]
    with pytest.raises(UserError, match=r"its predictions .*has_large.* were not given"):
        draw.main(words)


def test_training_curves_draw_each_stage(tmp_path):
    write_models(tmp_path)
    curves = sorted(map(str, tmp_path.glob("results/training/*/curve.parquet")))
    words = [
        "--section",
        "training",
        "--tables",
        *curves,
        "--settings",
        '{"curve_points": 50, "png_scale": 1}',
    ]
    draw.main([*words, "--output", str(tmp_path / "out/figures.json")])
    listed = [f["path"] for f in read_json(tmp_path / "out/figures.json")["files"]]
    assert listed == ["training_curves.svg", "training_curves.png", "training_curves.csv"]
    svg = (tmp_path / "out/training_curves.svg").read_text()
    for title in ("contrastive: loss", "contrastive: recall at 1", "instruction: accuracy"):
        assert title in svg


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("said")
    write_behaviour(root)
    draw.main(behaviour_arguments(root, root / "figures"))
    return root


def behaviour_arguments(root: Path, output: Path) -> list[str]:
    stem = f"{root}/results/behavior/scores/tiny_llava/mmvp"
    words = ["--section", "behavior", "--tables", f"{stem}.parquet"]
    words += [f"{stem}.distributions.parquet"]
    return [*words, "--settings", '{"png_scale": 1}', "--output", f"{output}/figures.json"]


def test_figures_of_answers_draw_every_row_of_their_csv(said):
    manifest = read_json(said / "figures/figures.json")
    listed = [f["path"] for f in manifest["files"]]
    assert listed == [
        f"{n}.{end}" for n in ("accuracy", "responses") for end in ("svg", "png", "csv")
    ]
    rows = pl.read_csv(said / "figures/accuracy.csv")
    assert set(rows["metric"]) == {"accuracy", "pair_accuracy"}
    drawn = marks(said / "figures/accuracy.svg", "sighted minus this")
    assert len(drawn) == len(rows) == 2 * 10 * 5
    shown = sorted(float(m["accuracy"]) for m in drawn)
    assert shown == pytest.approx(sorted(rows["accuracy"]), abs=0.0006)
    bars = marks(said / "figures/responses.svg", "share")
    said_shares = pl.read_csv(said / "figures/responses.csv")["share"].sort()
    assert sorted(float(m["share"]) for m in bars) == pytest.approx(list(said_shares), abs=0.0006)


@pytest.mark.slow
def test_figures_of_answers_have_the_same_bytes_each_time(said, tmp_path):
    draw.main(behaviour_arguments(said, tmp_path))
    for path in (said / "figures").glob("*.csv"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_a_dataset_of_open_questions_alone_has_figures_too(said, tmp_path):
    for end in ("", ".distributions"):
        path = said / f"results/behavior/scores/tiny_llava/coco{end}.parquet"
        rows = pl.DataFrame(read_table(path)).filter(pl.col("task") == "caption")
        write_table(
            tmp_path / f"results/behavior/scores/tiny_llava/mmvp{end}.parquet",
            rows.with_columns(dataset=pl.lit("mmvp")).to_arrow(),
        )
    words = behaviour_arguments(tmp_path, tmp_path / "out")
    draw.main(words)
    assert "no item with options was answered" in (tmp_path / "out/responses.svg").read_text()
    assert "BLEU-4" in (tmp_path / "out/accuracy.svg").read_text()
