"""The section on saliency: deletion curves, tests, and images under maps, from finished results."""

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import saliency_fixture as fixture
from PIL import Image

from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.report import draw
from eyechart.report.files import Inputs
from eyechart.report.sections.saliency.load import RANDOM, falls, read_image_use
from eyechart.report.sections.saliency.page import context
from eyechart.report.templates import render_section
from eyechart.tables.parquet import write_table
from eyechart.tables.saliency import SUMMARY

SETTINGS = {"alpha": 0.05, "png_scale": 1, "maps": 2, "gallery_px": 100}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Return the section's inputs for a model that reads one patch of an image."""
    root = tmp_path_factory.mktemp("results") / "results"
    data = root / "datasets/mine"
    folder = root / "saliency/llava/mine"
    for path in (data, folder):
        path.mkdir(parents=True)
    fixture.build_data(data, 12)
    (root / "model").mkdir()
    model = fixture.build_model(root / "model")
    made = fixture.run(folder, model, data, methods=["gradient", "grad_cam"])
    return Inputs([*made, *(data / f"{n}.parquet" for n in ("items", "images", "regions"))])


def test_the_section_has_curves_tests_and_images(inputs):
    page = render_section(
        "saliency", **context(inputs, SETTINGS), settings={"figures": ["saliency"]}
    )
    assert page.count("data:image/svg+xml;base64,") == 1
    assert page.count("data:image/png;base64,") == 2
    said = "better than random orders (q &lt; 0.05): gradient times state, connector; Grad-CAM, "
    assert said + "vision.1" in page
    assert "16.00" in page  # multiples of uniform: one of 16 patches has the complete map
    assert 'id="saliency-mine-llava"' in page and "figures/saliency/mine/llava/" in page


def test_the_curve_is_the_mean_drop_with_that_of_random_orders(inputs):
    (path,) = inputs.paths("deletions")
    rows = pl.DataFrame(falls(path))
    own = rows.filter(series="gradient times state, connector").sort("share")
    beside = rows.filter(pl.col("series") == RANDOM, method="gradient").sort("share")
    table = pl.read_parquet(path).filter(method="gradient")
    mean = [sum(c[0] - c[n] for c in table["deleted"]) / len(table) for n in range(5)]
    assert own["share"].to_list() == [0, 0.25, 0.5, 0.75, 1]
    assert own["value"].to_list() == pytest.approx(mean)
    assert (own["value"] >= beside["value"] - 1e-6).all() and set(own["n"]) == {12}
    assert ((own["low"] <= own["value"]) & (own["value"] <= own["high"])).all()


def test_the_table_on_image_use_lists_missing_parts(inputs, tmp_path):
    (path,) = inputs.paths("saliency")
    table = fixture.measure(
        tmp_path / "results/saliency/llava.parquet", path.with_name("inputs.parquet")
    )
    files = [file.path for file in inputs.files]
    shown = context(Inputs([*files, table]), SETTINGS)
    page = render_section("saliency", **shown, settings={"figures": []})
    assert "Does the model use the image?" in page and "Note: no responses of llava;" in page
    (line,) = (x for x in shown["blocks"][0]["use"]["lines"] if x[0] == "norm of image tokens")
    assert line[5] == "0 (text tokens)" and line[6] == "12" and " to " in line[4]
    assert "16 (singular values)" in page
    bad = tmp_path / "results/saliency/other.parquet"
    bad.write_bytes(table.read_bytes())
    with pytest.raises(UserError, match="it does not belong to other"):
        read_image_use(bad, "other")


def test_figures_are_files_with_the_drawn_numbers(inputs, tmp_path):
    tables = [str(file.path) for file in inputs.files]
    output = tmp_path / "figures.json"
    words = ["--section", "saliency", "--settings", json.dumps(SETTINGS), "--output", str(output)]
    draw.main([*words, "--tables", *tables])
    names = {file["path"] for file in read_json(output)["files"]}
    assert {"deletion.svg", "deletion.png", "deletion.csv", "item-1.png", "item-2.png"} == names
    points = pl.read_csv(tmp_path / "deletion.csv")
    assert len(points) == 2 * 2 * 5
    with Image.open(tmp_path / "item-1.png") as image:
        assert image.width == 3 * 100 + 2 * 10  # the image, and a panel per map


def test_a_value_without_its_control_is_refused(inputs, tmp_path):
    (path,) = inputs.paths("saliency")
    rows = pq.read_table(path).to_pylist()
    rows[0]["control_value"] = None
    bad = tmp_path / Path("results/saliency/llava/mine/summary.parquet")
    write_table(bad, pa.Table.from_pylist(rows, SUMMARY))
    with pytest.raises(UserError, match="no 'control_value'"):
        context(Inputs([bad]), SETTINGS)
