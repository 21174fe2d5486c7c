"""The six rendered tasks: ground truth verified independently, balance, official files."""

import csv
import io
import itertools
import random
from collections import Counter

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rendering_fixture import SETTINGS, draw, shards, tree
from scipy.io import loadmat

from eyechart.core.errors import UserError
from eyechart.rendering.attempts import case_of
from eyechart.rendering.datasets.blink import items as blink_items
from eyechart.rendering.datasets.blink.marks import mark
from eyechart.rendering.datasets.blink.styles import DIFFERENCES, HUES_APART, draw_other, draw_style
from eyechart.rendering.datasets.cv_bench import draw as cv_bench_draw
from eyechart.rendering.datasets.mochi import draw as mochi_draw
from eyechart.rendering.datasets.mochi.sculptures import (
    build,
    difference,
    draw_odd,
    draw_sites,
    draw_surfaces,
)
from eyechart.rendering.points import APART, BORDER
from eyechart.rendering.scene.viewing import project
from eyechart.tables.receipt import read_receipt

LOOK = {"image_px": [64, 64], "samples_per_pixel": 2}
BLINK = ("Semantic_Correspondence", "Functional_Correspondence", "Visual_Correspondence",
         "Art_Style")  # fmt: skip


@pytest.fixture(scope="module")
def blink(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("blink"), "blink", {"val": 4}, shards=2, **LOOK)


@pytest.fixture(scope="module")
def cv_bench(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("cv_bench"), "cv_bench", {"test": 8}, shards=2, **LOOK)


@pytest.fixture(scope="module")
def mochi(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("mochi"), "mochi", {"train": 3}, shards=2, **LOOK)


@pytest.fixture(scope="module")
def nyuv2(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("nyuv2"), "nyuv2", {"train": 3, "test": 2}, **LOOK)


def rows(path):
    return pq.read_table(path).to_pylist()


def items(root, task=None):
    found = [item for shard in shards(root) for item in shard["items"]]
    return [item for item in found if task in (None, item.get("sub_task"))]


def opened(image):
    return np.array(Image.open(io.BytesIO(image["bytes"])))


def read(path):
    with Image.open(path) as image:
        return np.array(image)


def part_at(root, item, view, spot):
    """Return the part under a point, by the saved mask's number there."""
    mask = read(root / f"truth/val/{item['idx'].removeprefix('val_')}_{view}_mask.png")
    return mask[int(spot[1]), int(spot[0])]


# BLINK


def test_blink_has_the_official_files_and_columns(blink):
    for task in BLINK:
        path = blink / task / "val-00000-of-00001.parquet"
        assert pq.read_schema(path).names == [
            "idx", "question", "sub_task", "image_1", "image_2", "image_3", "image_4", "choices",
            "answer", "prompt", "explanation",
        ]  # fmt: skip
        table = rows(path)
        assert [row["idx"] for row in table] == [f"val_{task}_{n}" for n in range(1, 5)]
        for row in table:
            shown = [row[f"image_{n}"] for n in range(1, 5)]
            count = 3 if task == "Art_Style" else 2
            assert [image is None for image in shown] == [n >= count for n in range(4)]
            assert all(opened(image).shape == (64, 64, 3) for image in shown[:count])
            assert row["prompt"].endswith(f"\n({'ABCD'[len(row['choices']) - 1]}) "
                                          f"{row['choices'][-1]}")  # fmt: skip
        choices = ["the second image", "the third image"]
        if task != "Art_Style":
            choices = [f"Point {letter}" for letter in "ABCD"]
        assert all(row["choices"] == choices for row in table)
    receipt = read_receipt(blink / "acquired.json")
    assert receipt["splits"] == {"val": {"images": 36, "questions": 16}}
    assert not [file for file in receipt["files"] if file["path"].startswith("shards")]


def test_the_right_letter_is_spread_evenly(blink):
    for task in BLINK:
        answers = [row["answer"] for row in rows(blink / task / "val-00000-of-00001.parquet")]
        letters = "ABAB" if task == "Art_Style" else "ABCD"
        assert sorted(answers) == sorted(f"({letter})" for letter in letters)


def test_points_stand_apart_and_whole_in_the_image(blink):
    with open(blink / "Points.csv", newline="") as file:
        told = list(csv.DictReader(file))
    assert list(told[0]) == ["idx", "name", "x", "y"]
    assert len(told) == 3 * 4 * 5
    for _, group in itertools.groupby(told, lambda row: row["idx"]):
        points = {row["name"]: (float(row["x"]), float(row["y"])) for row in group}
        assert list(points) == ["REF", "A", "B", "C", "D"]
        at = np.array(list(points.values()))
        assert at.min() >= 64 * BORDER - 1e-4 and at.max() <= 64 - 64 * BORDER + 1e-4
        for one, other in itertools.combinations(at[1:], 2):
            assert np.linalg.norm(one - other) >= 64 * APART - 1e-3


def test_only_the_right_point_is_on_the_same_part(blink):
    for task in BLINK[:2]:
        for item in items(blink, task):
            facts, (first, second) = item["facts"], item["points"]
            assert facts["parts"][item["answer"]] == facts["part"]
            assert len(set(facts["parts"].values())) == 4
            assert part_at(blink, item, 1, first["REF"]) > 0
            masks = [part_at(blink, item, 2, second[letter]) for letter in "ABCD"]
            assert len(set(masks)) == 4 and 0 not in masks
            kinds = facts["kinds"]
            assert (kinds[0] == kinds[1]) == (task == "Semantic_Correspondence")


@pytest.mark.parametrize("task", BLINK[:2])
def test_every_point_is_on_the_part_that_the_facts_name(task):
    for number in range(2):
        item = blink_items.draw_item((3, "b", "val", task, number), {**SETTINGS, **LOOK})
        facts = item.facts["facts"]
        told = {"REF": facts["part"], **facts["parts"]}
        for view, points in zip(item.views, item.facts["points"], strict=True):
            for name, (x, y) in points.items():
                here = view.part[int(y), int(x)]
                assert view.names[here - 1] == (0, told[name])


def test_the_right_point_is_the_same_point_of_the_world():
    for number in range(4):
        name = (7, "blink", "val", "Visual_Correspondence", number)
        item = blink_items.draw_item(name, {**SETTINGS, **LOOK})
        (first, second), points = item.views, item.facts["points"]
        for letter, world in item.facts["facts"]["world"].items():
            x, y, depth = project(second.camera, world, (64, 64))
            assert points[1][letter] == pytest.approx((x, y))
            assert abs(second.depth[int(y), int(x)] - depth) < 0.2  # nothing stands before it
            back = project(first.camera, world, (64, 64))
            away = np.hypot(*np.subtract(back[:2], points[0]["REF"]))
            assert away < 1e-6 if letter == item.facts["answer"] else away >= 64 * APART - 1e-6


@pytest.mark.parametrize("task", BLINK[:3])
def test_the_place_in_the_image_is_right_as_often_as_a_guess(blink, task):
    nearest = []
    for item in items(blink, task):
        ref, spots = item["points"][0]["REF"], item["points"][1]
        away = {letter: np.hypot(*np.subtract(spot, ref)) for letter, spot in spots.items()}
        nearest.append(min(away, key=away.get) == item["answer"])
    assert sum(nearest) == 1  # of four


def test_light_changes_in_half_of_the_items_and_the_view_in_all():
    changes = [case_of((False, True), n, "light", 7, "b", "val", "v") for n in range(20)]
    assert Counter(changes) == {False: 10, True: 10}


def test_marks_are_where_the_points_say(blink):
    for item in items(blink, "Semantic_Correspondence"):
        for n, points in enumerate(item["points"], start=1):
            shown = read(blink / f"shards/images/{item['idx']}_{n}.jpg").astype(int)
            plain = read(
                blink / f"truth/val/{item['idx'].removeprefix('val_')}_{n}_plain.png"
            ).astype(int)
            changed = np.abs(shown - plain).max(axis=-1) > 60
            for x, y in points.values():
                rows_, columns = np.mgrid[:64, :64] + 0.5
                away = np.hypot(columns - x, rows_ - y)
                assert changed[(away > 2) & (away < 4)].mean() > 0.5
            assert not changed.all()


def test_a_mark_is_centred_to_a_fraction_of_a_pixel():
    grey = np.full((80, 80, 3), 128, dtype=np.uint8)
    for x, y in ((40.0, 40.0), (40.5, 39.25)):
        change = np.abs(mark(grey, {"": (x, y)}).astype(int) - 128).sum(axis=-1)
        rows_, columns = np.mgrid[:80, :80] + 0.5
        assert (change * columns).sum() / change.sum() == pytest.approx(x, abs=0.15)
        assert (change * rows_).sum() / change.sum() == pytest.approx(y, abs=0.15)


def test_the_right_image_has_the_style_of_the_first_and_the_other_differs(blink):
    for item in items(blink, "Art_Style"):
        styles = item["facts"]["styles"]
        wrong = "B" if item["answer"] == "A" else "A"
        assert styles["REF"] == styles[item["answer"]] != styles[wrong]
        images = [read(blink / f"shards/images/{item['idx']}_{n}.jpg") for n in (1, 2, 3)]
        assert all(not np.array_equal(*pair) for pair in itertools.combinations(images, 2))


@pytest.mark.parametrize("way", DIFFERENCES)
def test_styles_differ_in_what_they_say_and_in_nothing_else(way):
    for seed in range(40):
        style = draw_style(random.Random(seed))
        other = draw_other(random.Random(seed + 1), style, way)
        apart = abs((style.hue - other.hue + 180) % 360 - 180)
        assert (apart >= HUES_APART - 1e-3) == (way != "texture")
        assert (style.pattern != other.pattern) == (way != "palette")
        assert (style.finish != other.finish) == (way == "both")


# CV-Bench


def test_cv_bench_has_the_official_columns_and_names_what_is_boxed(cv_bench):
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
            number = np.bincount(inside[inside > 0]).argmax()  # what the box is around
            found = np.argwhere(mask == number)[:, ::-1]
            assert [*found.min(axis=0), *(found.max(axis=0) + 1)] == [left, top, right, bottom]
            medians.append(np.median(depth[mask == number]))
        assert item["answer"] == "AB"[int(np.argmin(medians))]
        assert abs(medians[0] - medians[1]) >= 0.049 * max(medians)


def test_neither_height_nor_size_tells_which_is_nearer(cv_bench):
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
    """Count the relocated parts under the best of eight rotations and reflections, by angles."""
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


def test_places_of_the_odd_one_and_numbers_of_images_are_spread_evenly():
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
def test_same_bytes_whatever_the_number_of_shards(layout, tmp_path):
    look = {"image_px": [48, 48], "samples_per_pixel": 1, "truth": False}
    splits = {"nyuv2": {"train": 2, "test": 1}, "blink": {"val": 1}}.get(layout, {"test": 2})
    one = draw(tmp_path / "one", layout, splits, shards=1, **look)
    assert tree(one) == tree(draw(tmp_path / "three", layout, splits, shards=3, **look))


def test_another_seed_draws_another_item():
    settings = {**SETTINGS, **LOOK}
    facts = [cv_bench_draw.draw_item((seed, "cv", "test", 0), settings).facts for seed in (1, 2)]
    assert facts[0]["depths"] != facts[1]["depths"]


def test_images_too_small_for_marks_are_refused_with_the_knob_to_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(blink_items, "ATTEMPTS", 2)
    monkeypatch.setattr(cv_bench_draw, "ATTEMPTS", 2)
    with pytest.raises(UserError, match=r"raise rendering\.image_px"):
        draw(tmp_path, "blink", {"val": 1}, image_px=[6, 6])
    with pytest.raises(UserError, match=r"raise rendering\.extent or rendering\.image_px"):
        draw(tmp_path, "cv_bench", {"test": 1}, image_px=[6, 6])


def test_an_image_that_is_gone_is_refused_with_its_name(tmp_path):
    root = draw(tmp_path, "mochi", {"train": 1}, image_px=[48, 48], samples_per_pixel=1)
    (root / "shards/images/train_0_1.png").unlink()
    from rendering_fixture import step

    with pytest.raises(UserError, match=r"train_0_1\.png: no such file"):
        step("write_mochi").row(items(root)[0], root)
