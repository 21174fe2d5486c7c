"""NYU Depth V2: images with depth maps in the official splits, and inconsistent files."""

import json
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest
from mmvp_fixture import acquire
from nyuv2_fixture import HEIGHT, SCENES, TEST, TRAIN, WIDTH, make_nyuv2, shots, write_splits
from PIL import Image
from scipy.io import savemat

from eyechart.core.errors import UserError
from eyechart.data.layouts import base as layouts_base
from eyechart.data.layouts.nyuv2 import layout as nyuv2_layout
from eyechart.data.layouts.nyuv2 import prepare as nyuv2_prepare

ROOT = Path("data/raw/nyuv2")
BOTH = ("train", "test")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def prepare(splits=BOTH, most=None):
    settings = json.dumps({"splits": list(splits), "test_share": 1, "most": most})
    nyuv2_prepare.main(
        [
            *("--dataset", "nyuv2", "--receipt", str(ROOT / "acquired.json"), "--seed", "7"),
            *("--settings", settings, "--items", "out/items.parquet"),
            *("--images", "out/images.parquet"),
        ]
    )
    return pl.read_parquet("out/items.parquet"), pl.read_parquet("out/images.parquet")


def examine(**settings):
    make_nyuv2(Path("mine"))
    acquire(Path("mine"), "nyuv2", ROOT, BOTH)
    return prepare(**settings)


def test_images_and_depths_are_upright_and_in_their_official_splits():
    items, images = examine()
    assert len(items) == 0
    told, depths = shots()
    of = dict(images.select("image_id", "split").iter_rows())
    assert of == {f"nyu_{n:04d}": "train" if n in TRAIN else "test" for n in (*TRAIN, *TEST)}
    assert images["group_split"].equals(images["split"].alias("group_split"))
    for row in images.iter_rows(named=True):
        number = int(row["image_id"][-4:]) - 1
        assert (row["width"], row["height"], row["type"]) == (WIDTH, HEIGHT, "depth")
        assert row["group"] == SCENES[number]
        with Image.open(row["path"]) as image, Image.open(row["label/depth_map"]) as depth:
            assert np.array_equal(np.asarray(image), told[number])
            assert depth.mode == "I;16"
            found = np.asarray(depth, np.int64)
        known = found > 0
        assert np.abs(found / 1000 - depths[number])[known].max() <= 0.0005 + 1e-6
        assert known.sum() == known.size - (3 if number == 0 else 0)


def test_unknown_depth_is_zero():
    metres = np.array([[0.0, np.nan, np.inf, -1.0, 65.535, 65.54, 0.0004, 1.2345]])
    assert nyuv2_prepare.thousandths(metres).tolist() == [[0, 0, 0, 0, 65535, 0, 0, 1234]]


def test_a_cap_is_per_split_and_removes_the_rest():
    examine()
    _, images = prepare(most=1)
    assert sorted(images["split"]) == ["test", "train"]
    assert len(list(Path("out/images").iterdir())) == 4


def test_without_scenes_every_image_is_a_group():
    make_nyuv2(Path("mine"))
    with h5py.File("mine/nyu_depth_v2_labeled.mat", "r+") as file:
        del file["scenes"]
    acquire(Path("mine"), "nyuv2", ROOT, BOTH)
    _, images = prepare()
    assert images["group"].equals(images["image_id"].alias("group"))


def rewrite(name, value):
    with h5py.File("mine/nyu_depth_v2_labeled.mat", "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("depths", np.ones((6, 20, 13), "f4"), r"depths is \(6, 20, 13\), expected \(6, 20, 14\)"),
        ("depths", np.ones((5, 20, 14), "f4"), r"depths is \(5, 20, 14\), expected \(6, 20, 14\)"),
        ("depths", None, r"array 'depths' is missing; There are: #refs#, images"),
        ("images", np.ones((6, 3, 20, 14), "f4"), r"images is float32 \(6, 3, 20, 14\), expected"),
        ("images", np.ones((6, 20, 14), "u1"), r"images is uint8 \(6, 20, 14\), expected uint8"),
    ],
)
def test_arrays_that_do_not_fit_together_are_reported(name, value, words):
    make_nyuv2(Path("mine"))
    rewrite(name, value)
    with pytest.raises(UserError, match=f"^mine/nyu_depth_v2_labeled.mat: {words}"):
        acquire(Path("mine"), "nyuv2", ROOT, BOTH)


def test_broken_or_missing_files_and_splits_are_reported():
    make_nyuv2(Path("mine"))
    write_splits(Path("mine"), [1, 7], TEST)
    with pytest.raises(UserError, match=r"splits.mat: trainNdxs names image 7, but nyu_depth_v2"):
        acquire(Path("mine"), "nyuv2", ROOT, BOTH)
    write_splits(Path("mine"), [1, 3], TEST)
    with pytest.raises(UserError, match=r"splits.mat: image 3 is in both splits"):
        acquire(Path("mine"), "nyuv2", ROOT, BOTH)
    savemat("mine/splits.mat", {"trainNdx": [[1]], "testNdxs": [[2]]})
    with pytest.raises(UserError, match=r"field 'trainNdxs' is missing; did you mean 'trainNdx'"):
        acquire(Path("mine"), "nyuv2", ROOT, BOTH)
    Path("mine/splits.mat").write_bytes(b"no MATLAB file of any kind" * 10)
    with pytest.raises(UserError, match=r"splits.mat: not a complete MATLAB file"):
        acquire(Path("mine"), "nyuv2", ROOT, BOTH)
    make_nyuv2(Path("mine"))
    Path("mine/nyu_depth_v2_labeled.mat").write_bytes(b"cut")
    with pytest.raises(UserError, match=r"labeled.mat: not a complete MATLAB 7.3 file"):
        acquire(Path("mine"), "nyuv2", ROOT, BOTH)
    Path("mine/nyu_depth_v2_labeled.mat").unlink()
    with pytest.raises(UserError, match=r"labeled.mat: no such file"):
        acquire(Path("mine"), "nyuv2", ROOT, BOTH)
    with pytest.raises(UserError, match=r"split 'val' of NYU Depth V2 cannot be evaluated"):
        layouts_base.check_released(nyuv2_layout, ["val"])
