"""Depth heads recover planted depth but not noise, and refuse maps that do not fit."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image
from planted_activations_fixture import (
    NAMES,
    PX,
    SIDE,
    grid,
    item,
    region,
    write_dataset,
    write_source,
)
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_readout_tasks import flags, run

from eyechart.core.errors import UserError
from eyechart.core.files import read_json
from eyechart.readout.depth import train_depth_heads
from eyechart.readout.depth.dpt import as_map, cell_places, grids, write_map
from eyechart.readout.depth.heads import read_heads
from eyechart.readout.depth.linear import ProductSums, choose
from eyechart.readout.depth.targets import DepthImage, mean_depths, read_depths
from eyechart.readout.depth.train_depth_heads import evenly_spaced
from eyechart.readout.tokens import ActivationSource
from eyechart.tables.items import ITEMS, images_schema
from eyechart.tables.parquet import write_table

SETTINGS = {
    "images": 100,
    "linear": {"strengths": [0.001, 0.1], "folds": 3, "tokens": 40},
    "dpt": {
        **{"layers": 2, "width": 12, "finest": 2, "epochs": 15, "lr": 0.02, "batch": 8},
        **{"patience": 25, "held_out": 0.2},
    },
}
DEEP = {"model": "eye", "dataset": "rooms"}


def scene(rng: np.random.Generator) -> np.ndarray:
    """Return the depths of a tilted plane, (PX, PX), from 1 to 9; some are unknown."""
    y, x = np.mgrid[:PX, :PX] / PX
    depth = 5 + rng.uniform(-2, 2) * (2 * x - 1) + rng.uniform(-2, 2) * (2 * y - 1)
    depth[:4, :4] = 0
    return depth.round(3)


def features(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return tokens (t, 6), where one number encodes the depth on an arbitrary scale."""
    mean = mean_depths(np.maximum(depth, 1), grid())
    noise = 0.3 * rng.standard_normal((SIDE * SIDE, 5))
    return np.concatenate([(40 - 3 * mean)[:, None], noise], axis=1).astype(np.float32)


def write_rooms(root: Path, planted: bool = True, pictures: int = 40) -> list[str]:
    """Write images of known depth; return the flags of the step that trains heads."""
    rng = np.random.default_rng(3)
    rows, tokens = [], []
    for i in range(pictures):
        depth = scene(rng)
        path = root / f"depth_{i:03d}.png"
        Image.fromarray((depth * 1000).astype(np.uint16)).save(path)
        row = {"image_id": f"r{i:03d}", "group": f"g{i // 2:03d}", "label/depth_map": str(path)}
        row |= {"split": "train", "group_split": "test" if i % 8 > 5 else "train", "path": "x"}
        rows.append(row | {"sha256": "0", "width": PX, "height": PX, "type": "depth"})
        own = features(depth, rng)
        tokens.append(own if planted else rng.standard_normal(own.shape).astype(np.float32))
    write_table(root / "images.parquet", pa.Table.from_pylist(rows, images_schema(["depth_map"])))
    write_table(root / "items.parquet", ITEMS.empty_table())
    ids = [row["image_id"] for row in rows]
    layers = {f"vision.{k}": tokens for k in range(2)} | {"lm.0": tokens}
    places = {"vision": [grid()] * pictures, "lm": [grid()] * pictures}
    source = write_source(root / "deep", ids, layers, places, names=DEEP)
    words = ["--model", "eye", "--dataset", "rooms", "--manifests", str(source)]
    for name in ("items", "images"):
        words += [f"--{name}", str(root / f"{name}.parquet")]
    words += ["--settings", json.dumps(SETTINGS), "--seed", "7", "--threads", "1"]
    for name in ("heads", "metrics"):
        words += [f"--{name}", str(root / f"{name}.out")]
    return words


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rooms")
    train_depth_heads.main(write_rooms(root))
    return root


def test_both_heads_recover_a_planted_depth(trained):
    metrics = read_json(trained / "metrics.out")
    assert {k: metrics[k] for k in DEEP} == DEEP
    rows = {(r["address"], r["readout"]): r for r in metrics["heads"]}
    linear = [(a, "depth_linear") for a in ("vision.0", "vision.1", "lm.0")]
    assert set(rows) == {*linear, *((a, "depth_dpt") for a in ("vision", "lm", "lm.0"))}
    for (_, readout), row in rows.items():
        assert row["abs_rel"] < (0.01 if readout == "depth_linear" else 0.05)
        assert row["delta_1"] > 0.9
        assert row["constant_abs_rel"] > 0.1 > row["abs_rel"]
        assert (row["train_images"], row["test_images"]) == (30, 10)
    reads = {a: row["blocks"] for (a, name), row in rows.items() if name == "depth_dpt"}
    twice = ["lm.0", "lm.0"]  # so the head is as large as the encoder's
    assert reads == {"vision": ["vision.0", "vision.1"], "lm": twice, "lm.0": twice}


def test_noise_is_no_better_than_a_constant(tmp_path):
    train_depth_heads.main(write_rooms(tmp_path, planted=False))
    for row in read_json(tmp_path / "metrics.out")["heads"]:
        assert row["abs_rel"] > 0.9 * row["constant_abs_rel"]


def boxes(root: Path, perfect: bool) -> list[str]:
    """Write depth-order items on planes; return the flags of the readout."""
    rng = np.random.default_rng(11)
    items, regions, tokens, ids = [], [], [], []
    for i in range(60):
        depth = scene(rng)
        spots = rng.uniform(5, 55, (2, 2))
        means = [
            mean_depths(depth, np.array([[0, 0, 0, x, y, x + 20, y + 20]]))[0] for x, y in spots
        ]
        nearer = "AB"[int(np.argmin(means))]
        ids.append(f"d{i:03d}")
        items.append(item(i, "depth_order", "AB", nearer, [ids[-1]]))
        for name, (x, y) in zip("AB", spots, strict=True):
            regions.append(region(items[-1], "alone", ids[-1], name, x, y, x + 20, y + 20))
        own = features(depth, rng)
        tokens.append(own if perfect else rng.standard_normal(own.shape).astype(np.float32))
    write_dataset(root, items, regions)
    layers = {f"vision.{k}": tokens for k in range(2)} | {"lm.0": tokens, "lm.1": tokens}
    places = {"vision": [grid()] * 60, "lm": [grid()] * 60}
    return flags(root, [write_source(root / "image", ids, layers, places)])


def test_true_depth_orders_boxes_and_noise_does_not(trained, tmp_path):
    (tmp_path / "a").mkdir()
    found = run(tmp_path / "a", with_heads(boxes(tmp_path / "a", True), trained))
    value = {(r["address"], r["readout"]): r["value"] for r in found.to_dicts()}
    assert [value[a, "depth_linear"] for a in ("vision.0", "vision.1", "lm.0")] == [1.0] * 3
    assert all(value[a, "depth_dpt"] > 0.9 for a in ("vision", "lm", "lm.0"))
    for (_, readout), share in value.items():
        if readout.endswith("/shuffled"):
            assert abs(share - 0.5) < 3.5 * 0.5 / 60**0.5
    (tmp_path / "b").mkdir()
    found = run(tmp_path / "b", with_heads(boxes(tmp_path / "b", False), trained))
    assert (abs(found["value"] - 0.5) < 3.5 * 0.5 / 60**0.5).all()


def with_heads(words: list[str], root: Path) -> list[str]:
    at = words.index("--heads") + 1
    return [*words[:at], str(root / "heads.out"), *words[at:]]


def test_an_address_without_a_head_is_reported_and_the_others_read(trained, tmp_path, caplog):
    found = run(tmp_path, with_heads(boxes(tmp_path, True), trained))
    assert "lm.1 has no depth head, so no depth order there" in caplog.text
    assert "lm.1" not in set(found["address"]) and "lm.0" in set(found["address"])


def test_without_heads_nothing_is_read_and_a_message_says_so(tmp_path, caplog):
    assert run(tmp_path, boxes(tmp_path, True)).is_empty()
    assert "no depth heads are given, so no depth_order" in caplog.text
    assert "nothing could be read out of eye" in caplog.text


def test_a_token_has_the_mean_known_depth_of_its_area():
    depths = np.array([[1.0, 3.0, 0.0, 0.0], [5.0, 7.0, 0.0, 2.0]])
    places = np.zeros((6, 7))
    places[:, 3:] = [
        *([0, 0, 1, 1], [0, 0, 2, 2], [0.5, 0, 1.5, 1], [-1, 0, 1, 1]),
        *([2, 0, 4, 2], [np.nan] * 4),
    ]
    found = mean_depths(depths, places)
    assert found == pytest.approx([1, 4, 2, 1, np.nan, np.nan], nan_ok=True)


def test_ridge_equals_scikit_learns_for_any_folds():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 4)) * [1, 10, 0.1, 1] + 500
    y = x @ [1.0, -0.2, 3.0, 0.0] + rng.standard_normal(90)
    folds = [ProductSums(x[0]) for _ in range(3)]
    for i, fold in enumerate(folds):
        fold.add(x[i::3], y[i::3])
    head, strength = choose(folds, [0.25])
    reference = make_pipeline(StandardScaler(), Ridge(alpha=0.25 * 90)).fit(x, y)
    assert strength == 0.25
    assert head(x) == pytest.approx(reference.predict(x), rel=1e-6)
    assert folds[1].squared_error(head) == pytest.approx(np.mean((head(x[1::3]) - y[1::3]) ** 2))


def test_ridge_ignores_constant_features():
    tokens, depths = np.full((50, 3), 7.1), np.linspace(1, 5, 50)
    folds = [ProductSums(tokens[0]), ProductSums(tokens[0])]
    for fold, part in zip(folds, (slice(0, 25), slice(25, 50)), strict=True):
        fold.add(tokens[part], depths[part])
    head, _ = choose(folds, [1e-6])
    assert not head.weight.any() and head(tokens) == pytest.approx(3)


def test_cells_of_a_map_have_their_tokens_positions():
    places = np.concatenate([grid(2, 3, (0, 0, 60, 40)), grid(2, 2, (10, 10, 30, 30), view=1)])
    places[3, 3:] = np.nan  # in the first view, which is then not a grid
    assert [g.tokens.tolist() for g in grids(places)] == [[6, 7, 8, 9]]
    places = np.roll(grid(2, 3, (0, 0, 60, 40)), 2, axis=0)
    cells = cell_places(places, 4)
    (one,) = grids(places)
    middle = ((cells[:, 3] + cells[:, 5]) / 2).reshape(6, 4, 4)
    across = as_map(middle, one)
    assert across.shape == (8, 12)
    assert across == pytest.approx(np.tile(np.arange(2.5, 60, 5), (8, 1)))
    again = np.empty_like(middle)
    write_map(across, one, again)
    assert again == pytest.approx(middle)


def test_blocks_are_evenly_spaced_and_include_the_last():
    many = [f"vision.{i}" for i in range(24)]
    assert evenly_spaced(many, 4) == ["vision.5", "vision.11", "vision.17", "vision.23"]
    assert evenly_spaced(many[:2], 4) == [many[0], many[0], many[1], many[1]]


def test_a_depth_map_of_another_size_or_depth_is_refused(tmp_path):
    path = tmp_path / "depth.png"
    Image.fromarray(np.ones((6, 8), np.uint16)).save(path)
    assert read_depths(DepthImage("one", "g", 8, 6, path)) == pytest.approx(np.full((6, 8), 0.001))
    with pytest.raises(
        UserError, match=r"depth.png: the depth map has 8 x 6 pixels, .*'one' has 9 x 6"
    ):
        read_depths(DepthImage("one", "g", 9, 6, path))
    Image.fromarray(np.ones((6, 8), np.uint8)).save(path)
    with pytest.raises(UserError, match="its mode is 'L', expected a 16-bit grey PNG"):
        read_depths(DepthImage("one", "g", 8, 6, path))
    with pytest.raises(UserError, match="the label/depth_map of 'one': no such image"):
        read_depths(DepthImage("one", "g", 8, 6, tmp_path / "none.png"))


def test_images_to_test_on_must_exist(tmp_path):
    words = write_rooms(tmp_path)
    path = tmp_path / "images.parquet"
    rows = pl.read_parquet(path).with_columns(group_split=pl.lit("train"))
    write_table(path, rows.to_arrow().cast(images_schema(["depth_map"])))
    with pytest.raises(UserError, match="group_split 'test', expected some to train"):
        train_depth_heads.main(words)


def test_heads_of_another_model_are_refused(trained, tmp_path):
    with pytest.raises(UserError, match="model is 'eye', expected 'ear'"):
        read_heads(trained / "heads.out", "ear")
    (tmp_path / "x").write_text("no heads")
    with pytest.raises(UserError, match="not a file of depth heads"):
        read_heads(tmp_path / "x", "eye")


def test_a_manifest_of_another_dataset_is_refused(tmp_path):
    source = write_source(
        tmp_path, ["a", "b"], {"lm.0": [np.ones((64, 2))] * 2}, {"lm": [grid()] * 2}
    )
    with pytest.raises(UserError, match="dataset is 'puzzles', expected 'rooms'"):
        ActivationSource(source, {**NAMES, "dataset": "rooms"})
