"""Speed and memory: counts, the row for a precision that cannot run, and the page."""

import json

import polars as pl
import pytest
import torch
import yaml
from tiny_models import build_llava, spec

from eyechart.models.load import load
from eyechart.models.load_options import LoadOptions
from eyechart.report.sections.speed import sheet
from eyechart.speed import measure
from eyechart.tables.parquet import read_table


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return build_llava(tmp_path_factory.mktemp("llava"))


@pytest.fixture(scope="module")
def table(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("speed")
    described = spec("llava", checkpoint)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(dict(vars(described))))
    settings = {"items": 5, "largest": 4, "precisions": ["float32", "bfloat16", "4 bit"]}
    flags = {"model": "tiny", "spec": folder / "tiny.yaml", "checkpoint": checkpoint, "seed": 7}
    flags |= {"settings": json.dumps(settings), "output": folder / "tiny.parquet"}
    flags |= {"loading": json.dumps({"device": "cpu"})}
    measure.main([str(word) for name, value in flags.items() for word in (f"--{name}", value)])
    return folder / "tiny.parquet"


def test_every_precision_has_its_batch_sizes_and_one_that_is_best(table):
    rows = pl.DataFrame(read_table(table)).to_dicts()
    sizes = [(row["precision"], row["batch_size"]) for row in rows]
    each = [1, 2, 4]
    assert sizes == [(p, n) for p in ("float32", "bfloat16") for n in each] + [("4 bit", None)]
    for precision in ("float32", "bfloat16"):
        own = [row for row in rows if row["precision"] == precision]
        (best,) = [row for row in own if row["best"]]
        assert best["seconds"] == min(row["seconds"] for row in own)
        assert [row["host"] for row in own] == sorted(row["host"] for row in own)
        assert all(row["share"] is None and row["device_memory"] is None for row in own)
        assert all(0 < row["seconds"] < 60 and row["load"] > 0 for row in own)
    assert rows[-1]["why"] == "4 bit weights need a GPU"
    assert len({row["flops"] for row in rows if row["flops"]}) == 1


def test_operations_are_those_of_the_models_matrix_products(checkpoint):
    adapter = load(spec("llava", checkpoint), checkpoint, LoadOptions("cpu"))
    image = next(measure.pictures(1, 7))
    shown, row = measure.item(adapter, image)
    counted = measure.operations(adapter, (shown, row))
    products = 0

    def add(module, inputs, output):
        nonlocal products
        products += 2 * module.in_features * output.numel()

    layers = [m for m in adapter.model.modules() if isinstance(m, torch.nn.Linear)]
    handles = [layer.register_forward_hook(add) for layer in layers]
    measure.run(adapter, [(shown, row)])
    for handle in handles:
        handle.remove()
    assert products < counted < 2 * products  # plus attention and the patch convolution


def test_images_are_seeded_and_of_one_size():
    first, again, other = (list(measure.pictures(2, seed)) for seed in (7, 7, 8))
    assert [image.size for image in first] == [(640, 480)] * 2
    assert [a.tobytes() for a in first] == [b.tobytes() for b in again]
    assert first[0].tobytes() not in {image.tobytes() for image in [first[1], *other]}


@pytest.mark.parametrize(
    ("device", "precision", "peak"),
    [
        ("NVIDIA A40", "bfloat16", 149.7e12),
        ("NVIDIA H200", "float32", 67e12),
        ("NVIDIA A100-SXM4-80GB", "bfloat16", 312e12),
        ("NVIDIA H100 PCIe", "bfloat16", None),  # slower than the others with its name
        ("NVIDIA A4000", "bfloat16", None),
        ("cpu", "float32", None),
    ],
)
def test_the_peak_of_a_device_is_known_or_null(device, precision, peak):
    assert measure.peak_of(device, precision) == peak


def test_the_page_shows_batch_1_and_the_best_and_states_what_is_missing(table):
    rows = pl.DataFrame(read_table(table)).to_dicts()
    page = sheet.render([table])
    best = next(row for row in rows if row["best"] and row["precision"] == "float32")
    assert f"{1000 * rows[0]['seconds']:.1f}, {1000 * best['seconds']:.1f}" in page
    assert "not measured: 4 bit weights need a GPU" in page
    assert page.count("<th>tiny</th>") == 3
