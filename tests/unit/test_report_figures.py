"""Figures as files: what is drawn is what the CSV says, and the same bytes each time."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
from report_fixture import SETTINGS, write_models, write_probes

from eyechart.errors import UserError
from eyechart.report import draw_figures, draw_training
from eyechart.tables.files import read_json, sha256

NAMES = ["layer_curves", "selectivity", "confusion", "rooms"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("figures")
    write_probes(root, 40, 2, ["tiny_clip"])
    run(arguments(root, root / "figures"))
    return root


def run(words: list[str]) -> None:
    """Draw in a process of its own, as the rule does: Vega numbers gradients per process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    step = [sys.executable, "-m", "eyechart.report.draw_figures"]
    subprocess.run([*step, *words], check=True, env=environment)


def arguments(root: Path, output: Path, model: str = "tiny_clip") -> list[str]:
    predictions = sorted((root / "results/probes/tiny_clip/clevr").glob("*.predictions.parquet"))
    probes = [str(p).replace(".predictions", "") for p in predictions]
    settings = f'{{"alpha": {SETTINGS["alpha"]}, "png_scale": 1}}'
    words = ["--model", model, "--dataset", "clevr", "--settings", settings, "--probes", *probes]
    return [*words, "--predictions", *map(str, predictions), "--output", f"{output}/figures.json"]


def marks(svg: Path, word: str) -> list[dict[str, str]]:
    """Give the described marks of an SVG whose description has a certain word."""
    texts = [e.get("aria-label") or "" for e in ElementTree.parse(svg).iter()]
    described = [t for t in texts if f"; {word}: " in t]
    return [dict(re.findall(r"(?:^|; )([^:;]+): ([^;]*)", text)) for text in described]


def test_every_figure_is_written_in_three_forms_and_listed(root):
    manifest = read_json(root / "figures/figures.json")
    listed = {f["path"]: f["sha256"] for f in manifest["files"]}
    assert list(listed) == [f"{n}.{end}" for n in NAMES for end in ("svg", "png", "csv")]
    assert all(sha256(root / "figures" / path) == digest for path, digest in listed.items())
    assert (root / "figures/rooms.png").read_bytes()[1:4] == b"PNG"


@pytest.mark.parametrize(
    ("figure", "value", "key"),
    [
        ("rooms", "accuracy", ["task", "room"]),
        ("selectivity", "selectivity", ["task", "address", "span", "probe"]),
    ],
)
def test_the_csv_equals_what_is_drawn(root, figure, value, key):
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


def test_drawing_again_gives_the_same_bytes(root, tmp_path):
    run(arguments(root, tmp_path))
    for path in (root / "figures").iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_probes_of_another_model_are_refused(root, tmp_path):
    with pytest.raises(UserError, match="is of tiny_clip on clevr, expected tiny_llava on clevr"):
        draw_figures.main(arguments(root, tmp_path, "tiny_llava"))
    assert not (tmp_path / "figures.json").exists()


def test_probes_without_their_predictions_are_refused(root, tmp_path):
    words = arguments(root, tmp_path)
    del words[words.index("--predictions") + 1]
    with pytest.raises(UserError, match=r"its predictions .*has_large.* were not given"):
        draw_figures.main(words)


def test_training_curves_draw_each_stage(tmp_path):
    write_models(tmp_path)
    curves = sorted(map(str, tmp_path.glob("results/training/*/curve.parquet")))
    words = ["--curves", *curves, "--settings", '{"curve_points": 50, "png_scale": 1}']
    draw_training.main([*words, "--output", str(tmp_path / "out/figures.json")])
    listed = [f["path"] for f in read_json(tmp_path / "out/figures.json")["files"]]
    assert listed == ["training_curves.svg", "training_curves.png", "training_curves.csv"]
    svg = (tmp_path / "out/training_curves.svg").read_text()
    for title in ("contrastive: loss", "contrastive: recall at 1", "instruction: accuracy"):
        assert title in svg
