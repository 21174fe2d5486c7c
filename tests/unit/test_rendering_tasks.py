"""Rendered CV-Bench, MOCHI and NYUv2: ground truth, balance, official files."""

import itertools
import random
from collections import Counter

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from rendering_fixture import LOOK, SETTINGS, draw, items, opened, read, rows, tree
from scipy.io import loadmat

from eyechart.core.errors import UserError
from eyechart.rendering.attempts import case_of
from eyechart.rendering.datasets.blink import items as blink_items
from eyechart.rendering.datasets.cv_bench import draw as cv_bench_draw
from eyechart.rendering.datasets.mochi import draw as mochi_draw
from eyechart.rendering.datasets.mochi.sculptures import (
    build,
    difference,
    draw_odd,
    draw_sites,
    draw_surfaces,
)


@pytest.fixture(scope="module")
def cv_bench(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("cv_bench"), "cv_bench", {"test": 8}, shards=2, **LOOK)


@pytest.fixture(scope="module")
def mochi(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("mochi"), "mochi", {"train": 3}, shards=2, **LOOK)


@pytest.fixture(scope="module")
def nyuv2(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("nyuv2"), "nyuv2", {"train": 3, "test": 2}, **LOOK)


# CV-Bench


def test_cv_bench_has_the_official_columns_and_names_the_boxed_objects(cv_bench):
    path = cv_bench / "test_3d.parquet"
    assert pq.read_schema(path).names == [
        "idx", "type", "task", "image", "question", "choices", "answer", "prompt", "filename",
        "source", "source_dataset", "source_filename", "target_class", "target_size", "bbox",
    ]  # fmt: skip
    for row in rows(path):
        one, other = row["choices"]
        assert one != other
        assert row["question"] == (
            f"Which object is closer to the camera taking this photo, the {one} (highlighted by a "
            f"red box) or the {other} (highlighted by a blue box)?"
        )
        shown = opened(row["image"])
        for (left, top, right, bottom), color in zip(row["bbox"], ("red", "blue"), strict=True):
            assert not {"red", "blue"} & set(f"{one} {other}".split())
            border = shown[int(top) - 1, int(left) - 1 : int(right)]
            assert border.tolist() == [[255, 0, 0] if color == "red" else [0, 0, 255]] * len(border)
            assert bottom - top > 2


def test_the_nearer_thing_is_nearer_in_the_depth_map(cv_bench):
    for item in items(cv_bench):
        depth = read(cv_bench / f"truth/test/{item['item']}_depth.png")
        mask = read(cv_bench / f"truth/test/{item['item']}_mask.png")
        medians = []
        for left, top, right, bottom in item["boxes"]:
            inside = mask[top:bottom, left:right]
            number = np.bincount(inside[inside > 0]).argmax()  # the object inside the box
            found = np.argwhere(mask == number)[:, ::-1]
            assert [*found.min(axis=0), *(found.max(axis=0) + 1)] == [left, top, right, bottom]
            medians.append(np.median(depth[mask == number]))
        assert item["answer"] == "AB"[int(np.argmin(medians))]
        assert abs(medians[0] - medians[1]) >= 0.049 * max(medians)


def test_height_and_size_do_not_reveal_which_is_nearer(cv_bench):
    found = items(cv_bench)
    lower, larger = [], []
    for item in found:
        boxes = item["boxes"] if item["answer"] == "A" else item["boxes"][::-1]
        areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in boxes]
        lower.append(boxes[0][3] > boxes[1][3])
        larger.append(areas[0] > areas[1])
    cases = Counter(zip([i["answer"] for i in found], lower, larger, strict=True))
    assert set(cases.values()) == {1} and len(cases) == 8


# MOCHI


def test_mochi_has_the_official_columns(mochi):
    path = mochi / "data/train-00000-of-00001.parquet"
    assert pq.read_schema(path).names[:7] == [
        "dataset", "condition", "trial", "n_objects", "oddity_index", "images", "n_subjects",
    ]  # fmt: skip
    table = rows(path)
    assert len({row["trial"] for row in table}) == 3
    for row in table:
        assert len(row["images"]) == row["n_objects"] in (3, 4)
        assert 0 <= row["oddity_index"] < row["n_objects"]
        assert all(opened(image).shape == (64, 64, 3) for image in row["images"])


def test_the_odd_one_has_the_same_parts_in_another_arrangement(mochi):
    for item in items(mochi):
        sites, odd = item["sites"], item["oddity_index"]
        rest = [s for n, s in enumerate(sites) if n != odd]
        assert all(s == rest[0] for s in rest)
        assert sorted(sites[odd]) == sorted(rest[0])
        assert turned_apart(sites[odd], rest[0]) >= 2


def turned_apart(one, other):
    """Count the moved parts, by angle, under the best of eight rotations and reflections."""
    counts = []
    for turn, way in itertools.product((0, 90, 180, 270), (1, -1)):
        same = sum(
            (way * 90 * side + turn) % 360 == 90 * other[kind][0] and level == other[kind][1]
            for kind, (side, level) in one.items()
        )
        counts.append(len(one) - same)
    return min(counts)


def test_sculptures_of_a_trial_are_built_of_the_same_bodies():
    for seed in range(30):
        rng = random.Random(seed)
        own = draw_sites(rng)
        other = draw_odd(rng, own)
        assert difference(own, other) == turned_apart(own, other) >= 2
        surfaces = draw_surfaces(rng, "painted", list(own))
        bodies = [
            Counter((s.kind, s.scale, s.shape, s.paint) for s in thing.solids.values())
            for thing in (build(own, surfaces, 0.3, 0), build(other, surfaces, 0.3, 0))
        ]
        assert bodies[0] == bodies[1]


def test_a_turned_or_mirrored_sculpture_counts_as_the_same():
    own = {"ball": (0, 1), "cone": (1, 2), "rod": (3, 0)}
    turned = {kind: ((side + 3) % 4, level) for kind, (side, level) in own.items()}
    mirrored = {kind: (-side % 4, level) for kind, (side, level) in own.items()}
    assert difference(own, turned) == difference(own, mirrored) == 0
    assert difference(own, {**own, "ball": (0, 2)}) == 1


def test_odd_positions_and_numbers_of_images_are_balanced():
    block = len(mochi_draw.CASES)
    cases = [case_of(mochi_draw.CASES, n, "odd", 7) for n in range(2 * block)]
    assert Counter(cases) == dict.fromkeys(mochi_draw.CASES, 2)
    assert cases[:block] != cases[block:]
    assert Counter((n, k) for n, k, _ in mochi_draw.CASES) == {
        (n, k): 2 for n in (3, 4) for k in range(n)
    }


# NYUv2


def test_nyuv2_has_the_official_axes_and_splits(nyuv2):
    with h5py.File(nyuv2 / "nyu_depth_v2_labeled.mat") as file:
        images, depths = np.array(file["images"]), np.array(file["depths"])
    assert images.shape == (5, 3, 64, 64) and images.dtype == np.uint8
    assert depths.shape == (5, 64, 64) and depths.dtype == np.float32
    splits = loadmat(nyuv2 / "splits.mat")
    assert splits["trainNdxs"].tolist() == [[1], [2], [3]]
    assert splits["testNdxs"].tolist() == [[4], [5]]
    for n, item in enumerate([f"train/{k}" for k in range(3)] + [f"test/{k}" for k in range(2)]):
        assert np.array_equal(images[n].transpose(2, 1, 0), read(nyuv2 / f"truth/{item}_plain.png"))
        thousandths = read(nyuv2 / f"truth/{item}_depth.png")
        assert np.abs(depths[n].T * 1000 - thousandths).max() <= 0.51
    shown = depths[depths > 0]
    assert shown.min() > 3 and np.median(shown) < 20


def test_an_unknown_split_of_nyuv2_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"splits: .*test, train"):
        draw(tmp_path, "nyuv2", {"tst": 1}, **LOOK)


# All


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["blink", "cv_bench", "mochi", "nyuv2"])
def test_bytes_do_not_depend_on_the_number_of_shards(layout, tmp_path):
    look = {"image_px": [48, 48], "samples_per_pixel": 1, "truth": False}
    splits = {"nyuv2": {"train": 2, "test": 1}, "blink": {"val": 1}}.get(layout, {"test": 2})
    one = draw(tmp_path / "one", layout, splits, shards=1, **look)
    assert tree(one) == tree(draw(tmp_path / "three", layout, splits, shards=3, **look))


def test_another_seed_gives_another_item():
    settings = {**SETTINGS, **LOOK}
    facts = [cv_bench_draw.draw_item((seed, "cv", "test", 0), settings).facts for seed in (1, 2)]
    assert facts[0]["depths"] != facts[1]["depths"]


def test_images_too_small_for_marks_are_refused_with_the_setting_to_change(tmp_path, monkeypatch):
    monkeypatch.setattr(blink_items, "ATTEMPTS", 2)
    monkeypatch.setattr(cv_bench_draw, "ATTEMPTS", 2)
    with pytest.raises(UserError, match=r"raise rendering\.image_px"):
        draw(tmp_path, "blink", {"val": 1}, image_px=[6, 6])
    with pytest.raises(UserError, match=r"raise rendering\.extent or rendering\.image_px"):
        draw(tmp_path, "cv_bench", {"test": 1}, image_px=[6, 6])


def test_a_missing_image_is_refused_by_name(tmp_path):
    root = draw(tmp_path, "mochi", {"train": 1}, image_px=[48, 48], samples_per_pixel=1)
    (root / "shards/images/train_0_1.png").unlink()
    from rendering_fixture import step

    with pytest.raises(UserError, match=r"train_0_1\.png: no such file"):
        step("write_mochi").row(items(root)[0], root)
