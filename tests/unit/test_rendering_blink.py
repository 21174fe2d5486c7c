"""Rendered BLINK: marks on the correct parts, points and styles, balance, official files."""

import csv
import itertools
import random
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from rendering_fixture import LOOK, SETTINGS, draw, items, opened, read, rows

from eyechart.rendering.attempts import case_of
from eyechart.rendering.datasets.blink import items as blink_items
from eyechart.rendering.datasets.blink.marks import mark
from eyechart.rendering.datasets.blink.styles import DIFFERENCES, HUES_APART, draw_other, draw_style
from eyechart.rendering.points import APART, BORDER
from eyechart.rendering.scene.viewing import project
from eyechart.tables.receipt import read_receipt

BLINK = ("Semantic_Correspondence", "Functional_Correspondence", "Visual_Correspondence",
         "Art_Style")  # fmt: skip


@pytest.fixture(scope="module")
def blink(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("blink"), "blink", {"val": 4}, shards=2, **LOOK)


def part_at(root, item, view, spot):
    """Return the part at a point, from the number in the saved mask."""
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


def test_points_are_far_apart_and_fully_in_the_image(blink):
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
def test_every_point_is_on_the_recorded_part(task):
    for number in range(2):
        item = blink_items.draw_item((3, "b", "val", task, number), {**SETTINGS, **LOOK})
        facts = item.facts["facts"]
        told = {"REF": facts["part"], **facts["parts"]}
        for view, points in zip(item.views, item.facts["points"], strict=True):
            for name, (x, y) in points.items():
                here = view.part[int(y), int(x)]
                assert view.names[here - 1] == (0, told[name])


def test_the_right_point_is_the_same_3d_point():
    for number in range(4):
        name = (7, "blink", "val", "Visual_Correspondence", number)
        item = blink_items.draw_item(name, {**SETTINGS, **LOOK})
        (first, second), points = item.views, item.facts["points"]
        for letter, world in item.facts["facts"]["world"].items():
            x, y, depth = project(second.camera, world, (64, 64))
            assert points[1][letter] == pytest.approx((x, y))
            assert abs(second.depth[int(y), int(x)] - depth) < 0.2  # nothing is in front of it
            back = project(first.camera, world, (64, 64))
            away = np.hypot(*np.subtract(back[:2], points[0]["REF"]))
            assert away < 1e-6 if letter == item.facts["answer"] else away >= 64 * APART - 1e-6


@pytest.mark.parametrize("task", BLINK[:3])
def test_the_image_position_gives_no_advantage(blink, task):
    nearest = []
    for item in items(blink, task):
        ref, spots = item["points"][0]["REF"], item["points"][1]
        away = {letter: np.hypot(*np.subtract(spot, ref)) for letter, spot in spots.items()}
        nearest.append(min(away, key=away.get) == item["answer"])
    assert sum(nearest) == 1  # out of four


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
def test_styles_differ_only_in_the_declared_properties(way):
    for seed in range(40):
        style = draw_style(random.Random(seed))
        other = draw_other(random.Random(seed + 1), style, way)
        apart = abs((style.hue - other.hue + 180) % 360 - 180)
        assert (apart >= HUES_APART - 1e-3) == (way != "texture")
        assert (style.pattern != other.pattern) == (way != "palette")
        assert (style.finish != other.finish) == (way == "both")
